"""Which repositories may be believed: patterns of full names, for the engine's sources and the administrator's bound.

A cache can lie about results, so who may write to a repository decides what ends in an image. A pattern names the
registry too and is compared part by part: `*` stands for any characters within a part (`registry.example/shop/web-*`),
a part `**` for any number of parts, none included (`registry.example/**`). Everything else stands for itself.
"""

import re
from collections.abc import Iterable

_STARS = re.compile(r"\*+")


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Is the repository (registry/repository, without tag and digest) in one of the patterns?"""
    return any(_matches(name.split("/"), pattern.split("/")) for pattern in patterns)


def _matches(parts: list[str], pattern: list[str]) -> bool:
    """All places in the pattern at once: trying them one after the other could take for ever."""
    places = _past_empty({0}, pattern)
    for part in parts:
        stay = {place for place in places if place < len(pattern) and pattern[place] == "**"}
        go_on = {place + 1 for place in places - stay if place < len(pattern) and _fits(part, pattern[place])}
        places = _past_empty(stay | go_on, pattern)
    return len(pattern) in places


def _past_empty(places: set[int], pattern: list[str]) -> set[int]:
    """`**` may stand for no part at all."""
    reached = set(places)
    for place in places:
        while place < len(pattern) and pattern[place] == "**":
            place += 1
            reached.add(place)
    return reached


def _fits(part: str, word: str) -> bool:
    """The first place for each piece between the stars is as good as any other."""
    first, *others = _STARS.split(word)
    if not others:
        return part == word
    *middle, last = others
    place, end = len(first), len(part) - len(last)
    if place > end or not part.startswith(first) or not part.endswith(last):
        return False
    for piece in middle:
        found = part.find(piece, place, end)
        if found < 0:
            return False
        place = found + len(piece)
    return True
