"""Quotes and variables of one word, as BuildKit's shell lexer processes them (frontend/dockerfile/shell/lex.go).

    word        = { '…' | "…" | $name | ${…} | escaped character | character }
    $name       letters, digits, `_`; or one special parameter (`$@ $* $# $? $- $$ $!`); or digits only
    ${name}     ${name-w} ${name+w} ${name?w}   unset;   with `:` before the sign: unset or empty
    ${name#p}   ${name##p} ${name%p} ${name%%p} without prefix or suffix;  ${name/p/r} ${name//p/r} replaced

Habits kept: an unset variable is empty; `\\` before an ordinary character vanishes outside of quotes and stays in
double quotes; `w` is itself processed; a lone `$` stays; words are split after expansion, so values' blanks split too.
One is not kept: when BuildKit splits, it forgets what stands before `${name:-w}` in a word (`80${X:-80}` gives `80`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .blanks import SPACE
from .errors import ExpansionError
from .shellpattern import BadShellPattern, ShellPattern, without_suffix
from .source import printable

_MAX_DEPTH = 64
_MAX_LENGTH = 1 << 20
_MAX_WORK = 1 << 21
"""Characters that all patterns of one word may look at."""
_PLAIN = re.compile(r"[^$'\"<\\`}/]+")
_PLAIN_IN_QUOTES = re.compile(r'[^"$\\`]+')
_PIECE = re.compile(f"[{SPACE}]+|[^{SPACE}]+")
_SPECIAL = "@*#?-$!0"
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a word became, whole and split, and which variables it asked for."""

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    unset: frozenset[str]


@dataclass(slots=True)
class _Words:
    """Words in the making."""

    done: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Text whose blanks split."""
        for piece in _PIECE.findall(text):
            if piece[0] in SPACE:
                self.finish()
            else:
                self.current.append(piece)

    def add_raw(self, text: str) -> None:
        if text:
            self.current.append(text)

    def finish(self) -> None:
        if self.current:
            self.done.append("".join(self.current))
            self.current = []


class Lexer:
    """One walk over one word. The raw options serve the search for heredocs, which must see quotes as written.

    Without `quotes` these are ordinary characters.
    """

    def __init__(
        self,
        word: str,
        env: Mapping[str, str],
        *,
        escape: str = "\\",
        quotes: bool = True,
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
    ) -> None:
        self._word = word
        self._text = word.removeprefix(_BYTE_ORDER_MARK)
        self._at = 0
        self._begun = 0
        self._depth = 0
        self._work = 0
        self._quotes = quotes
        self._env = env
        self._escape = escape
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_unset = keep_unset
        self._used: set[str] = set()
        self._unset: set[str] = set()

    def run(self) -> Expansion:
        text, words = self._until("", self._raw_escapes)
        return Expansion(text=text, words=words, used=frozenset(self._used), unset=frozenset(self._unset))

    def _error(self, reason: str) -> ExpansionError:
        return ExpansionError(self._word, reason, self._text[self._begun : max(self._at, self._begun + 1)])

    def _grown(self, length: int) -> None:
        if length > _MAX_LENGTH:
            raise self._error(f"the result is longer than {_MAX_LENGTH} characters")

    def _peek(self) -> str:
        """The next character; empty at the end, which no `in "…"` test may be asked."""
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _until(self, stop: str, raw_escapes: bool, *, in_pattern: bool = False) -> tuple[str, tuple[str, ...]]:
        """Processes up to `stop`, which it consumes, or to the end if that is empty.

        In a pattern, which is read once more later, an escape character that quotes made literal is doubled.
        """
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"${{…}} nested deeper than {_MAX_DEPTH}")
        outer, self._raw_escapes = self._raw_escapes, raw_escapes
        result: list[str] = []
        words = _Words()
        length = 0
        while char := self._peek():
            if char == stop:
                break
            if self._depth == 1:
                self._begun = self._at
            if plain := _PLAIN.match(self._text, self._at):
                piece = plain[0]
                self._at = plain.end()
                words.add(piece)
            elif char == "$":
                piece = self._dollar()
                words.add(piece)
            elif char == "'" and self._quotes:
                piece = self._single_quoted(in_pattern)
                words.add_raw(piece)
            elif char == '"' and self._quotes:
                piece = self._double_quoted(in_pattern)
                words.add_raw(piece)
            elif char == "<":
                piece = self._less_than()
                words.add_raw(piece)
            elif char == self._escape:
                self._at += 1
                piece = (char if self._raw_escapes else "") + self._next()
                words.add_raw(piece)
            else:
                piece = self._next()
                words.add(piece)
            result.append(piece)
            length += len(piece)
            self._grown(length)
        if stop and not char:
            raise self._error(f'missing "{stop}"')
        self._at += 1
        words.finish()
        self._raw_escapes = outer
        self._depth -= 1
        return "".join(result), tuple(words.done)

    def _single_quoted(self, in_pattern: bool) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise self._error("missing closing single quote")
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        if in_pattern:
            text = text.replace(self._escape, self._escape * 2)
        return f"'{text}'" if self._raw_quotes else text

    def _double_quoted(self, in_pattern: bool) -> str:
        self._at += 1
        result: list[str] = []
        length = 0
        while char := self._peek():
            if char == '"':
                self._at += 1
                text = "".join(result)
                return f'"{text}"' if self._raw_quotes else text
            if char == "$":
                result.append(self._dollar())
                length += len(result[-1])
                self._grown(length)
                continue
            if plain := _PLAIN_IN_QUOTES.match(self._text, self._at):
                result.append(plain[0])
                self._at = plain.end()
                continue
            self._at += 1
            if char == self._escape:
                following = self._peek()
                if not following:
                    break
                if following in ('"', "$", self._escape):  # nothing else can be escaped here
                    if self._raw_escapes:
                        result.append(char)
                    char = self._next()
                elif self._raw_escapes and (in_pattern or not self._raw_quotes):
                    result.append(char)
            result.append(char)
        raise self._error("missing closing double quote")

    def _less_than(self) -> str:
        """`<<` with the blanks after it stays in one piece, so that a heredoc's `<< EOF` is one word."""
        start = self._at
        self._at += 1
        if self._peek() == "<":
            self._at += 1
            while self._peek() in ("\t", "\r", " "):
                self._at += 1
        return self._text[start : self._at]

    def _dollar(self) -> str:
        self._at += 1
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            value = self._lookup(name)
            return f"${name}" if value is None and self._keep_unset else value or ""
        self._at += 1
        if self._peek() == "":
            raise self._error('missing "}"')
        if self._peek() in "{}:":
            raise self._error("bad substitution")
        name = self._name()
        sign = self._next()
        match sign:
            case "":
                raise self._error('missing "}"')
            case "}":
                value = self._lookup(name)
                return f"${{{name}}}" if value is None and self._keep_unset else value or ""
            case "/":
                return self._replaced(name)
            case "#" | "%":
                return self._trimmed(name, sign)
            case "-" | "+" | "?":
                return self._alternative(name, sign, empty_is_unset=False)
            case ":":
                sign = self._next()
                if sign in ("-", "+", "?"):
                    return self._alternative(name, sign, empty_is_unset=True)
                sign = ":" + sign
        raise self._error(f'unsupported modifier "{sign}" in substitution')

    def _alternative(self, name: str, sign: str, *, empty_is_unset: bool) -> str:
        word, _ = self._until("}", raw_escapes=False)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}{':' if empty_is_unset else ''}{sign}{word}}}"
        missing = value is None or (empty_is_unset and value == "")
        match sign:
            case "-":
                return word if missing else value or ""
            case "+":
                return "" if missing else word
        if missing:
            reason = word or f"is not allowed to be {'unset' if value is None else 'empty'}"
            raise self._error(f"{name}: {reason}")
        return value or ""

    def _trimmed(self, name: str, sign: str) -> str:
        word, _ = self._until("}", raw_escapes=True, in_pattern=True)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}{sign}{word}}}"
        longest = word.startswith(sign)
        pattern = word[1:] if longest else word
        if sign == "%":
            return self._matched(pattern, value or "", lambda text: without_suffix(pattern, text, longest=longest))
        return self._matched(
            pattern, value or "", lambda text: ShellPattern.compile(pattern).without_prefix(text, longest=longest)
        )

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._at += 1
        pattern, _ = self._until("/", raw_escapes=True, in_pattern=True)
        replacement, _ = self._until("}", raw_escapes=True)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"

        def replace(text: str) -> str:
            compiled = ShellPattern.compile(pattern)
            return compiled.replace_all(text, replacement) if every else compiled.replace(text, replacement)

        return self._matched(pattern, value or "", replace)

    def _matched(self, pattern: str, value: str, match: Callable[[str], str]) -> str:
        """What `match` makes of the value, within the work that a word may cause."""
        self._work += len(value) + len(pattern)
        if self._work > _MAX_WORK:
            raise self._error("its patterns are too much work")
        try:
            return match(value)
        except BadShellPattern as error:
            raise self._error(f'invalid pattern "{printable(pattern, 60)}": {error}') from None

    def _name(self) -> str:
        start = self._at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._at += 1
        elif first and first in _SPECIAL:
            self._at += 1
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self._at += 1
        return self._text[start : self._at]

    def _lookup(self, name: str) -> str | None:
        value = self._env.get(name)
        (self._unset if value is None else self._used).add(name)
        return value
