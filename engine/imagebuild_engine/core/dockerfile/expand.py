"""Quotes and variables: of a word, and of a heredoc's body. The rules are the lexer's."""

from __future__ import annotations

from collections.abc import Mapping

from .lexer import Expansion, Lexer


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """The word without quotes and with its variables; blanks in it stay. Raises ExpansionError."""
    return expansion(word, env, escape=escape).text


def expand_words(word: str, env: Mapping[str, str], *, escape: str = "\\") -> list[str]:
    """The same, split at blanks that no quote or escape protects. Nothing but blanks or `""` gives no word."""
    return list(expansion(word, env, escape=escape).words)


def expansion(word: str, env: Mapping[str, str], *, escape: str = "\\") -> Expansion:
    """Both, with the variables that were found in `env` and those that were not."""
    return Lexer(word, env, escape=escape).run()


def expand_document(text: str, env: Mapping[str, str]) -> str:
    """The body of a heredoc of COPY or ADD: quotes are characters, the escape character is always `\\` and vanishes.

    Raises ExpansionError.
    """
    return document_expansion(text, env).text


def document_expansion(text: str, env: Mapping[str, str]) -> Expansion:
    """The same with the names that were used. Raises ExpansionError."""
    return Lexer(text, env, quotes=False).run()
