"""Physical lines → one joined line per instruction.

The joined text is hashed into cache keys, so the rules are BuildKit's, to the byte:

- the first line of an instruction loses the blanks before it, later ones keep theirs; blanks at the end stay;
- a line that ends in the escape character, with blanks after it but no second escape character before it, goes on in
  the next one: escape character and blanks vanish, nothing is put in their place;
- comment lines and empty lines inside vanish, and do not end the instruction.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .blanks import SPACE
from .errors import DockerfileError
from .limits import Limits
from .source import Location, Source

_CONTINUED = {
    "\\": re.compile(r"([^\\])\\[ \t]*\Z|^\\[ \t]*\Z"),
    "`": re.compile(r"([^`])`[ \t]*\Z|^`[ \t]*\Z"),
}
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction's text, not yet taken apart.

    `comments` stand above it, since the last instruction or the last comment without a word; each is what follows the
    line's first character, so an indented one keeps its `#`, as in BuildKit. `gap` is where the text ends, if there is
    an empty line among its continuation lines.
    """

    text: str
    location: Location
    comments: tuple[str, ...] = ()
    gap: Location | None = None


def decode(data: bytes, name: str, limits: Limits) -> Source:
    """The file as text without byte order mark; raises if it is too large or not UTF-8."""
    if len(data) > limits.file_bytes:
        raise DockerfileError(
            f"file of {len(data)} bytes is larger than the limit of {limits.file_bytes}", None, Source(name, "")
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        source = Source(name, data.decode(errors="replace"))
        raise DockerfileError("file is not UTF-8 text", Location(number, number), source) from None
    return Source(name, text.removeprefix(_BYTE_ORDER_MARK))


def physical_lines(source: Source, limits: Limits) -> list[str]:
    """The lines without their ends (LF, CRLF, any number of CR before LF); raises on too many or too long ones."""
    lines = source.text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > limits.lines:
        raise DockerfileError(f"more than {limits.lines} lines", Location(limits.lines + 1, limits.lines + 1), source)
    for number, line in enumerate(lines, 1):
        if len(line) > limits.line_bytes or len(line.encode()) > limits.line_bytes:
            place = Location(number, number)
            raise DockerfileError(f"line greater than max allowed size of {limits.line_bytes} bytes", place, source)
    return [line.rstrip("\r") for line in lines]


def logical_lines(lines: list[str], escape: str, directives: Collection[int] = ()) -> Iterator[LogicalLine]:
    """The instructions of a file, in order. A file's end ends a continuation too. `directives`: lines that are one."""
    continued = _CONTINUED[escape]
    numbered = iter(enumerate(lines, 1))
    comments: list[str] = []
    for start, written in numbered:
        line = written.lstrip(SPACE)
        if line.startswith("#") and start not in directives:
            comment = written[1:].strip(SPACE)
            if comment:
                comments.append(comment)
            else:
                comments.clear()
        if not line or line.startswith("#"):
            continue
        text, goes_on = _without_continuation(line, continued)
        parts = [text]
        end = start
        gap = False
        while goes_on:
            following = next(numbered, None)
            if following is None:
                break
            end, line = following
            blank_or_comment = line.lstrip(SPACE)
            if not blank_or_comment or blank_or_comment.startswith("#"):
                gap = gap or not blank_or_comment
                continue
            text, goes_on = _without_continuation(line, continued)
            parts.append(text)
        yield LogicalLine("".join(parts), Location(start, end), tuple(comments), Location(end, end) if gap else None)
        comments.clear()


def _without_continuation(line: str, continued: re.Pattern[str]) -> tuple[str, bool]:
    match = continued.search(line)
    if match is None:
        return line, False
    return line[: match.start()] + (match[1] or ""), True
