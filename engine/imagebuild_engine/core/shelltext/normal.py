"""The normal form: the shell's words and operators as they are, one blank where there were several, no comment."""

from collections.abc import Iterable, Iterator

from .lexer import Kind, Token, tokens
from .observers import Observed, observed
from .words import Doubt

LIMIT = 128 * 1024
"""Bytes of one argument, with its final zero: the kernel takes no longer one (MAX_ARG_STRLEN, execve(2))."""


def normalize(text: str) -> str | None:
    """The text that all texts share which differ from it by comments and blank space that no shell heeds.

    It is its own normal form. None: in doubt, only the exact text will do.
    """
    if len(text.encode("utf-8", "surrogatepass")) >= LIMIT:
        return None  # it cannot be run; a shorter one could
    try:
        read = list(tokens(text))
        _check_end(read)
    except Doubt:
        return None
    match observed(read):
        case Observed.TEXT:
            return None
        case Observed.LINES:
            normal = "".join(_with_all_lines(read))
        case Observed.NOTHING:
            normal = "".join(_without_empty_lines(_with_all_lines(read)))
    return None if not normal.strip("\n") or normal.startswith(("-", "+")) else normal


def _check_end(read: list[Token]) -> None:
    """A shell may run its last command in its own place, if it sees that nothing follows: one newline or none."""
    last = max((number for number, token in enumerate(read) if _is_read(token)), default=-1)
    end = read[last + 1 :]
    newlines = [token for token in end if token.kind is Kind.NEWLINE]
    after_document = bool(end) and read[last].kind is Kind.BODY
    if after_document or len(newlines) > 1 or (newlines and end[-1].kind is not Kind.NEWLINE):
        raise Doubt("something follows the last line")


def _is_read(token: Token) -> bool:
    return token.kind in (Kind.WORD, Kind.OPERATOR, Kind.BODY)


def _with_all_lines(read: list[Token]) -> Iterator[str]:
    """The pieces of the text, comments and needless blanks taken out; every line stays on its number."""
    line_begins = True
    blank = ""
    for token in read:
        match token.kind:
            case Kind.BLANK:
                blank = "" if line_begins else " " + "\\\n" * token.raw.count("\n")
            case Kind.COMMENT:
                blank = ""
            case Kind.NEWLINE:
                yield "\n"
                blank, line_begins = "", True
            case Kind.WORD | Kind.OPERATOR:
                yield from (blank, token.raw)
                blank, line_begins = "", False
            case Kind.BODY:
                yield token.raw


def _without_empty_lines(pieces: Iterable[str]) -> Iterator[str]:
    """The same without empty lines and continued ones."""
    line_begins = True
    for piece in pieces:
        if piece == "\n" and line_begins:
            continue
        yield " " if piece.startswith(" \\\n") else piece
        line_begins = piece.endswith("\n")
