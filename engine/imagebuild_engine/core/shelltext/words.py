"""Where a word of the shell ends: quotes, escapes and substitutions (POSIX, Shell Command Language, 2.2, 2.3 and 2.6).

The shells agree about most words. Where dash, bash and busybox do not, or where one of them changed its mind, the
answer is Doubt: guessing the end of a word wrongly would take a quoted `#` for a comment.
"""

import re
from collections.abc import Callable

DEPTH = 32
"""Substitutions in substitutions, at most."""

_PLAIN = re.compile(r"[^ \t\n;&|<>()'\"\\$`]+")
_IN_DOUBLE_QUOTES = re.compile(r"[^\"\\$`]+")
_IN_OPERAND = re.compile(r"[^}{'\"\\$`\n<>]+|[<>](?!\()")
_IN_ARITHMETIC = re.compile(r"(?:[A-Za-z0-9_]#?|[-+*/%<>=!&|^~?:, \t])+")
_SUBJECT = r"(?:[A-Za-z_][A-Za-z0-9_]*(?:\[(?:[@*]|[0-9]+)\])?|[0-9]+|[@*])"
_WHOLE_PARAMETER = re.compile(rf"\$\{{(?:#?{_SUBJECT}|[#?$!-]|{_SUBJECT}: ?-?[0-9]+(?:: ?-?[0-9]+)?)\}}")
_PARAMETER_WITH_OPERAND = re.compile(rf"\$\{{{_SUBJECT}(?::?[-=+?]|##?|%%?|//?|\^\^?|,,?)")
_BACKQUOTES = re.compile(r"`(?:[^`\\\n#'\"<(]|'[^`'\\\n]*'|\"[^`\"\\\n]*\")*`")
_BACKQUOTES_IN_DOUBLE_QUOTES = re.compile(r"`[^`\\\n#'\"<(]*`")
_SPECIAL = frozenset("@*#?$!-0123456789")


class Doubt(Exception):
    """The text is not understood, or not by every shell in the same way."""


class Words:
    """The words of one text. `commands` gives the end of the command list that begins at a place, at a depth."""

    def __init__(self, text: str, commands: Callable[[int, int], int]) -> None:
        self._text = text
        self._commands = commands

    def __repr__(self) -> str:
        return f"<Words of {len(self._text)} characters>"

    def end(self, at: int, depth: int) -> int:
        """Where the word that begins at `at` ends; `at` itself if none begins there."""
        text = self._text
        while at < len(text):
            match text[at]:
                case "'":
                    at = self._single(at)
                case '"':
                    at = self._double(at, depth)
                case "\\":
                    at = self._escaped(at)
                case "$" | "`":
                    at = self._expansion(at, depth, quoted=False)
                case _:
                    plain = _PLAIN.match(text, at)
                    if plain is None:
                        return at
                    at = plain.end()
        return at

    def _single(self, at: int) -> int:
        end = self._text.find("'", at + 1)
        if end < 0:
            raise Doubt("a quote is not closed")
        return end + 1

    def _double(self, at: int, depth: int) -> int:
        text = self._text
        at += 1
        while at < len(text):
            match text[at]:
                case '"':
                    return at + 1
                case "\\":
                    at += 2
                case "$" | "`":
                    at = self._expansion(at, depth, quoted=True)
                case _:
                    at = _matched(_IN_DOUBLE_QUOTES, text, at)
        raise Doubt("a quote is not closed")

    def _escaped(self, at: int) -> int:
        if self._text[at + 1 : at + 2] in ("", "\n"):
            raise Doubt("a line is continued within a word")
        return at + 2

    def _expansion(self, at: int, depth: int, *, quoted: bool) -> int:
        text = self._text
        if depth > DEPTH:
            raise Doubt("substitutions are nested too deeply")
        if text[at] == "`":
            return _matched(_BACKQUOTES_IN_DOUBLE_QUOTES if quoted else _BACKQUOTES, text, at)
        match text[at + 1 : at + 2]:
            case "(":
                if text.startswith("((", at + 1):
                    return self._arithmetic(at, depth)
                return self._commands(at + 2, depth + 1)
            case "{":
                return self._parameter(at, depth, quoted=quoted)
            case "'" if not quoted:
                # bash knows escapes in it, dash does not.
                end = self._single(at + 1)
                if "\\" in text[at:end]:
                    raise Doubt("the shells disagree about $'…' with escapes")
                return end
            case "[" | "\\":
                raise Doubt("an old form of arithmetic, or a line continued within a substitution")
            case special if special in _SPECIAL:
                return at + 2
            case _:
                return at + 1

    def _parameter(self, at: int, depth: int, *, quoted: bool) -> int:
        """`${…}`. What bash alone has and what can name another variable is not understood."""
        text = self._text
        if whole := _WHOLE_PARAMETER.match(text, at):
            return whole.end()
        at = _matched(_PARAMETER_WITH_OPERAND, text, at)
        while at < len(text):
            match text[at]:
                case "}":
                    return at + 1
                case "\\":
                    at = self._escaped(at)
                case "$":
                    at = self._expansion(at, depth + 1, quoted=quoted)
                case "'" if not quoted:
                    at = self._single(at)
                case '"' if not quoted:
                    at = self._double(at, depth + 1)
                case _:
                    at = _matched(_IN_OPERAND, text, at)
        raise Doubt("${ is not closed")

    def _arithmetic(self, at: int, depth: int) -> int:
        """`$((…))`, or a command substitution that begins with a subshell: both end at the same place."""
        text = self._text
        at += 3
        open_ = 0
        while at < len(text):
            match text[at]:
                case "(":
                    open_ += 1
                    at += 1
                case ")" if open_:
                    open_ -= 1
                    at += 1
                case ")":
                    if not text.startswith("))", at):
                        raise Doubt("neither arithmetic nor a command")
                    return at + 2
                case "$":
                    at = self._expansion(at, depth + 1, quoted=True)
                case _:
                    at = _matched(_IN_ARITHMETIC, text, at)
        raise Doubt("$(( is not closed")


def _matched(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where the pattern, which must match here, ends."""
    found = pattern.match(text, at)
    if found is None:
        raise Doubt(f"not understood at {at}")
    return found.end()
