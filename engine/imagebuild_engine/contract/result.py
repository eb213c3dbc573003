"""What a builder answers: the result of a build, whole (metadata file) or cut to 4,096 bytes (termination message)."""

from typing import Literal

import msgspec

from ..core.miss import MissReason
from .failure import Category, Reason

StepOutcome = Literal["hit", "miss", "uncacheable"]
ImportOutcome = Literal["used", "unused", "not_found", "unauthorized", "untrusted", "invalid", "timeout", "error"]
ExportOutcome = Literal["exported", "unchanged", "empty", "failed"]
"""Empty: there was nothing that it could have held."""


class StepResult(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction that makes a vertex. `source` is the cache source that a hit came from.

    `detail` says what differs from the best candidate that the cache sources have, `compared_with` (REF@DIGEST): up to
    five paths or names, and `more` counts those left out. A detail never holds a secret's or a variable's value.
    """

    number: int = 0
    """From 1, in the order of the Dockerfile."""
    inputs: tuple[int, ...] = ()
    """The numbers of the steps that it rests on directly, the one below it first."""
    stage: str
    line: int
    instruction: str
    outcome: StepOutcome
    source: str | None = None
    reason: MissReason | None = None
    detail: tuple[str, ...] = ()
    more: int = 0
    compared_with: str = ""
    seconds: float = 0.0
    saved_seconds: float = 0.0
    """Of a hit: how long the step took when it ran, as far as its cache says so."""
    bytes: int = 0
    """The compressed size of the layer that the step made, or that a hit stands for; 0 where nobody knows it."""


class CacheSourceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one cache source. `reason` is a short text for people, empty where all went well."""

    ref: str
    outcome: ImportOutcome
    kind: str = "image"
    digest: str | None = None
    reason: str = ""
    matched: int = 0
    seconds: float = 0.0


class CacheExportResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one cache that was to be written. `pushed` are bytes of layers that only the cache needed."""

    type: Literal["inline", "attached", "registry", "local", "steps"]
    outcome: ExportOutcome
    ref: str = ""
    digest: str | None = None
    reason: str = ""
    pushed: int = 0
    seconds: float = 0.0


class CacheResult(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over all steps, and the sources and targets in the order they were given.

    `fallbacks` counts promised results that were lost before they could be used. `reasons` counts the misses by their
    MissReason, all of them, also where the steps themselves had to be left out of a termination message.
    """

    total: int = 0
    hits: int = 0
    misses: int = 0
    uncacheable: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)
    sources: tuple[CacheSourceResult, ...] = ()
    exports: tuple[CacheExportResult, ...] = ()
    fallbacks: int = 0


class Bytes(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed layer bytes that moved; `reused` belong to layers that hits brought and nobody had to make."""

    pulled: int = 0
    pushed: int = 0
    mounted: int = 0
    reused: int = 0


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Wall time of the parts of a build. `import_` is called `import` on the wire."""

    source: float = 0.0
    context: float = 0.0
    import_: float = msgspec.field(default=0.0, name="import")
    build: float = 0.0
    export: float = 0.0
    total: float = 0.0


class ImageResult(msgspec.Struct, frozen=True, kw_only=True):
    """The image that was made. `size` is the sum of its compressed layers and config, in bytes."""

    digest: str
    config_digest: str
    media_type: str
    platform: str
    size: int
    refs: tuple[str, ...] = ()
    pushed: bool = False


class FailureResult(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no image. `message` never holds a secret; `log_tail` is the end of the failed step's output."""

    reason: Reason
    category: Category
    message: str
    stage: str = ""
    step: str = ""
    line: int = 0
    excerpt: str = ""
    log_tail: str = ""


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer: exactly one of `image` and `failure` is set."""

    version: Literal[1] = 1
    image: ImageResult | None = None
    failure: FailureResult | None = None
    source_revision: str = ""
    steps: tuple[StepResult, ...] = ()
    cache: CacheResult = CacheResult()
    bytes: Bytes = Bytes()
    seconds: Seconds = Seconds()
    peak_rss_bytes: int = 0
    builder_version: str = ""
    executor: str = ""
