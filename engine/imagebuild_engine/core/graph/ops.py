"""What a vertex does: BuildKit's ops (solver/pb/ops.proto), as far as Dockerfiles use them.

An op is a value. It says everything that its cache key depends on and nothing else; where its inputs come from is the
vertex's business. Input numbers are positions in `Vertex.inputs`; -1 means an empty tree.
"""

from dataclasses import dataclass
from enum import IntEnum

from ..oci import Digest, Platform, Reference

SCRATCH = -1
"""The input number of an empty tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """The tree of an image. `digest` is what the reference resolves to at top level: the index digest for an index."""

    reference: Reference
    digest: Digest
    platform: Platform
    diff_ids: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSource:
    """A directory of the client, such as the build context. Only the content of what is read from it counts."""

    name: str


class MountKind(IntEnum):
    BIND = 0
    SECRET = 1
    SSH = 2
    CACHE = 3
    TMPFS = 4


class NetworkMode(IntEnum):
    """What a RUN step may reach. UNSET is what the surroundings have."""

    UNSET = 0
    HOST = 1
    NONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount of a RUN step. The root is the mount at `/`; its output 0 is the step's result."""

    destination: str
    input: int = 0
    output: int = SCRATCH
    selector: str = ""
    readonly: bool = False
    kind: MountKind = MountKind.BIND


ROOT_MOUNT = Mount(destination="/", input=0, output=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecOp:
    """A RUN step. `user` is the raw text of USER; `env` is ordered and part of the key."""

    args: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    platform: Platform
    user: str = ""
    mounts: tuple[Mount, ...] = (ROOT_MOUNT,)
    network: NetworkMode = NetworkMode.UNSET
    hostname: str = ""
    proxy_env: tuple[str, ...] = ()
    """Proxy settings that the step gets besides `env`. No part of the key: they differ from place to place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserById:
    """An owner given as a number (`root` is number 0)."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UserByName:
    """An owner looked up in the tree of an input of the op (SCRATCH: cannot be found)."""

    name: str
    input: int = 0


Owner = UserById | UserByName


@dataclass(frozen=True, slots=True, kw_only=True)
class Chown:
    """New owner of files; a member that is None is left as it is (for group: follows the user, as docker has it)."""

    user: Owner | None = None
    group: Owner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyAction:
    """Copy `source` of input `source_input` to `destination` in input `input`; paths are absolute.

    `mode` is -1 where --chmod was not given. The booleans have the names and the meaning of pb.FileActionCopy.
    """

    source: str
    destination: str
    source_input: int
    input: int
    output: int
    owner: Chown | None = None
    mode: int = -1
    follow_symlink: bool = True
    dir_copy_contents: bool = True
    unpack_archive: bool = False
    create_dest_path: bool = True
    allow_wildcard: bool = True
    allow_empty_wildcard: bool = True
    timestamp: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class MkdirAction:
    """Make a directory (and its parents). `timestamp` is in nanoseconds, -1 for now."""

    path: str
    input: int
    output: int
    mode: int = 0o755
    make_parents: bool = True
    owner: Chown | None = None
    timestamp: int = -1


FileAction = CopyAction | MkdirAction


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOp:
    """COPY, ADD, WORKDIR: actions one after the other.

    Numbers in an action: 0 … inputs-1 are the vertex's inputs, inputs+i is the result of action i, -1 is scratch.
    `output` is -1 except for the action whose result is the vertex's (0).
    """

    actions: tuple[FileAction, ...]


Op = ImageSource | LocalSource | ExecOp | FileOp
