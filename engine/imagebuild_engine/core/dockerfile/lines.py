"""Physical lines → one joined line per instruction.

The joined text is hashed into cache keys, so the rules are BuildKit's, to the byte:

- the first line of an instruction loses the blanks before it, later ones keep theirs; blanks at the end stay;
- a line that ends in the escape character, with blanks after it but no second escape character before it, goes on in
  the next one: escape character and blanks vanish, nothing is put in their place;
- comment lines and empty lines inside vanish, and do not end the instruction;
- the lines of heredocs follow as they are, line ends included, up to the heredoc's name alone on a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from .blanks import SPACE
from .errors import DockerfileError
from .heredoc import Heredoc, heredocs_begun
from .instructions import HereDocument
from .limits import Limits
from .source import Location, Source

_CONTINUED = {
    "\\": re.compile(r"([^\\])\\[ \t]*\Z|^\\[ \t]*\Z"),
    "`": re.compile(r"([^`])`[ \t]*\Z|^`[ \t]*\Z"),
}
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction's text, not yet taken apart, and the heredocs it begins. `location` covers these too.

    `comments` stand above it, since the last instruction or the last comment without a word; each is what follows the
    line's first character, so an indented one keeps its `#`, as in BuildKit. `gap` is where the text ends, if there is
    an empty line among its continuation lines.
    """

    text: str
    location: Location
    heredocs: tuple[HereDocument, ...] = ()
    comments: tuple[str, ...] = ()
    gap: Location | None = None


def decode(data: bytes, name: str, limits: Limits) -> Source:
    """The file as text without byte order mark; raises if it is too large or not UTF-8."""
    if len(data) > limits.file_bytes:
        raise DockerfileError(
            f"file of {len(data)} bytes is larger than the limit of {limits.file_bytes}",
            Location(1, 1, 1),
            Source(name, data[: limits.line_bytes].decode(errors="replace")),
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode().removeprefix(_BYTE_ORDER_MARK)
        number = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        source = Source(name, data.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK))
        raise DockerfileError("file is not UTF-8 text", Location(number, number, column), source) from None
    return Source(name, text.removeprefix(_BYTE_ORDER_MARK))


def physical_lines(source: Source, limits: Limits) -> list[str]:
    """The lines without their line feeds; raises on too many or too long ones."""
    lines = source.text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > limits.lines:
        place = Location(limits.lines + 1, limits.lines + 1, 1)
        raise DockerfileError(f"more than {limits.lines} lines", place, source)
    for number, line in enumerate(lines, 1):
        if len(line) > limits.line_bytes or len(line.encode()) > limits.line_bytes:
            place = Location(number, number, 1)
            raise DockerfileError(f"line greater than max allowed size of {limits.line_bytes} bytes", place, source)
    return lines


def logical_lines(
    lines: list[str], escape: str, source: Source, directives: Collection[int] = ()
) -> Iterator[LogicalLine]:
    """The instructions of a file, in order. A file's end ends a continuation too, but no heredoc.

    `directives` are the numbers of lines that are one.
    """
    continued = _CONTINUED[escape]
    numbered = iter(enumerate(lines, 1))
    comments: list[str] = []
    for start, line in numbered:
        content = line.rstrip("\r").lstrip(SPACE)
        if content.startswith("#") and start not in directives:
            comment = line[1:].strip(SPACE)
            if comment:
                comments.append(comment)
            else:
                comments.clear()
        if not content or content.startswith("#"):
            continue
        column = len(line) - len(line.lstrip(SPACE)) + 1
        text, goes_on = _without_continuation(content, continued)
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
            text, goes_on = _without_continuation(line.rstrip("\r"), continued)
            parts.append(text)
        text = "".join(parts)
        place = Location(start, end, column)
        try:
            documents = tuple(_body(heredoc, numbered, lines, end) for heredoc in heredocs_begun(text, escape))
        except DockerfileError as error:
            raise error.at(place, source) from None
        last = Location(end, end) if gap else None
        end += sum(document.text.count("\n") + 1 for document in documents)
        yield LogicalLine(text, Location(start, end, column), documents, tuple(comments), last)
        comments.clear()


def _without_continuation(line: str, continued: re.Pattern[str]) -> tuple[str, bool]:
    match = continued.search(line)
    if match is None:
        return line, False
    return line[: match.start()] + (match[1] or ""), True


def _body(heredoc: Heredoc, numbered: Iterator[tuple[int, str]], lines: list[str], before: int) -> HereDocument:
    """The lines up to the heredoc's name, taken from `numbered`; without the name it is an error."""
    body: list[str] = []
    for _, line in numbered:
        last = line.rstrip("\r")
        if (last.lstrip("\t") if heredoc.chomp else last) == heredoc.name:
            return HereDocument(name=heredoc.name, text="".join(body), chomp=heredoc.chomp, expand=heredoc.expand)
        body.append(line + "\n")
    hint = f"it ends with a line that is {heredoc.name}, nothing before or after it"
    for number, line in enumerate(lines[before:], before + 1):
        if line.strip(SPACE) == heredoc.name:
            hint = f"the {heredoc.name} on line {number} has blanks beside it"
            break
    raise DockerfileError(f"unterminated heredoc {heredoc.written}", hint=hint, word=heredoc.written)
