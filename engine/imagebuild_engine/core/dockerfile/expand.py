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

from collections.abc import Mapping
from dataclasses import dataclass, field

from .blanks import SPACE
from .errors import ExpansionError
from .shellpattern import BadShellPattern, ShellPattern, without_suffix

_MAX_DEPTH = 64
_MAX_LENGTH = 1 << 20
_SPECIAL = "@*#?-$!0"
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a word became, whole and split, and which variables it asked for."""

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    unset: frozenset[str]


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """The word without quotes and with its variables; blanks in it stay. Raises ExpansionError."""
    return expansion(word, env, escape=escape).text


def expand_words(word: str, env: Mapping[str, str], *, escape: str = "\\") -> list[str]:
    """The same, split at blanks that no quote or escape protects. Nothing but blanks or `""` gives no word."""
    return list(expansion(word, env, escape=escape).words)


def expansion(word: str, env: Mapping[str, str], *, escape: str = "\\") -> Expansion:
    """Both, with the variables that were found in `env` and those that were not."""
    return Lexer(word, env, escape=escape).run()


def expansion_of_body(text: str, env: Mapping[str, str]) -> Expansion:
    """A heredoc's body: variables and escapes as in a word, but quotes are ordinary characters."""
    return Lexer(text, env, quotes=False).run()


@dataclass(slots=True)
class _Words:
    """Words in the making."""

    done: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Text whose blanks split."""
        for char in text:
            if char in SPACE:
                self.finish()
            else:
                self.current.append(char)

    def add_raw(self, text: str) -> None:
        if text:
            self.current.append(text)

    def finish(self) -> None:
        if self.current:
            self.done.append("".join(self.current))
            self.current = []


class Lexer:
    """One walk over one word. The raw options serve the search for heredocs, which must see quotes as written."""

    def __init__(
        self,
        word: str,
        env: Mapping[str, str],
        *,
        escape: str = "\\",
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        keep_unset: bool = False,
        quotes: bool = True,
    ) -> None:
        self._word = word
        self._text = word.removeprefix(_BYTE_ORDER_MARK)
        self._at = 0
        self._depth = 0
        self._env = env
        self._escape = escape
        self._raw_quotes = raw_quotes
        self._raw_escapes = raw_escapes
        self._keep_unset = keep_unset
        self._quotes = quotes
        self._used: set[str] = set()
        self._unset: set[str] = set()

    def run(self) -> Expansion:
        text, words = self._until("", self._raw_escapes)
        if len(text) > _MAX_LENGTH:
            raise self._error(f"the result is longer than {_MAX_LENGTH} characters")
        return Expansion(text=text, words=words, used=frozenset(self._used), unset=frozenset(self._unset))

    def _error(self, reason: str) -> ExpansionError:
        return ExpansionError(self._word, reason)

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
        while char := self._peek():
            if char == stop:
                break
            if char == "$":
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
        while char := self._peek():
            if char == '"':
                self._at += 1
                text = "".join(result)
                return f'"{text}"' if self._raw_quotes else text
            if char == "$":
                result.append(self._dollar())
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
        try:
            if sign == "%":
                return without_suffix(pattern, value or "", longest=longest)
            return ShellPattern.compile(pattern).without_prefix(value or "", longest=longest)
        except BadShellPattern as error:
            raise self._error(f'invalid pattern "{pattern}": {error}') from None

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._at += 1
        pattern, _ = self._until("/", raw_escapes=True, in_pattern=True)
        replacement, _ = self._until("}", raw_escapes=True)
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}/{pattern}/{replacement}}}"
        try:
            compiled = ShellPattern.compile(pattern)
            replace = compiled.replace_all if every else compiled.replace
            return replace(value or "", replacement)
        except BadShellPattern as error:
            raise self._error(f'invalid pattern "{pattern}": {error}') from None

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
