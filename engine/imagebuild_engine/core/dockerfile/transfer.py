"""COPY and ADD: sources, destination, heredocs, and which sources are not files.

Words may hold variables, so nothing is refused here that depends on their value: the frontend asks `parse_mode` and
`remote_kind` about the expanded words.
"""

from __future__ import annotations

from typing import Literal

from .errors import DockerfileError, ExpansionError
from .expand import expand
from .flags import FlagSet, Kind
from .gitref import parse_git_reference
from .heredoc import heredoc_of_word
from .instructions import Add, Copy, HereDocument
from .source import Location

_SHARED_FLAGS = {"chown": Kind.TEXT, "chmod": Kind.TEXT, "link": Kind.SWITCH, "exclude": Kind.TEXTS}
_ADD_FLAGS = FlagSet(
    instruction="ADD",
    known=_SHARED_FLAGS | {"keep-git-dir": Kind.SWITCH, "checksum": Kind.TEXT, "unpack": Kind.SWITCH},
)
_COPY_FLAGS = FlagSet(instruction="COPY", known=_SHARED_FLAGS | {"from": Kind.TEXT, "parents": Kind.SWITCH})


def parse_copy(
    flags: tuple[str, ...],
    words: tuple[str, ...],
    heredocs: tuple[HereDocument, ...],
    location: Location,
    text: str,
) -> Copy:
    _need_two("COPY", words)
    values = _COPY_FLAGS.parse(flags)
    sources, contents, destination = _sort("COPY", words, heredocs)
    from_ = values.text("from")
    if from_ is not None and _expanded(from_) != from_:
        raise DockerfileError(
            f"COPY --from={from_}: variables are not expanded here",
            hint="name a stage: FROM with a global ARG in it, and copy from that stage",
            word="--from",
        )
    return Copy(
        sources=sources,
        contents=contents,
        destination=destination,
        from_=from_,
        chown=values.text("chown"),
        chmod=values.text("chmod"),
        link=values.switch("link") or False,
        parents=values.switch("parents") or False,
        exclude=values.texts("exclude"),
        location=location,
        text=text,
    )


def parse_add(
    flags: tuple[str, ...],
    words: tuple[str, ...],
    heredocs: tuple[HereDocument, ...],
    location: Location,
    text: str,
) -> Add:
    _need_two("ADD", words)
    values = _ADD_FLAGS.parse(flags)
    sources, contents, destination = _sort("ADD", words, heredocs)
    return Add(
        sources=sources,
        contents=contents,
        destination=destination,
        chown=values.text("chown"),
        chmod=values.text("chmod"),
        link=values.switch("link") or False,
        exclude=values.texts("exclude"),
        checksum=values.text("checksum"),
        keep_git_dir=values.switch("keep-git-dir"),
        unpack=values.switch("unpack"),
        location=location,
        text=text,
    )


def _need_two(instruction: str, words: tuple[str, ...]) -> None:
    if len(words) < 2:
        given = "none was given" if not words else "only one was given"
        raise DockerfileError(f"{instruction} requires at least two arguments, source and destination; {given}")


def _sort(
    instruction: str, words: tuple[str, ...], heredocs: tuple[HereDocument, ...]
) -> tuple[tuple[str, ...], tuple[HereDocument, ...], str]:
    """Files, heredocs, destination.

    As in BuildKit a heredoc's body is looked up by its name, so of two with one name the last counts, and one without
    a body, as in the JSON form, is an empty file.
    """
    *sources, destination = words
    if heredoc_of_word(destination) is not None:
        raise DockerfileError(f"{instruction} cannot accept a heredoc as its destination", word=destination)
    bodies = {document.name: document.text for document in heredocs}
    files: list[str] = []
    contents: list[HereDocument] = []
    for source in sources:
        heredoc = heredoc_of_word(source)
        if heredoc is None:
            files.append(source)
        else:
            text = bodies.get(heredoc.name, "")
            contents.append(HereDocument(name=heredoc.name, text=text, chomp=heredoc.chomp, expand=heredoc.expand))
    return tuple(files), tuple(contents), destination


def _expanded(word: str) -> str | None:
    try:
        return expand(word, {})
    except ExpansionError:
        return None


def remote_kind(source: str) -> Literal["http", "git"] | None:
    """Whether an (expanded) source names something to be fetched: a URL, a Git repository; None is a path.

    Raises DockerfileError without place for a Git reference whose query is wrong.
    """
    reference = parse_git_reference(source)
    if reference is not None and not reference.like_a_path:
        return "git"
    return "http" if source.startswith(("http://", "https://")) else None
