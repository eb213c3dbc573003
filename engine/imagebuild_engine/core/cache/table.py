"""Which layer lies on which. A record's result is a place in such a table.

An image is one stack: each layer lies on the one before it. The table of a cacheconfig is a forest, for it holds the
layers of all stages.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from .records import CacheResult, ChainResult, InvalidRecords, LayerResult, Link, Record

NO_PARENT = -1
MAX_DEPTH = 4096
"""Layers on each other: as many as a manifest may have."""


@dataclass(frozen=True, slots=True)
class LayerTable:
    """For each layer the position of the one below it, or NO_PARENT."""

    parents: tuple[int, ...] = ()

    @classmethod
    def stack(cls, count: int) -> Self:
        """The layers of an image."""
        return cls(tuple(range(NO_PARENT, count - 1)))

    def __len__(self) -> int:
        return len(self.parents)

    def chain(self, top: int) -> tuple[int, ...]:
        """The layer with everything that it lies on, lowest first."""
        found = []
        while top != NO_PARENT:
            found.append(top)
            top = self.parents[top]
        return tuple(reversed(found))

    def layers(self, result: CacheResult) -> tuple[int, ...]:
        """The layers that a result stands for, lowest first."""
        match result:
            case LayerResult(layer=top):
                return self.chain(top)
            case ChainResult(layers=positions):
                return positions

    def depths(self) -> list[int]:
        """For each layer how many there are from the lowest one up to it.

        Raises InvalidRecords for a parent that does not exist, for a loop, and for a pile higher than MAX_DEPTH.
        """
        depths = [0] * len(self.parents)
        for start in range(len(self.parents)):
            way: list[int] = []
            position = start
            while position != NO_PARENT and depths[position] == 0:
                way.append(position)
                depths[position] = -1
                position = self.parents[position]
                if not NO_PARENT <= position < len(self.parents):
                    raise InvalidRecords(f"a layer of the cache lies on layer {position}, which does not exist")
            if position != NO_PARENT and depths[position] == -1:
                raise InvalidRecords("the layers of the cache lie on each other in a loop")
            depth = depths[position] if position != NO_PARENT else 0
            for number, passed in enumerate(reversed(way), 1):
                depths[passed] = depth + number
            if depths[start] > MAX_DEPTH:
                raise InvalidRecords(f"the cache has more than {MAX_DEPTH} layers on each other")
        return depths


Portion = tuple[Sequence[Record], LayerTable]
"""Records, and the table that their results are places in."""


def joined(portions: Sequence[Portion]) -> tuple[tuple[Record, ...], LayerTable]:
    """The records of several manifests as those of one source. Their chains stay apart: a link never crosses."""
    records: list[Record] = []
    parents: list[int] = []
    for portion, table in portions:
        offset, below = len(records), len(parents)
        records += [_moved(record, offset, below) for record in portion]
        parents += [parent if parent == NO_PARENT else parent + below for parent in table.parents]
    return tuple(records), LayerTable(tuple(parents))


def without_layers(records: Sequence[Record], table: LayerTable, missing: frozenset[int]) -> tuple[Record, ...]:
    """The records without the results that rest on a layer which is not to be had. They still join others."""
    if not missing:
        return tuple(records)
    lost: set[int] = set(missing)
    for position in range(len(table)):
        # A chain that meets a lost layer is lost from there up; what is known to be lost is not walked again.
        way = []
        at = position
        while at != NO_PARENT and at not in lost:
            way.append(at)
            at = table.parents[at]
        if at != NO_PARENT:
            lost.update(way)
    return tuple(
        replace(
            record,
            results=tuple(result for result in record.results if result.layer not in lost),
            chains=tuple(chain for chain in record.chains if not missing.intersection(chain.layers)),
        )
        for record in records
    )


def _moved(record: Record, links: int, layers: int) -> Record:
    return Record(
        digest=record.digest,
        inputs=tuple(tuple(Link(link.parent + links, link.selector) for link in found) for found in record.inputs),
        results=tuple(replace(result, layer=result.layer + layers) for result in record.results),
        chains=tuple(replace(chain, layers=tuple(layer + layers for layer in chain.layers)) for chain in record.chains),
    )
