"""What a builder is asked for: a whole build as one value, the same from flags, a file or the operator.

The file is JSON with the member names below in camelCase. Unknown members are refused: a request from a newer
operator must not be half understood.
"""

from typing import Literal

import msgspec

VERSION = 1


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
    """One entry of the cache-from list, in order of preference. `kind` says who named it (for metrics)."""

    ref: str
    kind: Literal["previous", "imagebuild", "image", "selector"] = "image"


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Where the image goes. `images` are full references; the first is the main one."""

    images: tuple[str, ...] = ()
    push: bool = False
    oci_layout: str | None = None
    """A directory to write an OCI image layout to."""


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
    inline_cache: bool = True
    no_cache: bool = False
    cache_import_timeout_seconds: float = 30.0
    timeout_seconds: float | None = None
    insecure_registries: tuple[str, ...] = ()
    source_date_epoch: int | None = None
