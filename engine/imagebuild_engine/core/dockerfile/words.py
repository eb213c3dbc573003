"""Taking one instruction's text apart: its name, flags, words, JSON array. Nothing is unquoted here but flags."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .blanks import GAP, SPACE
from .errors import DockerfileError
from .instructions import Command, ExecForm, ShellForm


@dataclass(frozen=True, slots=True)
class Statement:
    """`NAME --flag=value rest`. The name is as written, the rest without blanks at its ends."""

    name: str
    flags: tuple[str, ...]
    rest: str


def split_statement(line: str, escape: str) -> Statement:
    """Cuts a joined line. Flags are the words that start with `--` right after the name, up to a lone `--`."""
    name, *rest = GAP.split(line.strip(SPACE), maxsplit=1)
    if not rest:
        return Statement(name, (), "")
    flags, arguments = _split_flags(rest[0], escape)
    return Statement(name, flags, arguments.strip(SPACE))


def _split_flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """Leading `--x` words, without their quotes and escapes, and what follows them.

    BuildKit walks over bytes here and turns each into a character of its own, so a flag's non-ASCII letters come out
    garbled, and the bytes 85 and A0 separate words. Keys are made of the garbled text; hence Latin-1.
    """
    if not text.lstrip(SPACE).startswith("--"):
        return (), text
    octets = text.encode().decode("latin-1")
    flags: list[str] = []
    word: list[str] = []
    quote = ""
    in_word = quoted = False
    at = 0
    while at < len(octets):
        char = octets[at]
        if not in_word:
            if char in SPACE:
                at += 1
                continue
            if not octets.startswith("--", at):
                break
            in_word = True
        if not quote and char in SPACE:
            in_word = False
            if word == ["-", "-"]:
                break
            if word or quoted:
                flags.append("".join(word))
            word, quoted = [], False
        elif not quote and char in "'\"":
            quote, quoted = char, True
        elif quote and char == quote:
            quote = ""
        elif char == escape:
            at += 1
            if at < len(octets):  # an escape character at the very end vanishes
                word.append(octets[at])
        else:
            word.append(char)
        at += 1
    else:
        if in_word and word != ["-", "-"] and (word or quoted):
            flags.append("".join(word))
    try:
        return tuple(flags), octets[at:].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise DockerfileError("a flag ends in the middle of a character") from None


def split_words(text: str, escape: str) -> tuple[str, ...]:
    """The words of ENV, LABEL and ARG: blanks separate unless quoted or escaped; quotes and escapes stay in them."""
    words: list[str] = []
    word: list[str] = []
    quote = ""
    at = 0
    while at < len(text):
        char = text[at]
        if not quote and char in SPACE:
            if word:
                words.append("".join(word))
            word = []
        elif char == escape and quote != "'":
            if at + 1 < len(text):  # at the very end it vanishes
                word.append(text[at : at + 2])
            at += 1
        else:
            if not quote and char in "'\"":
                quote = char
            elif char == quote:
                quote = ""
            word.append(char)
        at += 1
    if word:
        words.append("".join(word))
    return tuple(words)


def plain_words(text: str) -> tuple[str, ...]:
    """Words between blanks, quotes meaning nothing."""
    return tuple(GAP.split(text)) if text else ()


def json_form(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array, or None if the text is not one: then it is a shell's or plain words.

    `RUN ["a", 'b']` is a shell command, as `[` is a program; but an array with something else than strings in it is an
    error, because nobody means that.
    """
    text = text.lstrip(SPACE)
    if not text.startswith("["):
        return None
    try:
        values = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(value, str) for value in values):
        raise DockerfileError("when using JSON array syntax, arrays must be comprised of strings only", word="[")
    return tuple(_without_surrogates(value) for value in values)


def command_of(text: str) -> Command:
    """A JSON array's arguments, or a shell's line."""
    args = json_form(text)
    return ShellForm(text) if args is None else ExecForm(args)


def _number(text: str) -> float:
    """Go's decoder fails on numbers beyond float64, and failing makes the text no JSON at all."""
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(text)
    return value


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _without_surrogates(text: str) -> str:
    """Half an escaped pair (`\\ud800`) becomes U+FFFD, as in Go."""
    return "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text)
