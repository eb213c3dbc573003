"""What happens in a build, told while it happens. Views turn events into lines or a live picture."""

from dataclasses import dataclass
from typing import Literal, Protocol

from ...contract import BuildResult


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step has begun to run. `number` counts from 1 in the order of the Dockerfile; `why` no cache had it."""

    number: int
    total: int
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step is over. A hit names the cache source that it came from, and how long it took when it ran, if known."""

    number: int
    total: int
    text: str
    outcome: Literal["hit", "miss"]
    source: str = ""
    saved: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutput:
    """A line that a running step printed; what is not UTF-8 is replaced."""

    number: int
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A part of the build that is no step: fetching the source, importing caches, exporting."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDone:
    name: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDone:
    """The build has made its image."""

    result: BuildResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth a line, good or bad."""

    text: str
    warning: bool = False


Event = StepStarted | StepDone | StepOutput | PhaseStarted | PhaseDone | BuildDone | Notice


class View(Protocol):
    """A place where events become visible. `close` is always called, also when the build failed."""

    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...
