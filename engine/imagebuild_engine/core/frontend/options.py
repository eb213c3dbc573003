"""What a Dockerfile is lowered with, and what comes out."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from ..graph import Edge, HostAddress, NetworkMode, Ulimit, Vertex
from ..oci import Descriptor, Digest, HistoryEntry, ImageConfig, Platform, Reference, RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """The caller's part of a build's definition."""

    platform: Platform
    build_platform: Platform
    platform_requested: bool = False
    """Did the caller name the platform? If not, the image says of itself what its base image says."""
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    all_stages: bool = False
    """Lower the stages that the target does not need as well, so that nothing wrong in them stays unseen."""
    no_cache: bool = False
    no_cache_stages: Set[str] = frozenset()
    """Stages, by their names in lower case, whose steps run even where a result is known (--no-cache-filter)."""
    contexts: Mapping[str, str] = field(default_factory=dict)
    """Named contexts (--build-context): `docker-image://REFERENCE`, a URL, a repository, or `local:NAME` for a
    directory that the caller has under that name. Names are in their short form (`alpine`, not `alpine:latest`)."""
    allow_insecure: bool = False
    """May a step ask for all privileges (--allow security.insecure)?"""
    network: NetworkMode = NetworkMode.UNSET
    hostname: str = ""
    extra_hosts: tuple[HostAddress, ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    cgroup_parent: str = ""
    shm_size: int = 0
    """Bytes of a step's /dev/shm; 0 is the default."""
    cache_namespace: str = ""
    """Stands before the ids of cache mounts."""
    source_date_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A name in the Dockerfile, and the platform that it is wanted for."""

    reference: Reference
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedImage:
    """What a name in the Dockerfile stands for. `digest` is the top-level one: an index's for an index."""

    reference: Reference
    digest: Digest
    platform: Platform
    config: ImageConfig
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """What a URL gave: the digest of its bytes and the `Last-Modified` of the answer, empty without one."""

    checksum: Digest
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A revision of a Git repository as the Dockerfile names it; an empty `ref` is the default branch."""

    remote: str
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedCommit:
    """What a revision stands for: the commit, and the full name of the ref (the commit itself if it was one).

    `tag` is the object of an annotated tag: it counts in the place of the commit where the .git directory is kept.
    """

    commit: str
    ref: str
    tag: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What is known by now of the world outside: lowering itself asks nobody."""

    images: Mapping[ImageRequest, PinnedImage] = field(default_factory=dict)
    files: Mapping[str, PinnedFile] = field(default_factory=dict)
    """By URL. A URL whose checksum the Dockerfile states is never asked for."""
    commits: Mapping[CommitRequest, PinnedCommit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsPins:
    """These must be pinned before lowering can go on. ONBUILD triggers may add more the next time."""

    images: tuple[ImageRequest, ...] = ()
    files: tuple[str, ...] = ()
    commits: tuple[CommitRequest, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.images or self.files or self.commits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A Dockerfile as a graph. `target` None is an empty image.

    `history` has the base image's entries with their times and ours without; `steps` are the vertices that people
    know as steps, in the order of the Dockerfile.
    """

    target: Edge | None
    config: RunConfig
    platform: Platform
    history: tuple[HistoryEntry, ...]
    steps: tuple[Vertex, ...]
    author: str = ""
    stages: tuple[int, ...] = ()
    """Which stages the target rests on, itself included, in the order of the file; none that a context replaces."""
    base_layers: int = 0
    """How many of the image's layers are its base image's."""
