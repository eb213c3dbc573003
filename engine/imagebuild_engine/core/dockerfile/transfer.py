"""COPY and ADD: sources, destination, and which sources are not files.

Words may hold variables, so what can be refused here is what no variable can change; the frontend asks `octal_mode` and
`remote_kind` again about the expanded words.
"""

from __future__ import annotations

import re
from typing import Literal

from .errors import DockerfileError, ExpansionError, not_supported
from .expand import expand
from .flags import FlagSet, Kind
from .heredoc import heredoc_of_word
from .instructions import Add, Copy
from .source import Location

_ADD_FLAGS = FlagSet(
    instruction="ADD",
    known={"chown": Kind.TEXT, "chmod": Kind.TEXT},
    refused={
        "link": Kind.SWITCH,
        "keep-git-dir": Kind.TEXT,  # as texts, so that `=false` is refused too: it says something about the source
        "unpack": Kind.TEXT,
        "checksum": Kind.TEXT,
        "exclude": Kind.TEXTS,
    },
)
_COPY_FLAGS = FlagSet(
    instruction="COPY",
    known={"from": Kind.TEXT, "chown": Kind.TEXT, "chmod": Kind.TEXT},
    refused={"link": Kind.SWITCH, "parents": Kind.SWITCH, "exclude": Kind.TEXTS},
)
_HTTP = re.compile(r"https?://")
_GIT = re.compile(r"(git|ssh)://", re.IGNORECASE)
_GIT_OVER_HTTP = re.compile(r"https?://[^?#]*\.git(/?[?#].*)?", re.IGNORECASE | re.DOTALL)
_SCP_STYLE = re.compile(r"[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:[^?#]*.*", re.DOTALL)
_OCTAL = re.compile(r"[0-7]+")
_SYMBOLIC = re.compile(r"[ugoa]*[-+=][rwxXstugo]*([-+=,][ugoarwxXst=+-]*)*")


def parse_copy(flags: tuple[str, ...], words: tuple[str, ...], location: Location, text: str) -> Copy:
    sources, destination = _sources_and_destination("COPY", words)
    values = _COPY_FLAGS.parse(flags)
    for source in sources:
        if (kind := remote_kind(source)) is not None:
            raise DockerfileError(f"COPY {source}: a source of COPY cannot be a {_REMOTE[kind]}")
    from_ = values.get("from") or None
    if from_ is not None and _expanded(from_) != from_:
        raise DockerfileError(
            f"COPY --from={from_}: variables are not expanded here",
            hint="name a stage: FROM with a global ARG in it, and copy from that stage",
        )
    return Copy(
        sources=sources,
        destination=destination,
        from_=from_,
        chown=values.get("chown") or None,
        chmod=_mode("COPY", values.get("chmod") or None),
        location=location,
        text=text,
    )


def parse_add(flags: tuple[str, ...], words: tuple[str, ...], location: Location, text: str) -> Add:
    sources, destination = _sources_and_destination("ADD", words)
    values = _ADD_FLAGS.parse(flags)
    for source in sources:
        if (kind := remote_kind(source)) is not None:
            raise not_supported(f"ADD of a {_REMOTE[kind]} ({source})")
    return Add(
        sources=sources,
        destination=destination,
        chown=values.get("chown") or None,
        chmod=_mode("ADD", values.get("chmod") or None),
        location=location,
        text=text,
    )


def _expanded(word: str) -> str | None:
    try:
        return expand(word, {})
    except ExpansionError:
        return None


_REMOTE = {"http": "URL", "git": "Git repository"}


def remote_kind(source: str) -> Literal["http", "git"] | None:
    """Whether an (expanded) source names something to be fetched: a URL, a Git repository; None is a path."""
    if source.startswith(("./", "../", "/")):
        return None
    if _GIT.match(source) or _GIT_OVER_HTTP.fullmatch(source) or _SCP_STYLE.fullmatch(source):
        return "git"
    return "http" if _HTTP.match(source) else None


def octal_mode(value: str) -> int:
    """The number of an (expanded) `--chmod`. DockerfileError without place if it is symbolic or nothing at all."""
    if _OCTAL.fullmatch(value):
        digits = value.lstrip("0")
        if len(digits) <= 4:
            return int(digits or "0", 8)
    elif _SYMBOLIC.fullmatch(value):
        raise not_supported(f"--chmod={value} (symbolic mode)")
    raise DockerfileError(f"invalid --chmod={value}: it must be an octal number between 0 and 07777")


def _mode(instruction: str, value: str | None) -> str | None:
    """The raw word. What is wrong already, variables or not, raises now."""
    if value is not None and not any(c in value for c in "$'\"\\`"):
        try:
            octal_mode(value)
        except DockerfileError as error:
            raise DockerfileError(error.message.replace("--chmod", f"{instruction} --chmod", 1)) from None
    return value


def _sources_and_destination(instruction: str, words: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    if len(words) < 2:
        given = "none was given" if not words else "only one was given"
        raise DockerfileError(f"{instruction} requires at least two arguments, source and destination; {given}")
    for word in words:
        if _is_heredoc(word):
            raise not_supported(f"{instruction} {word} (heredoc)")
    return words[:-1], words[-1]


def _is_heredoc(word: str) -> bool:
    try:
        return heredoc_of_word(word) is not None
    except ExpansionError:
        return False
