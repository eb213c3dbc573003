"""What a Dockerfile is lowered with, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..graph import Edge, Vertex
from ..oci import Descriptor, Digest, HistoryEntry, ImageConfig, Platform, Reference, RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """The caller's part of a build's definition."""

    platform: Platform
    build_platform: Platform
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    source_date_epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedImage:
    """What a name in the Dockerfile stands for. `digest` is the top-level one: an index's for an index."""

    reference: Reference
    digest: Digest
    platform: Platform
    config: ImageConfig
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True)
class NeedsImages:
    """These names must be pinned before lowering can go on. ONBUILD triggers may add more the next time."""

    references: tuple[Reference, ...]


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
    base_layers: int = 0
    """How many of the image's layers are its base image's."""
