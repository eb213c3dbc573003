"""Collecting findings: which are wanted is decided here, and how much work a hostile file may cause."""

from __future__ import annotations

from collections.abc import Collection

from ..dockerfile import Location, suggest
from .options import Options
from .report import Report, Violation
from .rules import Rule

_NO_COMMENTS: tuple[str, ...] = ()
_EFFORT = 1_000_000
_SHOWN = 120


class Findings:
    """The findings of one run."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._found: list[Violation] = []
        self.budget = Budget(_EFFORT)

    def add(self, rule: Rule, location: Location | None, detail: str, comments: tuple[str, ...] = _NO_COMMENTS) -> None:
        """Takes a finding, unless the file's options or those in `comments`, above the instruction, are against it."""
        active = (self._options, Options.of_comments(comments)) if comments else (self._options,)
        if any(options.skips(rule) for options in active):
            return
        if rule.experimental and not any(options.asks_for(rule) for options in active):
            return
        self._found.append(Violation(rule=rule, detail=detail, location=location))

    def nearest(self, word: str, options: Collection[str]) -> str:
        """` (did you mean "…"?)`, or nothing."""
        if not self.budget.spend(len(options)):
            return ""
        near = [option for option in options if abs(len(option) - len(word)) <= 2]
        if not self.budget.spend(len(word) * sum(map(len, near))):
            return ""
        hint = suggest(word, near)
        return f" ({hint})" if hint else ""

    def report(self) -> Report:
        return Report(violations=tuple(self._found), as_errors=self._options.error)


class Budget:
    """How many comparisons of characters or names are left: well under a second's worth to begin with.

    A file that needs more gets fewer answers, not a longer wait.
    """

    def __init__(self, effort: int) -> None:
        self._left = effort

    def spend(self, effort: int) -> bool:
        """Is there enough left?"""
        self._left -= effort
        return self._left >= 0


def shown(text: str) -> str:
    """A word of the file within a message: nothing that moves a cursor, and not without end."""
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
