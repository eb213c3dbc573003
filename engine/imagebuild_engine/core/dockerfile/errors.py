"""What can be wrong with a Dockerfile, said once, with the place."""

from __future__ import annotations

from collections.abc import Iterable

from .source import Location, Source, printable

_WIDTH = 500
_WORD = 120


class DockerfileError(Exception):
    """A Dockerfile, a word of it or an ignore file that cannot be used; the only exception of this package's readers.

    `str()` is one line (`Dockerfile:7:1: unknown instruction: RUM (did you mean "RUN"?)`), `render()` adds the excerpt.
    `word` is the text at fault as it was written, the `nth` of its kind: `at` finds line and column by it.
    """

    def __init__(
        self,
        message: str,
        location: Location | None = None,
        source: Source | None = None,
        hint: str = "",
        *,
        word: str = "",
        nth: int = 1,
    ) -> None:
        super().__init__(message, location, source, hint)
        self.message = printable(message, _WIDTH)
        self.location = location
        self.source = source
        self.hint = printable(hint, _WIDTH)
        self.word = word
        self.nth = nth

    def __str__(self) -> str:
        place = ""
        if self.source is not None:
            place = f"{self.source.name}: "
            if self.location is not None:
                column = f":{self.location.column}" if self.location.column else ""
                place = f"{self.source.name}:{self.location.start}{column}: "
        elif self.location is not None:
            place = f"line {self.location}: "
        return f"{place}{self.message}" + (f" ({self.hint})" if self.hint else "")

    def render(self, context: int = 2) -> str:
        """The message and, where the place is known, the lines it is about."""
        if self.source is None or self.location is None:
            return str(self)
        return f"{self}\n{self.source.excerpt(self.location, context)}"

    def at(self, location: Location, source: Source) -> DockerfileError:
        """The same error with its place, for callers who know it: the instruction's, or the word's within it.

        A place that is known already stays.
        """
        if self.location is None and self.word:
            location = source.place_of(self.word, location, self.nth) or location
        return DockerfileError(self.message, self.location or location, self.source or source, self.hint)


class ExpansionError(DockerfileError):
    """A word whose quotes or `${…}` cannot be processed: `part` of it. Has no place yet: its caller knows it (`at`)."""

    def __init__(self, word: str, reason: str, part: str = "") -> None:
        whole = part if "\n" in word else word  # of a heredoc's body the part says more
        super().__init__(f'cannot expand "{printable(whole, _WORD)}": {reason}', word=part.split("\n", 1)[0] or word)
        self.reason = reason


def not_supported(what: str, *, word: str = "") -> DockerfileError:
    """The refusal of what the language has and this engine has not."""
    return DockerfileError(f"not supported yet: {what}", word=word)


def suggest(word: str, options: Iterable[str]) -> str:
    """`did you mean "…"?` for the option nearest to `word`, at most two edits away; else an empty string."""
    if len(word) > 64:
        return ""
    distance, nearest = min(((_distance(word.lower(), option.lower()), option) for option in options), default=(9, ""))
    return f'did you mean "{nearest}"?' if 0 < distance <= 2 < len(nearest) + 1 else ""


def _distance(left: str, right: str) -> int:
    """Levenshtein's: insertions, deletions and replacements from `left` to `right`."""
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(right, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
