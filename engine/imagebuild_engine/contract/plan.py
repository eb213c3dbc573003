"""What `imagebuild plan` answers: the build that would follow, as far as it is certain."""

from typing import Literal

import msgspec

from ..core.miss import MissReason
from .result import CacheSourceResult, FailureResult

PlannedOutcome = Literal["hit", "miss", "depends"]
"""Depends: hit or miss, by the files that other steps are going to write."""


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction that makes a vertex; what it shares with a build's `StepResult` means the same."""

    number: int
    """From 1, in the order of the Dockerfile."""
    inputs: tuple[int, ...] = ()
    stage: str
    line: int
    instruction: str
    outcome: PlannedOutcome
    source: str | None = None
    reason: MissReason | None = None
    detail: tuple[str, ...] = ()
    more: int = 0
    compared_with: str = ""
    saved_seconds: float = 0.0
    bytes: int = 0
    depends_on: tuple[int, ...] = ()
    """The steps whose files decide; empty where the outcome is certain."""
    pulled: int = 0
    """Compressed bytes of the layers that are downloaded for it. A layer that several need counts for the first."""


class PlannedCache(msgspec.Struct, frozen=True, kw_only=True):
    """Totals over all steps: `total` is the sum of the others. `matched` of a source counts its certain hits."""

    total: int = 0
    hits: int = 0
    misses: int = 0
    depends: int = 0
    sources: tuple[CacheSourceResult, ...] = ()


class PlannedBytes(msgspec.Struct, frozen=True, kw_only=True):
    """Compressed layer bytes that the build is going to pull: at least, and at most if what depends turns out so; None
    where a step cache may have more than can be asked for now."""

    pulled: int = 0
    at_most: int | None = 0


class PlanResult(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. `failure` is why the build would fail before, or without, running a step."""

    version: Literal[1] = 1
    failure: FailureResult | None = None
    source_revision: str = ""
    steps: tuple[PlannedStep, ...] = ()
    cache: PlannedCache = PlannedCache()
    bytes: PlannedBytes = PlannedBytes()
    seconds: float = 0.0
    """How long the planning took."""
    builder_version: str = ""
