"""Heredocs (`RUN <<EOF`): which words of a line begin one, what ends it, and what its body is worth.

BuildKit finds them with its shell lexer (frontend/dockerfile/parser/parser.go) and always with `\\` as escape
character. RUN, COPY and ADD have them, also as triggers of ONBUILD, but no instruction in JSON form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from .errors import ExpansionError
from .instructions import HereDocument, Run, ShellForm
from .lexer import Lexer
from .words import json_form, split_statement

_WORD = re.compile(r"[0-9]*<<(-?)[\t\n\f\r ]*([^<]*)")
_LEADING_TABS = re.compile(r"^\t+", re.MULTILINE)
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """`3<<-"EOF"`: the word that ends it, whether leading tabs go, whether variables in its body are expanded."""

    written: str
    name: str
    chomp: bool
    expand: bool


def heredocs_begun(line: str, escape: str) -> tuple[Heredoc, ...]:
    """The heredocs whose bodies follow a joined line, in order. Raises DockerfileError without place."""
    if "<<" not in line:
        return ()
    statement = split_statement(line, escape)
    if statement.name.lower() == "onbuild":
        statement = split_statement(statement.rest, escape)
    if statement.name.lower() not in ("run", "copy", "add") or json_form(statement.rest) is not None:
        return ()
    try:
        words = Lexer(line, _NOTHING, raw_quotes=True, raw_escapes=True, keep_unset=True).run().words
    except ExpansionError:
        return ()  # so in BuildKit: a line whose quotes do not close begins none
    return tuple(heredoc for word in words if (heredoc := _heredoc_of_word(word)) is not None)


def heredoc_of_word(word: str) -> Heredoc | None:
    """The heredoc that a word of COPY or ADD is, or None."""
    try:
        return _heredoc_of_word(word)
    except ExpansionError:
        return None


def _heredoc_of_word(word: str) -> Heredoc | None:
    match = _WORD.fullmatch(word)
    if match is None or not match[2]:
        return None
    plain = Lexer(match[2], _NOTHING, keep_unset=True).run().words
    if len(plain) != 1:
        return None
    raw = Lexer(match[2], _NOTHING, raw_quotes=True, keep_unset=True).run().words
    return Heredoc(
        written=word,
        name=plain[0],
        chomp=match[1] == "-",
        expand=_quotes(plain[0]) == _quotes("".join(raw)),
    )


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def chomped(document: HereDocument) -> str:
    """The body, for `<<-` without the tabs that its lines begin with."""
    return _LEADING_TABS.sub("", document.text) if document.chomp else document.text


def content_text(document: HereDocument, expand: Callable[[str], str]) -> str:
    """What COPY and ADD write: tabs go first, then variables are expanded unless the name was quoted.

    `expand` is `expand_document` in the stage's scope; its ExpansionError passes.
    """
    text = chomped(document)
    return expand(text) if document.expand else text


def sole_heredoc(run: Run) -> HereDocument | None:
    """The body that is the command itself, as in `RUN <<EOF`; None if the shell is to see the heredocs."""
    if run.heredocs and isinstance(run.command, ShellForm) and heredoc_of_word(run.command.text) is not None:
        return run.heredocs[0]
    return None
