"""Can a list of base names be read in one way only?

BuildKit v0.9 to v0.25 list what a pattern chooses by base names alone. The list `d`, `x` is that of a directory d with
a file x in it, and that of a directory d with a file x beside it: two trees with one key. But the order of a walk and
the pattern leave less open than it seems: `d`, `x`, `e` can only be read with x inside of d, for beside it, e came
first.
"""

import posixpath
from collections.abc import Callable, Sequence

from ..patterns import path_match
from .content import octets
from .listing import Listing

_BUDGET = 200_000
"""Steps of search after which a list counts as ambiguous."""


def has_one_reading(found: Listing) -> bool:
    """Whether no other tree, asked in the same way, has the same names and digests in the same order.

    A reading is a place for each entry, at the top or in a directory that is still open. Beside one another, entries
    are sorted by name. Whether any reading is left from some entry on is found by putting each as deep as it goes: that
    leaves the most places open for the rest. So it is enough to try, for each entry, the deepest place but the true
    one.
    """
    entries = [(octets(entry.name), entry.is_directory) for entry in found.entries]
    top = _top(found)
    budget = _BUDGET
    places = [b""]
    for number, (entry, known) in enumerate(zip(entries, found.entries, strict=True)):
        other = _deepest(places, entry[0], top, but=known.depth)
        budget -= len(places)
        if other is not None:
            tried = places.copy()
            _place(tried, other, *entry)
            left, steps = _goes_on(tried, entries[number + 1 :], top)
            budget -= steps
            if left:
                return False
        if budget < 0:
            return False
        _place(places, known.depth, *entry)
    return True


_Top = Callable[[bytes, bytes], bool]
"""May an entry of the second name stand at the top, after one of the first?"""


def _top(found: Listing) -> _Top:
    if not found.wildcard:
        # One path was asked for: it is the only entry at the top. The root itself is not listed, but all that is in it.
        return (lambda last, name: last < name) if found.pattern == "/" else (lambda last, _name: not last)
    folder, last_part = posixpath.split(found.pattern)
    # A class may match a slash, so that a match has more parts than the pattern.
    plain = not set("[\\") & set(found.pattern)
    in_order = plain and folder in (found.stem, found.stem or "/")

    def stands(last: bytes, name: bytes) -> bool:
        fits = not plain or path_match(last_part, name.decode("utf-8", "surrogateescape"))
        return fits and (last < name or not in_order)

    return stands


def _deepest(places: Sequence[bytes], name: bytes, top: _Top, *, but: int | None = None) -> int | None:
    """The deepest place for an entry of that name. `places` has, for each place, the last name that stands there."""
    for depth in range(len(places) - 1, 0, -1):
        if depth != but and places[depth] < name:
            return depth
    return 0 if but != 0 and top(places[0], name) else None


def _place(places: list[bytes], depth: int, name: bytes, is_directory: bool) -> None:
    places[depth:] = [name, b""] if is_directory else [name]


def _goes_on(places: list[bytes], entries: Sequence[tuple[bytes, bool]], top: _Top) -> tuple[bool, int]:
    """Whether all entries find a place, and how many were tried."""
    for number, entry in enumerate(entries):
        depth = _deepest(places, entry[0], top)
        if depth is None:
            return False, number
        _place(places, depth, *entry)
    return True, len(entries)
