"""RUN --mount: what a step sees besides its own tree (dockerfile2llb/convert_runmount.go and its neighbours)."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..dockerfile import DockerfileError, Location, Run, RunMount, expand_mount
from ..graph import (
    SCRATCH,
    CacheOption,
    CacheSharing,
    Chown,
    Edge,
    FileOp,
    HandedOption,
    MkdirAction,
    Mount,
    MountKind,
    SecretEnv,
    UserById,
)
from .options import BuildOptions
from .paths import absolute
from .stage import StageState

_SHARING = {"shared": CacheSharing.SHARED, "private": CacheSharing.PRIVATE, "locked": CacheSharing.LOCKED}
_SECRETS = "/run/secrets/"
_AGENT = "/run/buildkit/ssh_agent."
_SHM = "/dev/shm"  # noqa: S108
_OWNED = "/cache"


@dataclass(frozen=True)
class Mounted:
    """A mount and the tree that it shows; None is an empty one. The mount's input number is not set yet."""

    mount: Mount
    tree: Edge | None


@dataclass
class StepMounts:
    """All that one RUN asks for. Secrets and sockets come after the mounts of trees, in the order written."""

    mounts: list[Mounted] = field(default_factory=list)
    secrets: list[Mount] = field(default_factory=list)
    sockets: list[Mount] = field(default_factory=list)
    secret_env: tuple[SecretEnv, ...] = ()


def mounts_of(state: StageState, instruction: Run, options: BuildOptions, sources: Sequence[Edge | None]) -> StepMounts:
    """Raises DockerfileError for a mount that makes no sense."""
    found = StepMounts()
    for text, source in zip(instruction.mounts, sources, strict=True):
        try:
            mount = expand_mount(text, lambda word: state.expand(word, instruction.location))
        except DockerfileError as error:
            raise error.at(instruction.location, state.dockerfile.source) from error
        match mount.type:
            case "secret":
                _add_secret(state, found, mount, instruction.location)
            case "ssh":
                found.sockets.append(_socket(state, mount, len(found.sockets), instruction.location))
            case _:
                found.mounts.append(_tree(state, mount, source, options, instruction.location))
    if options.shm_size:
        shm = Mount(destination=_SHM, kind=MountKind.TMPFS, size=options.shm_size)
        found.mounts.append(Mounted(shm, None))
    return found


def _tree(
    state: StageState, mount: RunMount, source: Edge | None, options: BuildOptions, location: Location
) -> Mounted:
    target = mount.target
    if not posixpath.isabs(posixpath.normpath(target)):
        target = posixpath.normpath(posixpath.join("/", state.config.working_dir, target))
    if target == "/":
        raise state.error(f'RUN --mount: the target "{mount.target or target}" is the root', location)
    made = Mount(destination=target, readonly=mount.readonly)
    match mount.type:
        case "tmpfs":
            return Mounted(replace(made, kind=MountKind.TMPFS, size=mount.size), None)
        case "cache":
            name = mount.id or posixpath.normpath(mount.target or ".")
            option = CacheOption(id=f"{options.cache_namespace}/{name}", sharing=_SHARING[mount.sharing])
            made = replace(made, kind=MountKind.CACHE, option=option)
            source = source if mount.from_ is not None else None
    selected = absolute(mount.source)
    if selected != "/":
        return Mounted(replace(made, selector=selected), source)
    if (mount.uid, mount.gid, mount.mode) == (None, None, None):
        return Mounted(made, source)
    return Mounted(replace(made, selector=_OWNED), _owned(state, mount, source))


def _owned(state: StageState, mount: RunMount, source: Edge | None) -> Edge:
    """A cache's first content: a directory with the mode and the owner that were asked for."""
    action = MkdirAction(
        path=_OWNED,
        input=SCRATCH if source is None else 0,
        output=0,
        mode=0o755 if mount.mode is None else mount.mode & 0o777,
        make_parents=False,
        owner=Chown(user=UserById(id=mount.uid or 0), group=UserById(id=mount.gid or 0)),
    )
    inputs = () if source is None else (source,)
    return state.internal(FileOp(actions=(action,)), "setting cache mount permissions", inputs)


def _add_secret(state: StageState, found: StepMounts, mount: RunMount, location: Location) -> None:
    name = mount.source or mount.id or posixpath.basename(mount.target.rstrip("/"))
    if not name:
        raise state.error("RUN --mount=type=secret: one of id, source and target is needed", location)
    if mount.env is not None:
        variable = SecretEnv(id=name, name=mount.env, optional=not mount.required)
        found.secret_env = (*found.secret_env, variable)
        if not mount.target:
            return
    destination = mount.target or _SECRETS + posixpath.basename(name)
    option = _handed(mount, name, 0o400)
    found.secrets.append(Mount(destination=destination, input=SCRATCH, output=0, kind=MountKind.SECRET, option=option))


def _socket(state: StageState, mount: RunMount, number: int, location: Location) -> Mount:
    if mount.source:
        raise state.error("RUN --mount=type=ssh has no source", location)
    option = _handed(mount, mount.id, 0o600)
    destination = mount.target or f"{_AGENT}{number}"
    return Mount(destination=destination, input=SCRATCH, output=0, kind=MountKind.SSH, option=option)


def _handed(mount: RunMount, name: str, mode: int) -> HandedOption:
    return HandedOption(
        id=name,
        uid=mount.uid or 0,
        gid=mount.gid or 0,
        mode=mode if mount.mode is None else mount.mode,
        optional=not mount.required,
    )
