"""A list of patterns of which the last one that matches decides (moby/patternmatcher)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .blanks import SPACE
from .pattern import IgnorePattern


@dataclass(frozen=True, slots=True)
class ParentMatch:
    """Which patterns matched a directory or one above it: what `match` needs to know about a path's parent."""

    matched: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class IgnoreMatcher:
    """Compiled patterns, in the order of the file. Paths are relative, with slashes, clean."""

    patterns: tuple[IgnorePattern, ...]

    @classmethod
    def of(cls, patterns: Iterable[str]) -> IgnoreMatcher:
        """Patterns as they were written; blank ones are none. Raises BadPattern."""
        return cls(tuple(IgnorePattern.read(pattern) for pattern in patterns if pattern.strip(SPACE)))

    @property
    def has_exclusions(self) -> bool:
        """Whether any pattern begins with `!`."""
        return any(pattern.exclusion for pattern in self.patterns)

    def matches_or_parent_matches(self, path: str) -> bool:
        """Whether the path is excluded, looked at alone: each of its parents is tried too."""
        return self.match(path, None)[0]

    def match(self, path: str, parent: ParentMatch | None) -> tuple[bool, ParentMatch]:
        """Whether the path is excluded, and the state for its children. `parent` None: a top-level path, or unknown.

        A pattern that could change nothing (an ordinary one after a match, a `!` before any) is not asked and counts
        as not matching, for the children too. So moby does, and it shows: `!a` then `*` is not `*` then `!a`.
        """
        if parent is not None and len(parent.matched) != len(self.patterns):
            raise ValueError("state of another matcher")
        candidates = [path]
        if parent is None:
            candidates += [path[:at] for at, char in enumerate(path) if char == "/" and at > 0]
        excluded = False
        results: list[bool] = []
        for number, pattern in enumerate(self.patterns):
            result = parent is not None and parent.matched[number]
            if not result and pattern.exclusion == excluded:
                result = any(map(pattern.matches, candidates))
            if result:
                excluded = not pattern.exclusion
            results.append(result)
        return excluded, ParentMatch(tuple(results))

    def may_reinclude_below(self, directory: str) -> bool:
        """Whether a `!` pattern might match something inside an excluded directory; if not, a walk may skip it."""
        return any(pattern.exclusion and pattern.may_match_below(directory) for pattern in self.patterns)
