"""Finding heredocs (`RUN <<EOF`): which words of a line begin one, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .errors import ExpansionError
from .expand import Lexer

_WORD = re.compile(r"([0-9]*)<<(-?)[\t\n\f\r ]*([^<]*)")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """`3<<-"EOF"`: the word that ends it, whether leading tabs go, whether variables in its body are expanded."""

    name: str
    file_descriptor: int
    chomp: bool
    expand: bool


def heredocs_of_line(line: str) -> tuple[Heredoc, ...]:
    """The heredocs that the line begins, in order. A line whose quotes do not close begins none."""
    if "<<" not in line:
        return ()
    try:
        words = Lexer(line, _NOTHING, raw_quotes=True, raw_escapes=True, keep_unset=True).run().words
    except ExpansionError:
        return ()
    return tuple(heredoc for word in words if (heredoc := heredoc_of_word(word)) is not None)


def heredoc_of_word(word: str) -> Heredoc | None:
    """The heredoc that a word is, or None. Raises ExpansionError for a name with a quote that does not close."""
    match = _WORD.fullmatch(word)
    if match is None or not match[3]:
        return None
    plain = Lexer(match[3], _NOTHING, keep_unset=True).run().words
    if len(plain) != 1:
        return None
    raw = Lexer(match[3], _NOTHING, raw_quotes=True, keep_unset=True).run().words
    return Heredoc(
        name=plain[0],
        file_descriptor=int(match[1][:9] or "0"),
        chomp=match[2] == "-",
        expand=_quotes(plain[0]) == _quotes("".join(raw)),
    )


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')
