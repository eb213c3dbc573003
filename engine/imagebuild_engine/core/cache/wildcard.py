"""Go's `path.Match` on one path component, with which BuildKit expands the sources of COPY and ADD."""

from functools import lru_cache

_SPECIAL = frozenset("*?[\\")


class BadWildcard(ValueError):
    """A pattern that is malformed, such as one with an unclosed bracket."""

    def __init__(self, pattern: str) -> None:
        super().__init__(f'"{pattern}" is not a valid wildcard pattern')
        self.pattern = pattern


def has_wildcards(path: str) -> bool:
    """Would BuildKit expand this source (fsutil, containsWildcards)? An escaped character alone does not count."""
    escaped = False
    for character in path:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "*?[":
            return True
    return False


def wildcard_match(pattern: str, name: str) -> bool:
    """Does the whole name match? `*` and `?` never match a slash. Raises BadWildcard."""
    tokens = _tokens(pattern)
    # The classical two-pointer walk: on a mismatch, the last star takes one character more. No backtracking blow-up.
    token, position, star, resume = 0, 0, -1, 0
    while position < len(name):
        if token < len(tokens) and tokens[token] is None:
            star, resume = token, position
            token += 1
        elif token < len(tokens) and _accepts(tokens[token], name[position]):
            token += 1
            position += 1
        elif star >= 0 and name[resume] != "/":
            resume += 1
            token, position = star + 1, resume
        else:
            return False
    return all(item is None for item in tokens[token:])


_Class = tuple[bool, tuple[tuple[str, str], ...]]
_ANY: _Class = (True, (("/", "/"),))


def _accepts(token: _Class | None, character: str) -> bool:
    assert token is not None
    negated, ranges = token
    return any(low <= character <= high for low, high in ranges) != negated


@lru_cache(maxsize=256)
def _tokens(pattern: str) -> tuple[_Class | None, ...]:
    """A star is None, everything else a class of characters."""
    found: list[_Class | None] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        match character:
            case "*":
                found.append(None)
            case "?":
                found.append(_ANY)
            case "[":
                token, position = _class(pattern, position)
                found.append(token)
            case "\\":
                if position == len(pattern):
                    raise BadWildcard(pattern)
                found.append((False, ((pattern[position], pattern[position]),)))
                position += 1
            case _:
                found.append((False, ((character, character),)))
    return tuple(found)


def _class(pattern: str, position: int) -> tuple[_Class, int]:
    negated = pattern[position : position + 1] == "^"
    position += negated
    ranges: list[tuple[str, str]] = []
    while True:
        if pattern[position : position + 1] == "]" and ranges:
            return (negated, tuple(ranges)), position + 1
        low, position = _class_character(pattern, position)
        high = low
        if pattern[position : position + 1] == "-":
            high, position = _class_character(pattern, position + 1)
        ranges.append((low, high))


def _class_character(pattern: str, position: int) -> tuple[str, int]:
    character = pattern[position : position + 1]
    if character == "\\":
        position += 1
        character = pattern[position : position + 1]
    elif character in ("-", "]"):
        raise BadWildcard(pattern)
    if not character or position + 1 >= len(pattern):
        raise BadWildcard(pattern)
    return character, position + 1
