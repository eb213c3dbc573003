"""What a builder is asked for: a whole build as one value, the same from flags, a file or the operator.

The file is JSON with the member names below in camelCase. Unknown members are refused: a request from a newer
operator must not be half understood.
"""

from typing import Annotated, Literal

import msgspec

VERSION = 1

CacheType = Literal["registry", "local", "steps"]
SourceKind = Literal["previous", "imagebuild", "image", "selector", "shared"]
CacheTargetType = Literal["registry", "local", "attached", "steps"]


class GitSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A Git repository at a revision (branch, tag, full ref or commit). `depth` 0 means whole history."""

    url: str
    revision: str = "HEAD"
    depth: int = 1


class DirectorySource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A directory that is there already: on a laptop the context, in a pod a mounted ConfigMap."""

    path: str
    dereference: bool = False
    """Take what links point to (a ConfigMap volume is a farm of links)."""


class ArchiveSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A tar archive, compressed or not, or a Dockerfile alone: a file, or what an http(s) URL gives. Exactly one."""

    path: str = ""
    url: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Exactly one of the members."""

    git: GitSource | None = None
    directory: DirectorySource | None = None
    archive: ArchiveSource | None = None
    context_dir: str = "."


class Dockerfile(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where the Dockerfile is: a path in the context, or its text."""

    path: str = "Dockerfile"
    inline: str | None = None


class CacheSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One entry of the cache-from list, in order of preference. `kind` says who named it (for metrics).

    `ref` is an image reference; where the type is local, the directory of an OCI layout; where it is steps, the
    repository of a step cache, which is asked after all others. An image with inline records, its attached cache and a
    cache that is no image are read alike.
    """

    ref: str
    kind: SourceKind = "image"
    type: CacheType = "registry"
    digest: str = ""
    """Of a layout: the manifest; without it, the tag counts."""
    tag: str = ""
    """Of a layout: its name in index.json; without it `latest`, or else the only manifest there is."""


class CacheTarget(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A cache to write beside the image; `ref` as in CacheSource. What is inline is said by `inline_cache`.

    Mode min keeps the layers of the image, max those of every step of every stage. An attached cache, the image's
    referrer, has no `ref` (it lies where the image is pushed to); it and a step cache are always of mode max.
    """

    ref: str = ""
    type: CacheTargetType = "registry"
    mode: Literal["min", "max"] = "min"
    tag: str = "latest"
    """Of a layout: the name in index.json."""
    image_manifest: bool = True
    """An image manifest, as BuildKit writes since v0.21; else an index, which older registries may prefer."""
    oci_media_types: bool = True
    """Docker's media types are for indexes only."""
    ignore_error: bool = False
    """A cache that cannot be written is a warning and no failure of the build."""
    max_size: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Of an attached cache: bytes of layers that are not the image's own; 0 is no limit."""
    keep_cheap: bool = False
    """Of an attached cache: keep also the layers of steps that are sooner run again than pulled."""


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where the image goes. `images` are full references; the first is the main one."""

    images: tuple[str, ...] = ()
    push: bool = False
    oci_layout: str | None = None
    """A directory to write an OCI image layout to."""


class SecretSource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A secret that steps may ask for: never its value, but the file or the builder's variable that holds it.

    With neither, the variable named like the id.
    """

    id: Annotated[str, msgspec.Meta(min_length=1)]
    path: str | None = None
    env: str | None = None


class SshForward(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An ssh agent that steps may use: the socket of one that runs, or private key files for one of the builder's."""

    id: Annotated[str, msgspec.Meta(min_length=1)]
    paths: tuple[str, ...]


class HostEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A line that steps find in /etc/hosts."""

    host: str
    address: str


UlimitName = Literal[
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
]  # fmt: skip


class UlimitEntry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A resource limit of steps, as setrlimit has it; -1 is unlimited."""

    name: UlimitName
    soft: Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]
    hard: Annotated[int, msgspec.Meta(ge=-1, le=(1 << 63) - 1)]


Entitlement = Literal["network.host", "security.insecure"]


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One build."""

    source: Source
    output: Output = Output()
    version: Literal[1] = 1
    dockerfile: Dockerfile = Dockerfile()
    target: str = ""
    build_args: dict[str, str] = {}
    labels: dict[str, str] = {}
    platform: str = ""
    cache_from: tuple[CacheSource, ...] = ()
    cache_to: tuple[CacheTarget, ...] = ()
    inline_cache: bool = True
    """Records in the config of the image itself."""
    no_cache: bool = False
    no_cache_stages: tuple[str, ...] = ()
    """Stages whose steps run even where a result is known."""
    contexts: dict[str, str] = {}
    """Named contexts: `docker-image://REFERENCE`, a URL, a Git repository, or an absolute directory."""
    cache_import_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """How long the sources may keep the build waiting, all together: for the import and for what is fetched later."""
    cache_export_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 600.0
    """How long the writing of each cache beside the image may take."""
    cache_max_age_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Results that are older count as expired."""
    cache_trust: tuple[str, ...] | None = None
    """Which repositories may be believed: patterns of full names, `*` for a part of a name and `**` for any parts. None
    is all of them."""
    fail_on_import_error: bool = False
    """A cache source that cannot be used fails the build, with its reason."""
    timeout_seconds: float | None = None
    insecure_registries: tuple[str, ...] = ()
    source_date_epoch: int | None = None
    secrets: tuple[SecretSource, ...] = ()
    ssh: tuple[SshForward, ...] = ()
    allow: tuple[Entitlement, ...] = ()
    """What steps may ask for beyond the usual."""
    network: Literal["default", "host", "none"] = "default"
    """Of steps that say nothing of it."""
    extra_hosts: tuple[HostEntry, ...] = ()
    shm_size: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)] = 0
    """Bytes of a step's /dev/shm; 0 is 64 MiB."""
    ulimits: tuple[UlimitEntry, ...] = ()
    cgroup_parent: str = ""
    hostname: str = ""
