"""One pattern of an ignore file, as moby/patternmatcher understands it.

moby turns a pattern into one of four matches. Text without wildcards is compared; `dir/**` is a prefix; `**/name` is a
suffix; anything else becomes a regular expression: `*` any number of characters but "/", `?` one of them, `**` any
number of directories (or, at the end, of characters), `[…]` and `\\c` taken over into the expression as they are. Being
taken over, `\\d` is a digit, `[[:alpha:]]` a letter, and `[*]` not a star: the star in it is replaced first. All kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .blanks import SPACE
from .cleanpath import clean_path
from .pathmatch import BadPattern, path_match

_ESCAPED_OUTSIDE = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": "[\\t\\n\\f\\r ]",
    "S": "[^\\t\\n\\f\\r ]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "b": "(?a:\\b)",
    "B": "(?a:\\B)",
    "A": "\\A",
    "z": "\\Z",
}
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_NAMED: dict[str, tuple[tuple[int, int], ...]] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": ((48, 57),),
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_PERL = {"d": "digit", "w": "word"}
_LAST_RUNE = 0x10FFFF


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    """A cleaned pattern without its `!`. `exclusion`: it takes paths out again."""

    text: str
    exclusion: bool
    matches: Callable[[str], bool]

    @classmethod
    def read(cls, pattern: str) -> IgnorePattern:
        """A pattern as it was written: with blanks around it, not clean, perhaps with a `!`. Raises BadPattern."""
        text = clean_path(pattern.strip(SPACE))
        if text == "!":
            raise BadPattern("!")
        return cls.compile(text.removeprefix("!"), exclusion=text.startswith("!"))

    @classmethod
    def compile(cls, text: str, *, exclusion: bool = False) -> IgnorePattern:
        """Raises BadPattern for what Go's path.Match or its regular expressions refuse."""
        path_match(text, ".")
        return cls(text, exclusion, _matcher(text))

    def may_match_below(self, directory: str) -> bool:
        """Whether some path below `directory` could match; True when in doubt."""
        parts = self.text.split("/")
        above = directory.split("/")
        for part, name in zip(parts, above, strict=False):
            if "**" in part or "[" in part or "\\" in part:
                return True
            if not path_match(part, name):
                return False
        return len(parts) > len(above) or any("**" in part or "[" in part or "\\" in part for part in parts)


def _matcher(pattern: str) -> Callable[[str], bool]:
    expression, kind = _regular_expression(pattern)
    match kind:
        case "exact":
            return pattern.__eq__
        case "prefix":
            prefix = pattern[:-2]
            return lambda path: path.startswith(prefix)
        case "suffix":
            suffix = pattern[2:]
            return lambda path: path.endswith(suffix) or (suffix.startswith("/") and path == suffix[1:])
    try:
        compiled = re.compile(_for_python(expression))
    except (re.error, _NoExpression, RecursionError, OverflowError):
        raise BadPattern(pattern) from None
    return lambda path: compiled.match(path) is not None


def _regular_expression(pattern: str) -> tuple[str, str]:
    """The expression in Go's syntax, and whether it is needed: `exact`, `prefix` and `suffix` do without."""
    parts = ["^"]
    kind = "exact"
    at = 0
    while at < len(pattern):
        first = at == 0
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            if pattern.startswith("/", at):
                at += 1
            if at < len(pattern):
                parts.append("(.*/)?")
                kind = "expression"
            elif kind == "exact":
                kind = "prefix"
            else:
                parts.append(".*")
                kind = "expression"
            if first:
                kind = "suffix"
        elif char == "*":
            parts.append("[^/]*")
            kind = "expression"
        elif char == "?":
            parts.append("[^/]")
            kind = "expression"
        elif char in ".+()|{}$":
            parts.append("\\" + char)
        elif char == "\\":  # path.Match has made sure that something follows
            parts.append("\\" + pattern[at])
            at += 1
            kind = "expression"
        else:
            if char in "[]":
                kind = "expression"
            parts.append(char)
    return "".join(parts) + "$", kind


class _NoExpression(ValueError):
    """Text that Go's regular expressions refuse, or a rarity of theirs that is not known here."""


def _for_python(expression: str) -> str:
    """Go's syntax, as far as patterns can produce it, in Python's."""
    parts: list[str] = []
    at = 0
    while at < len(expression):
        char = expression[at]
        if char == "[":
            part, at = _class(expression, at + 1)
        elif char == "\\":
            part = _escaped(expression[at + 1])
            at += 2
        elif char == "$":
            part = "\\Z"
            at += 1
        else:
            part = char
            at += 1
        parts.append(part)
    return "".join(parts)


def _escaped(char: str) -> str:
    if char in _ESCAPED_OUTSIDE:
        return _ESCAPED_OUTSIDE[char]
    return re.escape(chr(_literal(char)))


def _literal(char: str) -> int:
    """The character that an escape stands for."""
    if char in _CONTROL:
        return _CONTROL[char]
    if char.isascii() and not char.isalnum():
        return ord(char)
    raise _NoExpression(f"\\{char}")


def _class(text: str, at: int) -> tuple[str, int]:
    """A bracket class from behind its `[`, and where it ends."""
    negated = text.startswith("^", at)
    at += negated
    ranges: list[tuple[int, int]] = []
    first = True
    while first or not text.startswith("]", at):
        if at >= len(text):
            raise _NoExpression("missing ]")
        named = _named(text, at)
        if named is not None:
            more, at = named
            ranges.extend(more)
        else:
            low, at = _class_character(text, at)
            high = low
            if text.startswith("-", at) and at + 1 < len(text) and text[at + 1] != "]":
                high, at = _class_character(text, at + 1)
            if high < low:
                raise _NoExpression("invalid range")
            ranges.append((low, high))
        first = False
    if not ranges:
        raise _NoExpression("empty class")
    body = "".join(f"{_hex(low)}-{_hex(high)}" for low, high in ranges)
    return f"[{'^' if negated else ''}{body}]", at + 1


def _named(text: str, at: int) -> tuple[tuple[tuple[int, int], ...], int] | None:
    """`[:alpha:]`, `\\d` and their likes inside of a class."""
    if text.startswith("[:", at) and (end := text.find(":]", at + 2)) >= 0:
        name = text[at + 2 : end]
        known = _NAMED.get(name.removeprefix("^"))
        if known is None:
            raise _NoExpression(f"[:{name}:]")
        return (_inverted(known) if name.startswith("^") else known), end + 2
    if text.startswith("\\", at):
        letter = text[at + 1 : at + 2]
        if letter.lower() in _PERL:
            known = _NAMED[_PERL[letter.lower()]]
            return (known if letter.islower() else _inverted(known)), at + 2
        if letter in ("s", "S"):
            blank = ((9, 10), (12, 13), (32, 32))
            return (blank if letter == "s" else _inverted(blank)), at + 2
    return None


def _class_character(text: str, at: int) -> tuple[int, int]:
    if text[at] != "\\":
        return ord(text[at]), at + 1
    if at + 1 >= len(text):
        raise _NoExpression("trailing \\")
    return _literal(text[at + 1]), at + 2


def _inverted(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    gaps = []
    start = 0
    for low, high in ranges:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, _LAST_RUNE))


def _hex(rune: int) -> str:
    return f"\\U{rune:08x}"
