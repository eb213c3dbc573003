"""The decision: from what is wanted, what was written and what is seen, to what to do. Pure and level-triggered.

    spec invalid ──────────────► Stalled / InvalidSpec                 (no builder)
    suspend, not yet built ────► Ready=False / Suspended               (builder deleted)
    hash differs ──────────────► new revision, attempt 0               (old builder deleted first)
    attempt 0, or last is over ► wait for old builders, room, backoff  ► attempt n+1: Starting
    Starting + Absent ─────────► make the pod (again: same name)       a crash in between costs nothing
    Starting + pod ────────────► Running                               from here on Absent means deleted
    Running + Finished ────────► Succeeded, or failure: retry or Stalled
    Running + Lost, Absent ────► failure: retry or Stalled
    terminal ──────────────────► nothing but retention

The status is written before the actions are performed. So an attempt is known before its pod exists, a restart finds
everything in the objects, and a pod that is not the current attempt's is a leftover: it is deleted whenever seen.
"""

from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from typing import Literal

from imagebuild_engine.contract import FAILURES, Reason
from msgspec.structs import replace

from ..resource import (
    Attempt,
    Cache,
    Failure,
    HistoryEntry,
    Identity,
    InvalidSpec,
    Spec,
    Status,
    attempt_name,
    build_hash,
    capped,
    clip,
    failed,
    in_progress,
    parse_time,
    phase_of,
    rfc3339,
    succeeded,
    suspended,
)
from . import outcome
from .attempts import backoff, worth_another
from .cachefrom import Sibling, resolve
from .capacity import may_start
from .decision import Count, CreateAttempt, Decision, DeleteAttempt, Event, Measure
from .observation import Absent, Finished, Lost, Observation, Running, Terminating, Waiting
from .policy import Policy
from .retention import OwnedPod, expired, working

_SOON = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything a decision depends on. `observation` is of the current attempt's pod, `pods` are all of ours."""

    identity: Identity
    spec: Spec | InvalidSpec
    status: Status
    observation: Observation
    now: datetime
    pods: tuple[OwnedPod, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    policy: Policy = field(default_factory=Policy)

    @property
    def stamp(self) -> str:
        return rfc3339(self.now)


def decide(world: World) -> Decision:
    """What to write, do, tell and count, and when to look again."""
    decision, why_delete = _next(world)
    status = capped(
        replace(
            decision.status,
            observed_generation=world.identity.generation,
            phase=phase_of(decision.status.conditions).value,
        )
    )
    current = status.current
    keep = current.pod_name if current and not current.over else ""
    leftovers = tuple(DeleteAttempt(pod.name, why_delete) for pod in working(world.pods, keep) if not pod.deleting)
    due, until_next = expired(world.pods, keep, world.now, world.policy)
    waits = [seconds for seconds in (decision.requeue_after, until_next) if seconds is not None]
    return Decision(
        status=status,
        actions=(*leftovers, *due, *decision.actions),
        events=decision.events,
        measures=(*decision.measures, *(Count("gc_deleted_total", (("kind", "pod"), ("why", one.why))) for one in due)),
        requeue_after=max(1.0, min(waits)) if waits else None,
        why=decision.why,
    )


_Why = Literal["superseded", "suspended", "stuck", "invalid"]


def _next(world: World) -> tuple[Decision, _Why]:
    """The decision, and why builders that are not wanted any more are deleted."""
    spec, status = world.spec, world.status
    if isinstance(spec, InvalidSpec):
        return _invalid(world, spec), "invalid"
    wanted = build_hash(spec)
    same = status.build_hash == wanted
    if spec.suspend and not (status.terminal and same):
        return _suspend(world), "suspended"
    # A failure is final for what was asked; any change of the spec (more memory, another profile) asks again.
    changed_after_failure = status.phase == "Failed" and status.observed_generation != world.identity.generation
    if not same or (changed_after_failure and not spec.suspend):
        return _new_revision(world, spec, wanted), "superseded"
    if status.terminal:
        generation = world.identity.generation
        seen = tuple(replace(found, observed_generation=generation) for found in status.conditions)
        return Decision(status=replace(status, conditions=seen), why="nothing to do"), "superseded"
    return _advance(world, spec, status), "stuck"


def _invalid(world: World, error: InvalidSpec) -> Decision:
    status = _cancelled(world.status, world.stamp)
    message = clip(str(error), 500)
    known = status.failure is not None and status.failure.reason == "InvalidSpec" and status.failure.message == message
    conditions = failed(
        status.conditions,
        ready="InvalidSpec",
        reason="InvalidSpec",
        message=message,
        generation=world.identity.generation,
        now=world.stamp,
    )
    failure = Failure(category=FAILURES[Reason.INVALID_SPEC].category.value, reason="InvalidSpec", message=message)
    # Without a hash, the next valid spec is a new revision.
    status = replace(status, conditions=conditions, failure=failure, build_hash="", pod_name="")
    if known:
        return Decision(status=status, why="spec is still invalid")
    labels = (("reason", "InvalidSpec"), ("category", failure.category))
    return Decision(
        status=status,
        events=(Event("Warning", "InvalidSpec", message, world.identity.generation),),
        measures=(
            Count("builds_total", (("result", "failed"), ("category", failure.category))),
            Count("build_failures_total", labels),
        ),
        why=f"spec is invalid: {message}",
    )


def _suspend(world: World) -> Decision:
    status = _cancelled(world.status, world.stamp)
    cancelled = status.attempts != world.status.attempts
    conditions = suspended(status.conditions, generation=world.identity.generation, now=world.stamp)
    return Decision(
        status=replace(status, conditions=conditions, failure=None),
        events=(Event("Normal", "Cancelled", "suspended: the builder is stopped", status.revision, status.attempt),)
        if cancelled
        else (),
        measures=(Count("attempts_total", (("outcome", "cancelled"),)),) if cancelled else (),
        why="suspended",
    )


def _cancelled(status: Status, now: str) -> Status:
    """The attempt in progress, if any, is over."""
    current = status.current
    if current is None or current.over:
        return status
    over = replace(current, outcome="Cancelled", category="Cancelled", reason="Cancelled", completion_time=now)
    return replace(status, attempts=(*status.attempts[:-1], over))


def _new_revision(world: World, spec: Spec, wanted: str) -> Decision:
    old, history = world.status, world.status.history
    events: tuple[Event, ...] = ()
    measures: tuple[Measure, ...] = ()
    if old.build_hash and old.revision and not old.terminal:
        entry = HistoryEntry(
            revision=old.revision, outcome="Cancelled", reason="Superseded", completion_time=world.stamp
        )
        history = (*history, entry)[-5:]
        message = f"revision {old.revision} is superseded by revision {old.revision + 1}"
        events = (Event("Normal", "Superseded", message, old.revision, old.attempt),)
        measures = (Count("builds_total", (("result", "superseded"), ("category", "Cancelled"))),)
        if old.current is not None and not old.current.over:
            measures = (Count("attempts_total", (("outcome", "cancelled"),)), *measures)
    fresh = Status(
        conditions=old.conditions,
        revision=old.revision + 1,
        build_hash=wanted,
        image=old.image,
        start_time=world.stamp,
        history=history,
    )
    then = _start(world, spec, fresh, 1)
    return Decision(
        status=then.status,
        actions=then.actions,
        events=(*events, *then.events),
        measures=(*measures, *then.measures),
        requeue_after=then.requeue_after,
        why=f"revision {fresh.revision}: {then.why}",
    )


def _advance(world: World, spec: Spec, status: Status) -> Decision:
    current = status.current
    if current is None:
        return _start(world, spec, status, status.attempt + 1)
    if current.over:
        return _after_pause(world, spec, status, current)
    match world.observation:
        case Absent() if current.outcome == "Starting":
            return Decision(
                status=_progress(world, status, "Starting", "making the builder pod"),
                actions=(CreateAttempt(status.revision, status.attempt),),
                requeue_after=world.policy.poll,
                why=f"attempt {status.attempt}: pod is made (again)",
            )
        case Absent():
            lost = Lost(reason=Reason.POD_DELETED, message="the builder pod was deleted before it ended")
            over = _over(world, spec, status, current, lost)
            # Whoever deleted the pod left its ConfigMap.
            return changed(over, actions=(*over.actions, DeleteAttempt(current.pod_name, "retention")))
        case Waiting() as seen:
            return _waiting(world, spec, status, current, seen)
        case Running(started=started, node=node):
            status = _seen(status, current, node, rfc3339(started) if started else "")
            return Decision(
                status=_progress(world, status, "Building", "the builder works"),
                requeue_after=world.policy.poll,
                why=f"attempt {status.attempt}: building",
            )
        case Terminating(node=node):
            return Decision(
                status=_progress(
                    world, _seen(status, current, node, ""), "Building", "the builder pod is being deleted"
                ),
                requeue_after=_SOON,
                why=f"attempt {status.attempt}: pod is being deleted",
            )
        case Finished() | Lost() as end:
            return _over(world, spec, status, current, end)


def _after_pause(world: World, spec: Spec, status: Status, last: Attempt) -> Decision:
    """The last attempt failed and is worth another, or was cancelled by a suspension that is over."""
    ended = parse_time(last.completion_time)
    if last.outcome == "Failed" and ended is not None:
        due = ended + timedelta(seconds=backoff(world.identity, status.attempts, world.policy))
        if world.now < due:
            left = (due - world.now).total_seconds()
            return Decision(
                status=_retrying(world, status, last, due), requeue_after=left, why=f"next attempt in {left:.0f} s"
            )
    return _start(world, spec, status, status.attempt + 1)


def _start(world: World, spec: Spec, status: Status, number: int) -> Decision:
    profile = spec.pod.security_profile or world.policy.default_profile
    if profile.rank > world.policy.max_profile.rank:
        message = (
            f"spec.pod.securityProfile: {profile} is more than the administrator allows ({world.policy.max_profile})"
        )
        reason = Reason.PROFILE_NOT_ALLOWED
        return _failed(world, status, Failure(category=FAILURES[reason].category.value, reason=reason, message=message))
    if working(world.pods, ""):
        # An old builder could still push, after the new one, to the same tag.
        return Decision(
            status=_progress(world, status, "Queued", "waiting for the previous builder to end"),
            requeue_after=_SOON,
            why="waiting for the previous builder to end",
        )
    if not may_start(world.identity, status.start_time, world.siblings, world.policy.limits):
        return Decision(
            status=_progress(world, status, "Queued", "waiting for room among the builders"),
            events=(
                Event("Normal", "Queued", "as many builders run as the administrator allows", status.revision, number),
            ),
            requeue_after=_SOON,
            why="waiting for room",
        )
    imports = resolve(world.identity, spec, status, world.siblings)
    name = attempt_name(world.identity.name, status.revision, number)
    status = replace(
        status,
        attempt=number,
        attempts=(*status.attempts, Attempt(number=number, pod_name=name, start_time=world.stamp))[-10:],
        pod_name=name,
        cache=Cache(imports=imports),
        failure=None,
    )
    asked = sum(1 for one in imports if one.ref)
    return Decision(
        status=_progress(world, status, "Starting", "making the builder pod"),
        actions=(CreateAttempt(status.revision, number),),
        events=(
            Event("Normal", "BuildStarted", f"attempt {number} in pod {name}", status.revision, number),
            Event("Normal", "CacheResolved", f"cache sources to ask: {asked}", status.revision, number),
        ),
        requeue_after=world.policy.poll,
        why=f"attempt {number} starts",
    )


def _waiting(world: World, spec: Spec, status: Status, current: Attempt, seen: Waiting) -> Decision:
    since = seen.since or parse_time(current.start_time) or world.now
    if seen.reason is not None and (world.now - since).total_seconds() > world.policy.start_limit:
        return _over(world, spec, status, current, Lost(reason=seen.reason, message=seen.message, node=seen.node))
    events: tuple[Event, ...] = ()
    if seen.reason in {Reason.SECRET_MISSING, Reason.POD_UNSCHEDULABLE}:
        events = (Event("Warning", seen.reason.value, seen.message, status.revision, status.attempt),)
    message = seen.message
    secret = spec.output.push_secret_ref
    if seen.reason is None and secret is not None and (world.now - since).total_seconds() > 60:
        kind = "kubernetes.io/dockerconfigjson"
        message = f"{message}: the pod does not start; is there a Secret {secret.name} of type {kind}?"
    return Decision(
        status=_progress(world, _seen(status, current, seen.node, ""), "Starting", message),
        events=events,
        requeue_after=min(world.policy.poll, 15.0),
        why=f"attempt {status.attempt}: {message}",
    )


def _seen(status: Status, current: Attempt, node: str, started: str) -> Status:
    """The pod exists: from now on, its absence means that somebody deleted it."""
    seen = replace(current, outcome="Running", node=node or current.node, start_time=started or current.start_time)
    return replace(status, attempts=(*status.attempts[:-1], seen))


def _over(world: World, spec: Spec, status: Status, current: Attempt, seen: Finished | Lost) -> Decision:
    completed = rfc3339(seen.completed) if seen.completed else world.stamp
    status = replace(
        status, attempts=(*status.attempts[:-1], outcome.attempt_over(current, seen, world.stamp, completed=completed))
    )
    if isinstance(seen, Finished):
        status = outcome.with_result(status, spec, seen)
    measures = outcome.measures_of_attempt(seen, status)
    reason = outcome.reason_of(seen)
    if reason is None:
        return _succeeded(world, status, completed, measures)
    failure = outcome.failure_of(seen)
    status = replace(status, failure=failure)
    if not worth_another(status, reason, world.policy):
        return _failed(world, status, failure, completed, measures)
    last = status.attempts[-1]
    pause = backoff(world.identity, status.attempts, world.policy)
    due = (parse_time(completed) or world.now) + timedelta(seconds=pause)
    told = "PodEvicted" if reason is Reason.POD_EVICTED else "RetryScheduled"
    message = clip(f"{reason}: {failure.message}; next attempt at {rfc3339(due)}", 400)
    return Decision(
        status=_retrying(world, status, last, due),
        events=(Event("Warning", told, message, status.revision, status.attempt),),
        measures=(*measures, Count("retries_total", (("reason", reason.value),))),
        requeue_after=max(1.0, (due - world.now).total_seconds()),
        why=f"attempt {status.attempt} failed: {reason}; another follows",
    )


def _succeeded(world: World, status: Status, completed: str, measures: tuple[Measure, ...]) -> Decision:
    image, cache = status.image, status.cache
    assert image is not None  # a success has an image
    reason, result = ("ImagePushed", "succeeded") if image.pushed else ("UpToDate", "up_to_date")
    status = outcome.ended(status, completed, "Succeeded", reason, image.digest)
    message = f"{image.ref}; {cache.hits if cache else 0} of {cache.steps_total if cache else 0} steps from cache"
    conditions = succeeded(
        status.conditions, reason=reason, message=message, generation=world.identity.generation, now=world.stamp
    )
    events = [Event("Normal", reason, message, status.revision, status.attempt)]
    if cache and cache.first_miss:
        miss = cache.first_miss
        text = clip(f"line {miss.line}: {miss.instruction}: {miss.reason} {miss.detail}", 300).strip()
        events.append(Event("Normal", "CacheMissed", text, status.revision, status.attempt))
    return Decision(
        status=replace(status, conditions=conditions),
        events=tuple(events),
        measures=(*measures, *outcome.measures_of_build(status, result)),
        why=f"attempt {status.attempt} succeeded: {image.digest}",
    )


def _failed(
    world: World, status: Status, failure: Failure, completed: str = "", measures: tuple[Measure, ...] = ()
) -> Decision:
    status = outcome.ended(replace(status, failure=failure), completed or world.stamp, "Failed", failure.reason)
    conditions = failed(
        status.conditions,
        ready="BuildFailed",
        reason=failure.reason,
        message=clip(failure.message, 500),
        generation=world.identity.generation,
        now=world.stamp,
    )
    told = "TimedOut" if failure.reason == Reason.TIMED_OUT else "BuildFailed"
    message = clip(f"{failure.reason}: {failure.message}", 400)
    return Decision(
        status=replace(status, conditions=conditions),
        events=(Event("Warning", told, message, status.revision, status.attempt),),
        measures=(*measures, *outcome.measures_of_build(status, "failed")),
        why=f"revision {status.revision} failed: {failure.reason}",
    )


def _retrying(world: World, status: Status, last: Attempt, due: datetime) -> Status:
    return _progress(
        world, status, "Retrying", f"attempt {last.number} failed ({last.reason}); the next starts at {rfc3339(due)}"
    )


def _progress(
    world: World, status: Status, reason: Literal["Queued", "Starting", "Building", "Retrying"], message: str
) -> Status:
    conditions = in_progress(
        status.conditions, reason=reason, message=message, generation=world.identity.generation, now=world.stamp
    )
    return replace(status, conditions=conditions)
