"""WORKDIR, COPY and ADD: instructions that become file ops."""

import posixpath
from dataclasses import replace

from ..dockerfile import Add, Copy, DockerfileError, Location, Workdir, octal_mode, remote_kind
from ..graph import SCRATCH, Chown, CopyAction, Edge, FileOp, MkdirAction, Owner, UserById, UserByName
from .options import BuildOptions
from .stage import StageState


def workdir(state: StageState, instruction: Workdir, options: BuildOptions) -> None:
    """The directory is made unless it is the root. An absolute path is kept as written, also where that is odd."""
    path = state.expand(instruction.path, instruction.location)
    path = path or state.config.working_dir or "/"
    if not path.startswith("/"):
        path = posixpath.normpath(posixpath.join("/", state.config.working_dir, path))
    state.config = replace(state.config, working_dir=path)
    made = absolute(path)
    if made == "/":
        state.commit(f"WORKDIR {path}")
        return
    number, inputs = state.on_tree()
    epoch = options.source_date_epoch
    action = MkdirAction(
        path=made,
        input=number,
        output=0,
        owner=_chown(state.config.user, number) if state.config.user else None,
        timestamp=-1 if epoch is None else epoch * 1_000_000_000,
    )
    state.step(FileOp(actions=(action,)), inputs, f"WORKDIR {path}", instruction.location)
    state.commit(f"WORKDIR {path}", layer=True)


def copy(state: StageState, instruction: Copy | Add, source: Edge | None) -> None:
    """One action for each source, one after the other in one op. `source` None, an empty tree, is refused."""
    location, name = instruction.location, type(instruction).__name__.upper()
    sources = [state.expand(word, location) for word in instruction.sources]
    destination = state.expand(instruction.destination, location)
    chown = state.expand(instruction.chown, location) if instruction.chown else ""
    chmod = state.expand(instruction.chmod, location) if instruction.chmod else ""
    if len(sources) > 1 and not (destination.endswith(("/", "/.")) or destination in ("", ".", "..")):
        raise state.error(f"{name}: with several sources the destination must end with a slash", location)
    for text in sources:
        _check_source(state, text, name, location)
    if source is None:
        raise state.error(f"{name}: the stage or image that it copies from is empty", location)

    number, inputs = state.on_tree()
    source_number = inputs.index(source) if source in inputs else len(inputs)
    inputs = inputs if source in inputs else (*inputs, source)
    target = relative_to(state.config.working_dir, destination)
    last = len(sources) - 1
    actions = tuple(
        CopyAction(
            source=absolute(text),
            destination=target,
            source_input=source_number,
            input=number if position == 0 else len(inputs) + position - 1,
            output=0 if position == last else SCRATCH,
            owner=_chown(chown, number) if chown else None,
            mode=_mode(state, chmod, location) if chmod else -1,
            unpack_archive=isinstance(instruction, Add),
        )
        for position, text in enumerate(sources)
    )
    state.step(FileOp(actions=actions), inputs, instruction.text, location)
    flags = (f" --chown={chown}" if chown else "") + (f" --chmod={chmod}" if chmod else "")
    state.commit(f"{name}{flags} {' '.join(sources)} {destination} # buildkit", layer=True)


def absolute(path: str) -> str:
    """Cleaned, below the root. (Two leading slashes are one here, unlike in POSIX.)"""
    return posixpath.normpath("/" + path.lstrip("/"))


def relative_to(directory: str, path: str) -> str:
    """An absolute destination; the slash or slash-dot at its end is kept, since it means a directory."""
    written = "./" if path in ("", ".") else path
    joined = written if written.startswith("/") else posixpath.join("/", directory, written)
    cleaned = absolute(joined)
    if written.endswith("/") and cleaned != "/":
        return cleaned + "/"
    if written.endswith("/."):
        return cleaned.rstrip("/") + "/."
    return cleaned


def _check_source(state: StageState, text: str, name: str, location: Location) -> None:
    if not text:
        raise state.error(f"{name}: a source is empty", location)
    kind = remote_kind(text)
    if kind is not None:
        what = "of a URL" if kind == "http" else "of a Git repository"
        if name == "COPY":
            raise state.error(f'COPY: "{text}" is a URL; only ADD can fetch', location)
        raise state.error(f"not supported yet: ADD {what}", location)


def _mode(state: StageState, text: str, location: Location) -> int:
    try:
        return octal_mode(text)
    except DockerfileError as error:
        raise error.at(location, state.dockerfile.source) from error


def _chown(text: str, tree: int) -> Chown:
    """`user[:group]`. Names are looked up in the tree that is copied to."""
    user, _, group = text.partition(":")
    return Chown(user=_owner(user, tree) if user else None, group=_owner(group, tree) if group else None)


def _owner(name: str, tree: int) -> Owner:
    if name == "root":
        return UserById(id=0)
    if name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < 2**31:
        return UserById(id=int(name))
    return UserByName(name=name, input=tree)
