"""The patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*` any text, `?` one character, neither crossing a line's end.

BuildKit makes regular expressions of them. Here they run as a set of states in the bits of an integer (Shift-And), so a
pattern full of stars costs no more than its length times the value's. The answers are the same: with pieces between
stars, leftmost-first and longest (or, not greedy, shortest) fall together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEMPLATE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_MAX_LENGTH = 1 << 20
_MAX_PATTERN = 1024


class BadShellPattern(ValueError):
    """A pattern with an escape that escapes nothing, one too long, or one that makes the result explode."""


@dataclass(frozen=True, slots=True)
class ShellPattern:
    """Compiled: bit i of a mask stands for the pattern's i-th token; bit `size` is the end."""

    size: int
    literal: dict[str, int]
    single: int
    star: int

    @classmethod
    def compile(cls, pattern: str) -> ShellPattern:
        if len(pattern) > _MAX_PATTERN:
            raise BadShellPattern(f"it is longer than {_MAX_PATTERN} characters")
        literal: dict[str, int] = {}
        single = star = size = 0
        at = 0
        while at < len(pattern):
            char = pattern[at]
            bit = 1 << size
            if char == "*":
                if star & bit >> 1:
                    size -= 1  # two stars are one
                else:
                    star |= bit
            elif char == "?":
                single |= bit
            else:
                if char == "\\":
                    at += 1
                    char = pattern[at : at + 1]
                    if not char or char not in "*?\\}/":
                        raise BadShellPattern(f'invalid escape "\\{char}"')
                literal[char] = literal.get(char, 0) | bit
            size += 1
            at += 1
        return cls(size, literal, single, star)

    def end_of_match(self, value: str, start: int = 0, *, longest: bool = True) -> int | None:
        """Where a match that begins at `start` ends, or None."""
        accept = 1 << self.size
        active = self._closure(1)
        end = start if active & accept else None
        if end is not None and not longest:
            return end
        for at in range(start, len(value)):
            active = self._step(active, value[at])
            if not active:
                break
            if active & accept:
                end = at + 1
                if not longest:
                    break
        return end

    def without_prefix(self, value: str, *, longest: bool) -> str:
        """`${x#p}`."""
        return value[self.end_of_match(value, longest=longest) or 0 :]

    def replace(self, value: str, replacement: str) -> str:
        """`${x/p/r}`: the first match. The replacement is taken as it is."""
        for start in self._starts(value):
            end = self.end_of_match(value, start)
            if end is not None:
                return value[:start] + replacement + value[end:]
        return value

    def replace_all(self, value: str, replacement: str) -> str:
        """`${x//p/r}`: all matches, by Go's ReplaceAllString: `$name` in the replacement is a group, so vanishes."""
        parts: list[str] = []
        done = length = 0
        search_from = 0
        for start in self._starts(value):
            if start < search_from:
                continue
            end = self.end_of_match(value, start)
            if end is None:
                continue
            parts.append(value[done:start])
            if end > done or start == 0:  # no empty match right behind another match
                parts.append(_fill(replacement, value[start:end]))
                length += len(parts[-1])
                if length > _MAX_LENGTH:
                    raise BadShellPattern(f"the result is longer than {_MAX_LENGTH} characters")
            done = end
            search_from = max(end, search_from + 1)
        parts.append(value[done:])
        return "".join(parts)

    def _closure(self, active: int) -> int:
        return active | (active & self.star) << 1

    def _step(self, active: int, char: str) -> int:
        if char == "\n":
            return self._closure((active & self.literal.get(char, 0)) << 1)
        moved = (active & (self.literal.get(char, 0) | self.single)) << 1
        return self._closure(moved | active & self.star)

    def _starts(self, value: str) -> list[int]:
        """All positions where some match begins, ascending: found by running the reversed pattern backwards."""
        backwards = self._reversed()
        accept = 1 << self.size
        active = backwards._closure(1)
        starts = [len(value)] if active & accept else []
        for at in range(len(value) - 1, -1, -1):
            active = backwards._step(active, value[at]) | backwards._closure(1)
            if active & accept:
                starts.append(at)
        return starts[::-1]

    def _reversed(self) -> ShellPattern:
        def flip(mask: int) -> int:
            return int(f"{mask:0{self.size}b}"[::-1], 2) if self.size else 0

        return ShellPattern(
            self.size, {c: flip(mask) for c, mask in self.literal.items()}, flip(self.single), flip(self.star)
        )


def without_suffix(pattern: str, value: str, *, longest: bool) -> str:
    """`${x%p}`: the prefix rule on pattern and value written backwards."""
    return ShellPattern.compile(_backwards(pattern)).without_prefix(value[::-1], longest=longest)[::-1]


def _backwards(pattern: str) -> str:
    """`a\\*c` → `c\\*a`."""
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join(reversed(tokens))


def _fill(template: str, matched: str) -> str:
    """Go's Regexp.Expand without groups: `$0` is the match, `$$` a dollar, any other name nothing."""
    return _TEMPLATE.sub(lambda m: "$" if m[1] else matched if (m[2] or m[3]) == "0" else "", template)
