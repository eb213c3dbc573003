"""Records in a canonical order, each once, whatever order they came in."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..oci import Digest
from .records import ChainResult, InvalidRecords, LayerResult, Link, Record


def normalized(records: Sequence[Record]) -> tuple[Record, ...]:
    """Equal records merged and all of them in a canonical order, whatever order they came in.

    By digest, then by number of inputs, then by the links with the digests that they lead to.
    """
    names = _canonical_names(records)
    merged: dict[str, tuple[Record, set[LayerResult], set[ChainResult], list[set[tuple[str, str]]]]] = {}
    for record, name in zip(records, names, strict=True):
        known = merged.setdefault(name, (record, set(), set(), [set() for _ in record.inputs]))
        known[1].update(record.results)
        known[2].update(record.chains)
        for links, own in zip(known[3], record.inputs, strict=True):
            links.update((link.selector, names[link.parent]) for link in own)
    digests = {name: record.digest for name, (record, *_) in merged.items()}

    def rank(name: str) -> tuple[Any, ...]:
        links = [sorted((selector, digests[parent]) for selector, parent in own) for own in merged[name][3]]
        return digests[name], len(links), [(len(own), own) for own in links], name

    order = sorted(merged, key=rank)
    position = {name: number for number, name in enumerate(order)}
    return tuple(
        Record(
            digest=merged[name][0].digest,
            inputs=tuple(
                tuple(sorted(Link(position[parent], selector) for selector, parent in links))
                for links in merged[name][3]
            ),
            results=_newest(merged[name][1]),
            chains=tuple(sorted(merged[name][2])),
        )
        for name in order
    )


def _newest(results: Iterable[LayerResult]) -> tuple[LayerResult, ...]:
    """One result: a record says one thing. The newest, and of equally new ones the lowest."""
    found = sorted(results, key=lambda item: (item.age, -item.layer), reverse=True)
    return tuple(found[:1])


def _canonical_names(records: Sequence[Record]) -> list[str]:
    """For each record a text that is equal for equal graphs: its digest over everything it rests on."""
    names: list[str] = [""] * len(records)
    for number in parents_first(records):
        record = records[number]
        inputs = [sorted({(link.selector, names[link.parent]) for link in links}) for links in record.inputs]
        names[number] = Digest.of(json.dumps([record.digest, inputs]).encode())
    return names


def parents_first(records: Sequence[Record]) -> list[int]:
    """Positions in an order in which every link leads backwards. Raises InvalidRecords for a loop."""
    order: list[int] = []
    state = [0] * len(records)  # 0 not seen, 1 on the way, 2 done
    for start in range(len(records)):
        stack = [(start, False)]
        while stack:
            number, parents_done = stack.pop()
            if parents_done:
                state[number] = 2
                order.append(number)
            elif state[number] == 0:
                state[number] = 1
                stack.append((number, True))
                for links in records[number].inputs:
                    for link in links:
                        if state[link.parent] == 1:
                            raise InvalidRecords("the cache records are linked in a loop")
                        if state[link.parent] == 0:
                            stack.append((link.parent, False))
    return order
