"""What a vertex does: BuildKit's ops (solver/pb/ops.proto), as far as Dockerfiles use them.

An op is a value. It says everything that its cache key depends on; what else it says (values that differ from place to
place, such as a proxy's address) is marked as no part of the key. Where its inputs come from is the vertex's business.
Input numbers are positions in `Vertex.inputs`; -1 means an empty tree.
"""

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSource:
    """A tree with one file, `/filename`, fetched from `url` (no part of the key).

    `checksum` is of the file's bytes. `last_modified` is the server's HTTP date as it stands there; empty if it gave
    none, and empty for a source whose checksum the Dockerfile pins: such a one is known without asking the server.
    """

    url: str
    filename: str
    checksum: Digest
    last_modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSource:
    """The tree of a commit, or of its directory `subdir`. `remote` is no part of the key.

    `ref` is the full name that the revision resolved to (`refs/heads/main`; the commit itself if it was one): it counts
    only where the `.git` directory is kept.
    """

    remote: str
    commit: str
    ref: str
    subdir: str = ""
    keep_git_dir: bool = False
    submodules: bool = True


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


class SecurityMode(IntEnum):
    """INSECURE: with all privileges that the engine itself has (`RUN --security=insecure`)."""

    SANDBOX = 0
    INSECURE = 1


class CacheSharing(IntEnum):
    """Who may use a cache mount's directory at the same time: all; each step its own; one after the other."""

    SHARED = 0
    PRIVATE = 1
    LOCKED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheOption:
    """`id` as BuildKit has it: a namespace, a slash, the mount's id (which defaults to its cleaned target)."""

    id: str
    sharing: CacheSharing = CacheSharing.SHARED


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOption:
    """A secret's or an ssh agent's mount. `id` is empty for an ssh mount that names none (the default agent)."""

    id: str
    uid: int = 0
    gid: int = 0
    mode: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount of a RUN step. The root is the mount at `/`; its output 0 is the step's result.

    `selector` is the path in the input that is mounted. `option` belongs to caches, secrets and ssh agents; `size` to a
    tmpfs, in bytes, 0 for no limit.
    """

    destination: str
    input: int = 0
    output: int = SCRATCH
    selector: str = ""
    readonly: bool = False
    kind: MountKind = MountKind.BIND
    option: CacheOption | HandedOption | None = None
    size: int = 0


ROOT_MOUNT = Mount(destination="/", input=0, output=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretEnv:
    """A secret that a step finds in its environment variable `name`."""

    id: str
    name: str
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """A resource limit (`nofile`, …); -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostAddress:
    """A line for /etc/hosts. Only the name is part of the key."""

    host: str
    address: str


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
    security: SecurityMode = SecurityMode.SANDBOX
    secret_env: tuple[SecretEnv, ...] = ()
    hostname: str = ""
    extra_hosts: tuple[HostAddress, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    normal_args: tuple[str, ...] | None = field(default=None, compare=False)
    """Other arguments that surely do the same, by which the step may be found as well (core/shelltext). They follow
    from the others and are no part of the key."""
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

    `mode` is -1 where --chmod was not given, and 0 beside a symbolic `mode_text`. `include_patterns` (of --parents)
    and `exclude_patterns` choose among what lies below `source`; `required_paths` must be there. The booleans have the
    names and the meaning of pb.FileActionCopy.
    """

    source: str
    destination: str
    source_input: int
    input: int
    output: int
    owner: Chown | None = None
    mode: int = -1
    mode_text: str = ""
    follow_symlink: bool = True
    dir_copy_contents: bool = True
    unpack_archive: bool = False
    create_dest_path: bool = True
    allow_wildcard: bool = True
    allow_empty_wildcard: bool = True
    timestamp: int = -1
    include_patterns: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    required_paths: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MkfileAction:
    """Write a file, a heredoc's text. `timestamp` is in nanoseconds, -1 for now."""

    path: str
    data: bytes
    input: int
    output: int
    mode: int = 0o644
    owner: Chown | None = None
    timestamp: int = -1


FileAction = CopyAction | MkdirAction | MkfileAction


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOp:
    """COPY, ADD, WORKDIR: actions one after the other.

    Numbers in an action: 0 … inputs-1 are the vertex's inputs, inputs+i is the result of action i, -1 is scratch.
    `output` is -1 except for the action whose result is the vertex's (0).
    """

    actions: tuple[FileAction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeOp:
    """The trees of all `count` inputs stacked, lowest first (`COPY --link`). No file is read for it."""

    count: int


Op = ImageSource | LocalSource | HttpSource | GitSource | ExecOp | FileOp | MergeOp
