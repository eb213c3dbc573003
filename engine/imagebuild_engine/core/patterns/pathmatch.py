"""Go's path.Match: `*`, `?`, `[a-z]`, `[^x]` and `\\` within one path.

    pattern = { * | ? | [ [^] ranges ] | \\c | c }        `*` and `?` never match "/", a class may
    ranges  = lo | lo-hi, with \\ before - ] \\

The habits that matter: stars are tried shortest first and a piece between stars, once found, is not looked for again;
a pattern is checked to its end even if the name failed before; a star may stop in the middle of a UTF-8 character.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_SLASH = ord("/")
_BAD_RUNE = 0xFFFD


class BadPattern(ValueError):
    """A pattern with wrong syntax: an open or empty class, a `\\` at the end."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f'syntax error in pattern "{pattern}"')
        self.pattern = pattern


@dataclass(frozen=True, slots=True)
class _Class:
    negated: bool
    ranges: tuple[tuple[int, int], ...]

    def __contains__(self, rune: int) -> bool:
        return any(low <= rune <= high for low, high in self.ranges) != self.negated


@dataclass(frozen=True, slots=True)
class _AnyOne:
    pass


_Item = int | _AnyOne | _Class


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between stars; `starred`: at least one star before it."""

    starred: bool
    items: tuple[_Item, ...]

    def ends_at(self, name: bytes, at: int) -> int | None:
        for item in self.items:
            if at >= len(name):
                return None
            if isinstance(item, int):
                if name[at] != item:
                    return None
                at += 1
                continue
            rune, width = _decode(name, at)
            if isinstance(item, _AnyOne):
                if rune == _SLASH:
                    return None
            elif rune not in item:
                return None
            at += width
        return at


def has_wildcards(path: str) -> bool:
    """Would BuildKit expand this path (fsutil, containsWildcards)? An escaped character alone does not count."""
    escaped = False
    for character in path:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "*?[":
            return True
    return False


def path_match(pattern: str, name: str) -> bool:
    """Whether the whole name matches. Raises BadPattern. Names may carry bytes that are not UTF-8 (surrogateescape)."""
    pieces = _compile(pattern)
    octets = _octets(name)
    at = 0
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        if piece.starred and not piece.items:
            return _SLASH not in octets[at:]
        end = _find(piece, octets, at, last)
        if end is None:
            return False
        at = end
    return at == len(octets)


def _find(piece: _Piece, name: bytes, at: int, last: bool) -> int | None:
    """Where the piece ends at its first possible place, which for the last piece is the name's end."""
    while True:
        end = piece.ends_at(name, at)
        if end is not None and (not last or end == len(name)):
            return end
        if not piece.starred or at >= len(name) or name[at] == _SLASH:
            return None
        at += 1


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> tuple[_Piece, ...]:
    octets = _octets(pattern)
    pieces: list[_Piece] = []
    items: list[_Item] = []
    starred = False
    at = 0
    while at < len(octets):
        char = octets[at : at + 1]
        at += 1
        match char:
            case b"*":
                if items:
                    pieces.append(_Piece(starred, tuple(items)))
                items, starred = [], True
            case b"?":
                items.append(_AnyOne())
            case b"[":
                parsed, at = _read_class(pattern, octets, at)
                items.append(parsed)
            case b"\\":
                if at == len(octets):
                    raise BadPattern(pattern)
                items.append(octets[at])
                at += 1
            case _:
                items.append(char[0])
    if items or starred:
        pieces.append(_Piece(starred, tuple(items)))
    return tuple(pieces)


def _read_class(pattern: str, octets: bytes, at: int) -> tuple[_Class, int]:
    negated = octets[at : at + 1] == b"^"
    at += negated
    ranges: list[tuple[int, int]] = []
    while not (ranges and octets[at : at + 1] == b"]"):
        low, at = _read_rune(pattern, octets, at)
        high = low
        if octets[at : at + 1] == b"-":
            high, at = _read_rune(pattern, octets, at + 1)
        ranges.append((low, high))
    return _Class(negated, tuple(ranges)), at + 1


def _read_rune(pattern: str, octets: bytes, at: int) -> tuple[int, int]:
    """A character of a class; something must follow it, if only the closing bracket."""
    if octets[at : at + 1] in (b"", b"-", b"]"):
        raise BadPattern(pattern)
    if octets[at : at + 1] == b"\\":
        at += 1
    if at >= len(octets):
        raise BadPattern(pattern)
    rune, width = _decode(octets, at)
    at += width
    if (rune == _BAD_RUNE and width == 1) or at >= len(octets):
        raise BadPattern(pattern)
    return rune, at


def _octets(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair is no byte of any file name
        return text.encode(errors="replace")


def _decode(octets: bytes, at: int) -> tuple[int, int]:
    """The character at `at` and its width; U+FFFD and 1 for what is not UTF-8."""
    first = octets[at]
    if first < 0x80:
        return first, 1
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    try:
        return ord(octets[at : at + width].decode()), width
    except (UnicodeDecodeError, TypeError):
        return _BAD_RUNE, 1
