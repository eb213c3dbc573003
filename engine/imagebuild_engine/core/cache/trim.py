"""Which results a cache had better leave out. Their records stay, without a result, so that what follows still matches.

Two rules, both about layers that are not the image's own (those are at the registry anyway):

*Cheap*: a step that took less time than pulling its layer would take, at PULL_BYTES_PER_SECOND, is sooner run again.
Layers below SMALL_BYTES stay, for they cost nothing; so do those of steps of which nobody knows how long they took.

*Size*: if all together are still larger than `max_size`, those go first that save the fewest seconds per byte.

A layer can only go when no result that stays lies on it. So a stage is taken down from its top, and a layer that an
expensive step lies on is kept with its own result, however cheap that was.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from ..oci import Digest

PULL_BYTES_PER_SECOND = 50_000_000
"""What pulling and unpacking a layer is taken to achieve: a registry in the same data centre, one layer of several."""
SMALL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CostedResult:
    """A step's result: layers with their compressed bytes, lowest first, and the seconds that it took (0: unknown)."""

    layers: tuple[tuple[Digest, int], ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """The positions of the results that stay, and how many were left out by either rule."""

    kept: frozenset[int]
    cheap: int = 0
    oversize: int = 0


def trimmed(
    results: Sequence[CostedResult], own: Collection[Digest], *, max_size: int = 0, keep_cheap: bool = False
) -> Trimmed:
    """What stays of the results, which come inputs before users. `own` are the image's layers; `max_size` is in bytes,
    0 for no limit. The same for the same results, whoever asks.
    """
    piles = _piles(results, frozenset(own))
    dropped_cheap = [] if keep_cheap else _without_cheap(piles)
    dropped_oversize = _within(piles, max_size) if max_size else []
    left_out = {place for pile in (*dropped_cheap, *dropped_oversize) for place in pile.members}
    return Trimmed(
        kept=frozenset(range(len(results))) - left_out,
        cheap=sum(len(pile.members) for pile in dropped_cheap),
        oversize=sum(len(pile.members) for pile in dropped_oversize),
    )


def is_cheap(size: int, seconds: float) -> bool:
    """Is a step that took so long sooner run again than its layer of that size is pulled?"""
    return size >= SMALL_BYTES and 0 < seconds < size / PULL_BYTES_PER_SECOND


@dataclass(slots=True)
class _Pile:
    """The results with the same uppermost layer (a step's layer alone, and merged onto others), which go together."""

    number: int
    top: tuple[Digest, int]
    members: list[int] = field(default_factory=list)
    layers: dict[Digest, int] = field(default_factory=dict)
    """Those of all members that are not the image's."""
    seconds: float = 0.0
    alone: int = 0
    """Bytes of layers that no other pile has."""


@dataclass(slots=True)
class _Piles:
    left: dict[int, _Pile]
    holders: defaultdict[Digest, set[int]]

    def drop(self, pile: _Pile) -> None:
        del self.left[pile.number]
        for digest, size in pile.layers.items():
            self.holders[digest].discard(pile.number)
            if len(self.holders[digest]) == 1:
                (last,) = self.holders[digest]
                self.left[last].alone += size

    def size(self) -> int:
        return sum({digest: size for pile in self.left.values() for digest, size in pile.layers.items()}.values())


def _piles(results: Sequence[CostedResult], own: frozenset[Digest]) -> _Piles:
    by_top: dict[Digest, _Pile] = {}
    for place, result in enumerate(results):
        if all(digest in own for digest, _ in result.layers):
            continue
        top = result.layers[-1]
        pile = by_top.setdefault(top[0], _Pile(len(by_top), top))
        pile.members.append(place)
        pile.layers |= {digest: size for digest, size in result.layers if digest not in own}
        pile.seconds += result.seconds
    holders: defaultdict[Digest, set[int]] = defaultdict(set)
    for pile in by_top.values():
        for digest in pile.layers:
            holders[digest].add(pile.number)
    for pile in by_top.values():
        pile.alone = sum(size for digest, size in pile.layers.items() if len(holders[digest]) == 1)
    return _Piles({pile.number: pile for pile in by_top.values()}, holders)


def _without_cheap(piles: _Piles) -> list[_Pile]:
    dropped = []
    for pile in reversed(list(piles.left.values())):
        digest, size = pile.top
        nothing_on_it = piles.holders[digest] == {pile.number}
        if nothing_on_it and is_cheap(size, pile.seconds):
            piles.drop(pile)
            dropped.append(pile)
    return dropped


def _within(piles: _Piles, max_size: int) -> list[_Pile]:
    dropped = []
    size = piles.size()
    while size > max_size:
        removable = [pile for pile in piles.left.values() if pile.alone]
        if not removable:
            break
        least = min(removable, key=lambda pile: (pile.seconds / pile.alone, -pile.alone, -pile.number))
        size -= least.alone
        piles.drop(least)
        dropped.append(least)
    return dropped
