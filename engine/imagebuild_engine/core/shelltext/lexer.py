"""A text as tokens of the shell (POSIX, 2.3, Token Recognition), with the blank space and the comments between them.

The tokens put together again are the text. Words are never looked into: they are taken over byte for byte.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from .words import Doubt, Words


class Kind(Enum):
    WORD = auto()
    OPERATOR = auto()
    BLANK = auto()
    """Spaces, tabs and continued lines, in any mixture that has at least one space or tab."""
    COMMENT = auto()
    """Up to the end of its line: a backslash there continues nothing."""
    NEWLINE = auto()
    BODY = auto()
    """A here-document with the line that ends it."""


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    raw: str

    @property
    def redirects(self) -> bool:
        return self.kind is Kind.OPERATOR and ("<" in self.raw or ">" in self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class _HereDocument:
    name: str
    quoted: bool
    tabs: bool
    """`<<-`: tabs before the name do not count."""


# Control characters are no text. An ASCII character behind one beyond ASCII may be its second half in the encodings
# of East Asia, and a blank of the locale could stand before a `#`.
_STRANGE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|[^\x00-\x7f][#\\`|]")
_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_OPERATOR = re.compile(r"<<<|<<-?|<[&>]?|>>|>[&|]?|&&|&>>?|&|\|[|&]?|;;&?|;&?|\(|\)")
_NAME_BEFORE_PARENTHESES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SUBSCRIPT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[")
_SUBSCRIPT_CLOSED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[[^][\"'\\`]*\]")
_DELIMITER = re.compile(r"[ \t]*(?:'([A-Za-z0-9_.-]+)'|\"([A-Za-z0-9_.-]+)\"|\\?([A-Za-z0-9_.-]+))(?=[ \t\n;&|<>()])")
_EXPANDED_LINE = re.compile(r"(?:[^`$\\\n]|\$(?![({\[])|\$\{[A-Za-z0-9_]+\}|\\[^\n])*")
_COMMENT_IN_SUBSTITUTION = re.compile(r"#[A-Za-z0-9_ \t.,:!?/=+-]*")


def tokens(text: str) -> Iterator[Token]:
    """Raises Doubt where a shell might read the text differently."""
    if strange := _STRANGE.search(text):
        raise Doubt(f"a character that the shells may take differently: {strange[0]!r}")
    return Lexer(text).tokens()


class Lexer:
    """One pass; `at` is where it is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._words = Words(text, self._substitution_end)
        self._pending: list[_HereDocument] = []
        self._in_test = False
        """In `[[ … ]]`, where bash reads words by rules of its own."""

    def __repr__(self) -> str:
        return f"<Lexer at {self.at} of {len(self.text)}>"

    def tokens(self, depth: int = 0) -> Iterator[Token]:
        """To the end of the text or, in a substitution, to the parenthesis that closes it."""
        previous = before_blank = Token(Kind.NEWLINE, "")
        open_ = 0
        while self.at < len(self.text):
            start = self.at
            kind = self._read(previous, before_blank, depth)
            token = Token(kind, self.text[start : self.at])
            if depth and token.kind is Kind.OPERATOR:
                open_ += {"(": 1, ")": -1}.get(token.raw, 0)
                if open_ < 0:
                    return
            yield token
            if kind is Kind.NEWLINE:
                yield from self._bodies(depth)
            if kind is not Kind.BLANK:
                before_blank = token
            previous = token
        if depth or self._pending:
            raise Doubt("a substitution or a here-document is not closed")

    def _read(self, previous: Token, before_blank: Token, depth: int) -> Kind:
        """Go past the next token."""
        text, at = self.text, self.at
        if blank := _BLANK.match(text, at):
            self.at = blank.end()
            self._check_blank(blank[0], previous)
            return Kind.BLANK
        if text[at] == "\n":
            self.at = at + 1
            return Kind.NEWLINE
        if text[at] == "#":
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end
            self._check_comment(text[at : self.at], before_blank, depth)
            return Kind.COMMENT
        if operator := _OPERATOR.match(text, at):
            self.at = operator.end()
            self._check_operator(operator[0], previous, depth)
            return Kind.OPERATOR
        self.at = self._words.end(at, depth)
        self._check_word(text[at : self.at], depth)
        return Kind.WORD

    def _check_blank(self, raw: str, previous: Token) -> None:
        if "\n" not in raw:
            return
        if " " not in raw and "\t" not in raw:
            raise Doubt("a line is continued within a token")
        if previous.kind is Kind.NEWLINE or self.text[self.at : self.at + 1] in ("", "\n", "#"):
            raise Doubt("a line is continued that is empty")
        if self._pending:
            raise Doubt("a line is continued before a here-document")

    def _check_comment(self, raw: str, before_blank: Token, depth: int) -> None:
        if before_blank.redirects:
            raise Doubt("a comment in place of a file's name")
        if self._in_test:
            raise Doubt("a comment in [[ ]]")
        if depth and (not _COMMENT_IN_SUBSTITUTION.fullmatch(raw) or "case" in raw):
            # bash before 5.2 looks for the end of a substitution by simpler rules.
            raise Doubt("a comment in a substitution")

    def _check_operator(self, raw: str, previous: Token, depth: int) -> None:
        if raw == "(":
            if self.text.startswith("(", self.at):
                raise Doubt("arithmetic, or a subshell in a subshell")
            function = self.text.startswith(")", self.at) and _NAME_BEFORE_PARENTHESES.fullmatch(previous.raw)
            if previous.kind is Kind.WORD and not function:
                raise Doubt("a pattern or a list of bash's, in which blanks may count")
        if raw in ("<<", "<<-"):
            delimiter = _DELIMITER.match(self.text, self.at)
            if depth or delimiter is None:
                raise Doubt("a here-document in a substitution, or with an unusual end")
            quoted, double_quoted, plain = delimiter.groups()
            self._pending.append(
                _HereDocument(
                    name=quoted or double_quoted or plain,
                    quoted=plain is None or "\\" in delimiter[0],
                    tabs=raw == "<<-",
                )
            )

    def _check_word(self, raw: str, depth: int) -> None:
        if self._pending and "\n" in raw:
            raise Doubt("a word goes on where a here-document should begin")
        if depth and raw in ("case", "esac"):
            raise Doubt("a parenthesis of `case` in a substitution")
        if raw == "=~":
            raise Doubt("a regular expression, in which blanks may count")
        if raw in ("[[", "]]"):
            self._in_test = raw == "[["
        if _SUBSCRIPT.match(raw) and not _SUBSCRIPT_CLOSED.match(raw):
            raise Doubt("an array's subscript, in which blanks may count")

    def _substitution_end(self, at: int, depth: int) -> int:
        self.at = at
        if self._pending:
            raise Doubt("a substitution on the line of a here-document")
        outside, self._in_test = self._in_test, False
        for _ in self.tokens(depth):
            pass
        self._in_test = outside
        return self.at

    def _bodies(self, depth: int) -> Iterator[Token]:
        """The here-documents that the line before has begun."""
        pending, self._pending = self._pending, []
        if pending and depth:
            raise Doubt("a here-document in a substitution")
        for document in pending:
            start = self.at
            while not self._ends(document):
                pass
            yield Token(Kind.BODY, self.text[start : self.at])

    def _ends(self, document: _HereDocument) -> bool:
        """Go past one line. Is it the last one?"""
        if self.at >= len(self.text):
            raise Doubt("a here-document has no end")
        newline = self.text.find("\n", self.at)
        end = len(self.text) if newline < 0 else newline
        line = self.text[self.at : end]
        self.at = min(end + 1, len(self.text))
        if (line.lstrip("\t") if document.tabs else line) == document.name:
            return True
        if not document.quoted and not _EXPANDED_LINE.fullmatch(line):
            raise Doubt("a substitution in a here-document")
        return False
