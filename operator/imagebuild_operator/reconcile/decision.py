"""What a decision consists of. The handlers perform it; nothing here does."""

from dataclasses import dataclass
from typing import Literal

from ..resource import Status


@dataclass(frozen=True, slots=True)
class CreateAttempt:
    """Make the ConfigMap and pod of an attempt, or find that they are there already."""

    revision: int
    attempt: int


@dataclass(frozen=True, slots=True)
class DeleteAttempt:
    """Delete a pod and the ConfigMap of the same name. `why` is a metric label."""

    pod_name: str
    why: Literal["superseded", "suspended", "retention", "stuck", "invalid"]


Action = CreateAttempt | DeleteAttempt


@dataclass(frozen=True, slots=True)
class Event:
    """One Kubernetes event; the same reason for the same revision and attempt is told once."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str
    revision: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """Add to a counter. Names and labels are those of the API document, section 6, without the prefix."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Observe:
    """Add to a histogram."""

    name: str
    seconds: float
    labels: tuple[tuple[str, str], ...] = ()


Measure = Count | Observe


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`status` is written first, then the actions are performed, then events and measures go out."""

    status: Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    measures: tuple[Measure, ...] = ()
    requeue_after: float | None = None
    why: str = ""
    """One line for the log."""
