"""Which repositories may be believed: patterns of full names, for the engine's sources and the administrator's bound.

A cache can lie about results, so who may write to a repository decides what ends in an image. A pattern names the
registry too. `*` stands for a part of a name or a piece of one (`registry.example/shop/*`), `**` for any number of
parts (`registry.example/**`); everything else stands for itself.
"""

import re
from collections.abc import Iterable

_WORDS = re.compile(r"\*+|[^*]")


def matches_any(name: str, patterns: Iterable[str]) -> bool:
    """Is the repository (registry/repository, without tag and digest) in one of the patterns?"""
    return any(_matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    """All places in the pattern at once: backtracking could take for ever, this takes the product of both lengths."""
    words = _WORDS.findall(pattern)
    places = _with_empty_stars({0}, words)
    for letter in name:
        reached = set()
        for place in places:
            word = words[place] if place < len(words) else ""
            if word.startswith("*"):
                if letter != "/" or len(word) > 1:
                    reached.add(place)
            elif word == letter:
                reached.add(place + 1)
        places = _with_empty_stars(reached, words)
    return len(words) in places


def _with_empty_stars(places: set[int], words: list[str]) -> set[int]:
    """A star may stand for nothing. (No two stand side by side: a run of them is one word.)"""
    return places | {place + 1 for place in places if place < len(words) and words[place].startswith("*")}
