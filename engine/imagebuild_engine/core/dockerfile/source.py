"""A file's text, places in it, and how a place is shown to a person."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_EXCERPT_WIDTH = 200
_EXCERPT_LINES = 20


@dataclass(frozen=True, slots=True)
class Location:
    """Lines `start` to `end`, both included, counted from 1."""

    start: int
    end: int

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Source:
    """A text that people wrote, under the name they know it by."""

    name: str
    text: str

    def excerpt(self, location: Location, context: int = 2) -> str:
        """The lines of `location` and `context` lines around, numbered, the meant ones marked with `>>>`.

        Long lines and long instructions are cut: an excerpt belongs into an error message.
        """
        lines = _lines(self.text)
        last = min(location.end + context, len(lines))
        if last - location.start > _EXCERPT_LINES:
            last = location.start + _EXCERPT_LINES
        first = max(location.start - context, 1)
        width = len(str(last))
        shown = []
        for number in range(first, last + 1):
            mark = ">>>" if location.start <= number <= location.end else "   "
            shown.append(f"{number:>{width}} | {mark} {_printable(lines[number - 1])}".rstrip())
        return "\n".join(shown)


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """The lines of a file, which may have many things to be shown."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _printable(line: str) -> str:
    """The line without what would move a terminal's cursor."""
    line = line.rstrip("\r")
    shown = line if len(line) <= _EXCERPT_WIDTH else line[:_EXCERPT_WIDTH] + "…"
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
