"""How an attempt, and with it perhaps the revision, comes to its end; and how it goes on until then."""

from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Literal

from imagebuild_engine.contract import Reason
from msgspec.structs import replace

from ..resource import (
    Attempt,
    Fact,
    Failure,
    Spec,
    Status,
    clip,
    failed,
    in_progress,
    parse_time,
    rfc3339,
    succeeded,
)
from . import cachereport, outcome
from .attempts import backoff, worth_another
from .decision import Count, Decision, Event, Measure
from .observation import Finished, Lost
from .world import World


def over(world: World, spec: Spec, status: Status, current: Attempt, seen: Finished | Lost) -> Decision:
    """The attempt has ended: all that is known of it goes into the status, and what follows is decided."""
    completed = rfc3339(seen.completed) if seen.completed else world.stamp
    status = replace(
        status, attempts=(*status.attempts[:-1], outcome.attempt_over(current, seen, world.stamp, completed=completed))
    )
    if isinstance(seen, Finished):
        status = outcome.with_result(status, spec, seen)
    measures = outcome.measures_of_attempt(seen, status)
    facts = cachereport.facts_of(spec, status.cache) if isinstance(seen, Finished) and status.cache else ()
    told = cachereport.events_of(status, facts) if isinstance(seen, Finished) else ()
    decision = _after(world, status, seen, completed, facts, measures)
    return changed(decision, events=(*decision.events, *told))


def _after(
    world: World,
    status: Status,
    seen: Finished | Lost,
    completed: str,
    facts: tuple[Fact, ...],
    measures: tuple[Measure, ...],
) -> Decision:
    """The attempt is over and in the status: success, another attempt, or failure for good."""
    reason = outcome.reason_of(seen)
    if reason is None:
        return _succeeded(world, status, completed, facts, measures)
    failure = outcome.failure_of(seen)
    status = replace(status, failure=failure)
    if not worth_another(status, reason, world.policy):
        return failed_for_good(world, status, failure, completed, facts, measures)
    last = status.attempts[-1]
    pause = backoff(world.identity, status.attempts, world.policy)
    due = (parse_time(completed) or world.now) + timedelta(seconds=pause)
    told = "PodEvicted" if reason is Reason.POD_EVICTED else "RetryScheduled"
    message = clip(f"{reason}: {failure.message}; next attempt at {rfc3339(due)}", 400)
    return Decision(
        status=retrying(world, status, last, due),
        events=(Event("Warning", told, message, status.revision, status.attempt),),
        measures=(*measures, Count("retries_total", (("reason", reason.value),))),
        requeue_after=max(1.0, (due - world.now).total_seconds()),
        why=f"attempt {status.attempt} failed: {reason}; another follows",
    )


def _succeeded(
    world: World, status: Status, completed: str, facts: tuple[Fact, ...], measures: tuple[Measure, ...]
) -> Decision:
    image, cache = status.image, status.cache
    assert image is not None  # a success has an image
    reason, result = ("ImagePushed", "succeeded") if image.pushed else ("UpToDate", "up_to_date")
    status = outcome.ended(status, completed, "Succeeded", reason, image.digest)
    message = f"{image.ref}; {cache.hits if cache else 0} of {cache.steps_total if cache else 0} steps from cache"
    conditions = succeeded(
        status.conditions,
        reason=reason,
        message=message,
        generation=world.identity.generation,
        now=world.stamp,
        facts=facts,
    )
    return Decision(
        status=replace(status, conditions=conditions),
        events=(Event("Normal", reason, message, status.revision, status.attempt),),
        measures=(*measures, *outcome.measures_of_build(status, result)),
        why=f"attempt {status.attempt} succeeded: {image.digest}",
    )


def failed_for_good(
    world: World,
    status: Status,
    failure: Failure,
    completed: str = "",
    facts: tuple[Fact, ...] = (),
    measures: tuple[Measure, ...] = (),
) -> Decision:
    """No other attempt is made until the spec changes."""
    status = outcome.ended(replace(status, failure=failure), completed or world.stamp, "Failed", failure.reason)
    conditions = failed(
        status.conditions,
        ready="BuildFailed",
        reason=failure.reason,
        message=clip(failure.message, 500),
        generation=world.identity.generation,
        now=world.stamp,
        facts=facts,
    )
    told = "TimedOut" if failure.reason == Reason.TIMED_OUT else "BuildFailed"
    message = clip(f"{failure.reason}: {failure.message}", 400)
    return Decision(
        status=replace(status, conditions=conditions),
        events=(Event("Warning", told, message, status.revision, status.attempt),),
        measures=(*measures, *outcome.measures_of_build(status, "failed")),
        why=f"revision {status.revision} failed: {failure.reason}",
    )


def retrying(world: World, status: Status, last: Attempt, due: datetime) -> Status:
    return progress(
        world, status, "Retrying", f"attempt {last.number} failed ({last.reason}); the next starts at {rfc3339(due)}"
    )


def progress(
    world: World, status: Status, reason: Literal["Queued", "Starting", "Building", "Retrying"], message: str
) -> Status:
    conditions = in_progress(
        status.conditions, reason=reason, message=message, generation=world.identity.generation, now=world.stamp
    )
    return replace(status, conditions=conditions)
