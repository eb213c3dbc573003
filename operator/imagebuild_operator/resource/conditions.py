"""Conditions by the rules of kstatus, and the phase that follows from them.

`Reconciling=True` means in progress, `Stalled=True` means failed, both are absent when they do not hold. `Ready=False`
alone means neither. A condition's `lastTransitionTime` moves only when its status does. What is known only of a build
that has ended (`CacheImported`, `CacheExported`) is absent while one goes on.
"""

from enum import StrEnum
from typing import Literal

import msgspec

Truth = Literal["True", "False", "Unknown"]


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    type: str
    status: Truth
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


Conditions = tuple[Condition, ...]
Fact = tuple[str, Truth, str, str]
"""A condition before it has times: type, status, reason, message."""


class Phase(StrEnum):
    """One word for people."""

    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


def find(conditions: Conditions, kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def in_progress(
    old: Conditions,
    *,
    reason: Literal["Queued", "Starting", "Building", "Retrying"],
    message: str,
    generation: int,
    now: str,
) -> Conditions:
    ready = "Queued" if reason == "Queued" else "Building"
    return _moved(
        old,
        (
            ("Ready", "Unknown", ready, message),
            ("Reconciling", "True", reason, message),
            ("Succeeded", "Unknown", ready, message),
        ),
        generation,
        now,
    )


def succeeded(
    old: Conditions, *, reason: str, message: str, generation: int, now: str, facts: tuple[Fact, ...] = ()
) -> Conditions:
    """`facts` are conditions beside the ones that say how it ended."""
    wanted: tuple[Fact, ...] = (
        ("Ready", "True", reason, message),
        ("Succeeded", "True", reason, message),
        *facts,
    )
    return _moved(old, wanted, generation, now)


def failed(
    old: Conditions, *, ready: str, reason: str, message: str, generation: int, now: str, facts: tuple[Fact, ...] = ()
) -> Conditions:
    """`ready` is the reason of Ready (`BuildFailed`, `InvalidSpec`), `reason` the failure's own."""
    return _moved(
        old,
        (
            ("Ready", "False", ready, message),
            ("Stalled", "True", reason, message),
            ("Succeeded", "False", reason, message),
            *facts,
        ),
        generation,
        now,
    )


def suspended(old: Conditions, *, generation: int, now: str) -> Conditions:
    message = "spec.suspend is true: no builder is started"
    wanted: tuple[Fact, ...] = (
        ("Ready", "False", "Suspended", message),
        ("Succeeded", "Unknown", "Suspended", message),
    )
    return _moved(old, wanted, generation, now)


def phase_of(conditions: Conditions) -> Phase:
    """The phase follows from the conditions, never the other way round."""
    outcome = find(conditions, "Succeeded")
    reconciling = find(conditions, "Reconciling")
    match (outcome.status if outcome else "Unknown", reconciling.reason if reconciling else ""):
        case "True", _:
            return Phase.SUCCEEDED
        case "False", _:
            return Phase.FAILED
        case _, "Queued":
            return Phase.QUEUED
        case _, "Building":
            return Phase.RUNNING
        case _:
            return Phase.PENDING


def _moved(old: Conditions, wanted: tuple[Fact, ...], generation: int, now: str) -> Conditions:
    moved = []
    for kind, status, reason, message in wanted:
        before = find(old, kind)
        since = before.last_transition_time if before and before.status == status else now
        moved.append(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=message,
                last_transition_time=since,
                observed_generation=generation,
            )
        )
    return tuple(moved)
