"""COPY and ADD: instructions that become a file op, one action for each source (dockerfile2llb/convert_copy.go)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from ..dockerfile import Add, Copy, DockerfileError, HereDocument, Location, content_text, parse_mode
from ..graph import SCRATCH, Chown, CopyAction, Edge, FileOp, MkfileAction, UserByName
from ..patterns import has_wildcards
from .owner import chown
from .paths import absolute, relative_to
from .sources import RemoteFile, RemoteTree, Sources
from .stage import StageState

_PLAIN: dict[str, Any] = {
    "follow_symlink": False,
    "dir_copy_contents": False,
    "allow_wildcard": False,
    "allow_empty_wildcard": False,
}
"""What was fetched or written by us is copied as it is: no links followed, no patterns."""


@dataclass(frozen=True)
class _Part:
    """One source: its path in the tree that it lies in, that tree, and how it is copied."""

    path: str
    tree: Edge | None
    how: dict[str, Any] = field(default_factory=dict)


def transfer(state: StageState, instruction: Copy | Add, source: Edge | None, sources: Sources) -> None:
    """`source` is what paths are copied from; None is an empty tree.

    Where a URL or repository is not pinned yet, `sources` notes it, and the instruction is left out.
    """
    location, name = instruction.location, type(instruction).__name__.upper()
    written = _expanded(state, instruction)
    _check(state, written, name)
    found = _parts(state, written, source, sources)
    if found is None:
        return
    linked = written.link and not written.chmod
    number, inputs = (SCRATCH, ()) if linked else state.on_tree()
    owner = chown(written.chown, number) if written.chown else None
    if linked and owner is not None and _named(owner):
        raise state.error(
            f"{name} --chown={written.chown}: names cannot be looked up with --link; give numbers", location
        )
    for part in found:
        if part.tree is not None and part.tree not in inputs:
            inputs = (*inputs, part.tree)
    last = len(found) - 1
    destination = relative_to(state.config.working_dir, written.destination)
    actions = tuple(
        CopyAction(
            source=part.path,
            destination=destination,
            source_input=SCRATCH if part.tree is None else inputs.index(part.tree),
            input=number if position == 0 else len(inputs) + position - 1,
            output=0 if position == last else SCRATCH,
            owner=owner,
            exclude_patterns=written.exclude,
            **_mode(state, written.chmod, location),
            **part.how,
        )
        for position, part in enumerate(found)
    )
    op = FileOp(actions=actions)
    if linked:
        state.link(op, inputs, instruction.text, location)
    else:
        state.step(op, inputs, instruction.text, location)
    state.commit(_history(name, written), layer=True)


def _expanded(state: StageState, instruction: Copy | Add) -> Copy | Add:
    """The instruction with its variables. (BuildKit expands none in --exclude.)"""

    def expand(word: str) -> str:
        return state.expand(word, instruction.location)

    changes: dict[str, Any] = {
        "sources": tuple(map(expand, instruction.sources)),
        "destination": expand(instruction.destination),
        "chown": expand(instruction.chown) if instruction.chown else None,
        "chmod": expand(instruction.chmod) if instruction.chmod else None,
    }
    if isinstance(instruction, Add) and instruction.checksum:
        changes["checksum"] = expand(instruction.checksum)
    return replace(instruction, **changes)


def _check(state: StageState, written: Copy | Add, name: str) -> None:
    destination = written.destination
    several = len(written.sources) + len(written.contents) > 1
    if several and not (destination.endswith(("/", "/.")) or destination in ("", ".", "..")):
        raise state.error(f"{name}: with several sources the destination must end with a slash", written.location)
    if "" in written.sources:
        raise state.error(f"{name}: a source is empty", written.location)
    if isinstance(written, Add) and written.checksum and len(written.sources) != 1:
        raise state.error("ADD --checksum goes with exactly one source", written.location)


def _parts(state: StageState, written: Copy | Add, source: Edge | None, sources: Sources) -> list[_Part] | None:
    """Paths, URLs and repositories in their order, then heredocs. None if some must be pinned first."""
    found: list[_Part] = []
    for text in written.sources:
        remote = _remote(state, written, text, sources)
        if remote is None:
            found.append(_path(state, written, text, source))
            continue
        sources.need(remote)
        if not sources.missing:
            found.append(_fetched(written, remote, sources))
    if sources.missing:
        return None
    found += (_document(state, document, written.location) for document in written.contents)
    return found


def _remote(state: StageState, written: Copy | Add, text: str, sources: Sources) -> RemoteFile | RemoteTree | None:
    if isinstance(written, Copy):
        if sources.remote(text, written.location) is not None:
            raise state.error(f'COPY: "{text}" is a URL; only ADD can fetch', written.location)
        return None
    checksum = written.checksum or ""
    remote = sources.remote(text, written.location, checksum=checksum, keep_git_dir=written.keep_git_dir)
    if checksum and remote is None:
        raise state.error("ADD --checksum goes with a URL or a Git repository", written.location)
    return remote


def _fetched(written: Copy | Add, remote: RemoteFile | RemoteTree, sources: Sources) -> _Part:
    tree = sources.edge(remote, written.location)
    if isinstance(remote, RemoteTree):
        return _Part("/", tree, _PLAIN)
    unpack = isinstance(written, Add) and bool(written.unpack)
    return _Part("/" + remote.filename, tree, {**_PLAIN, "unpack_archive": unpack})


def _path(state: StageState, written: Copy | Add, text: str, source: Edge | None) -> _Part:
    if isinstance(written, Copy) and written.parents:
        # `a/./b`: what stands before the pivot is no part of the path that is kept.
        before, pivot, after = text.partition("/./")
        start, kept = (absolute(before), after) if pivot else ("/", text)
        pattern = kept if kept.startswith("/") else absolute(kept)
        plain = not has_wildcards(start) and not has_wildcards(pattern)
        how: dict[str, Any] = {
            "include_patterns": (pattern.removeprefix("/"),),
            "required_paths": (absolute(f"{start}/{pattern}"),) if plain else (),
        }
        return _Part(start, source, how)
    unpack = isinstance(written, Add) and written.unpack is not False
    return _Part(absolute(text), source, {"unpack_archive": unpack})


def _document(state: StageState, document: HereDocument, location: Location) -> _Part:
    """A heredoc: a file of its own, in a tree of its own."""
    expand: Callable[[str], str] = lambda text: state.expand_document(text, location)  # noqa: E731
    path = absolute(document.name)
    action = MkfileAction(path=path, data=content_text(document, expand).encode(), input=SCRATCH, output=0)
    return _Part(path, state.internal(FileOp(actions=(action,)), "preparing inline document"), _PLAIN)


def _mode(state: StageState, text: str | None, location: Location) -> dict[str, Any]:
    if not text:
        return {}
    try:
        mode = parse_mode(text)
    except DockerfileError as error:
        raise error.at(location, state.dockerfile.source) from error
    return {"mode": mode.octal} if mode.octal is not None else {"mode": 0, "mode_text": text}


def _named(owner: Chown) -> bool:
    return isinstance(owner.user, UserByName) or isinstance(owner.group, UserByName)


def _history(name: str, written: Copy | Add) -> str:
    def words() -> Iterator[str]:
        yield name
        if isinstance(written, Copy) and written.parents:
            yield "--parents"
        if written.chown:
            yield f"--chown={written.chown}"
        if written.chmod:
            yield f"--chmod={written.chmod}"
        yield from written.sources
        yield from (f"<<{document.name}" for document in written.contents)
        yield written.destination

    return " ".join(words()) + " # buildkit"
