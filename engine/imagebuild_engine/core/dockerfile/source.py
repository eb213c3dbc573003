"""A file's text, places in it, and how a place is shown to a person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_EXCERPT_WIDTH = 200
_EXCERPT_LINES = 20
_BEFORE_COLUMN = 60


@dataclass(frozen=True, slots=True)
class Location:
    """Lines `start` to `end`, both included, counted from 1.

    `column` is where on the line `start` it begins, in characters from 1; 0 is not known.
    """

    start: int
    end: int
    column: int = 0

    def __str__(self) -> str:
        return str(self.start) if self.start == self.end else f"{self.start}-{self.end}"


@dataclass(frozen=True, slots=True)
class Source:
    """A text that people wrote, under the name they know it by."""

    name: str
    text: str

    def place_of(self, word: str, location: Location, nth: int = 1) -> Location | None:
        """Where in the lines of an instruction the `nth` such word stands, its name apart; None if it is not there.

        A word that continuation lines cut in two is not found: the joined text is what readers see.
        """
        before = r"(?<![\w-])" if re.match(r"[\w-]", word) else ""
        after = r"(?![\w-])" if re.search(r"[\w-]\Z", word) else ""
        whole = re.compile(before + re.escape(word) + after)
        lines = list(self._lines_after_the_name(location))
        for skipped in ("#", "\0"):  # a word in a comment is rarely the one, but heredocs have such lines too
            left = nth
            for number, line, start in lines:
                if line.lstrip().startswith(skipped):
                    continue
                for match in whole.finditer(line, start):
                    left -= 1
                    if left == 0:
                        return Location(number, number, match.start() + 1)
        return None

    def _lines_after_the_name(self, location: Location) -> Iterator[tuple[int, str, int]]:
        """The location's lines with their numbers, and from where on they are of interest."""
        lines = self.text.split("\n")[location.start - 1 : location.end]
        for number, line in enumerate(lines, location.start):
            name = re.match(r"\s*\S+", line) if number == location.start else None
            yield number, line, name.end() if name else 0

    def excerpt(self, location: Location, context: int = 2) -> str:
        """The lines of `location` and `context` lines around, numbered, the meant ones marked with `>>>`.

        Where the column is known, `^` stands under it. Long lines and long instructions are cut: an excerpt belongs
        into an error message.
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
            line, offset = lines[number - 1].rstrip("\r"), 0
            if number == location.start and location.column > _EXCERPT_WIDTH:
                offset = location.column - _BEFORE_COLUMN
            text = ("…" if offset else "") + printable(line[offset:], _EXCERPT_WIDTH)
            shown.append(f"{number:>{width}} | {mark} {text}".rstrip())
            if number == location.start and location.column:
                before = ("…" if offset else "") + printable(line[offset : location.column - 1], _EXCERPT_WIDTH)
                shown.append(f"{'':>{width}} |     {' ' * _cells(before)}^")
        return "\n".join(shown)


@lru_cache(maxsize=2)
def _lines(text: str) -> list[str]:
    """The lines of a file, which may have many things to be shown."""
    lines = text.split("\n")
    return lines[:-1] if len(lines) > 1 and lines[-1] == "" else lines


def printable(text: str, width: int) -> str:
    """The text in one line, cut to `width` characters, without what would move a terminal's cursor."""
    shown = "".join(
        c if c.isprintable() else " " if c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text[: width + 1]
    )
    return shown if len(shown) <= width else shown[:width] + "…"


def _cells(text: str) -> int:
    """How wide a terminal shows it."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "FW" else 1 for char in text
    )
