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

from dataclasses import replace as changed
from datetime import timedelta
from typing import Literal

from imagebuild_engine.contract import FAILURES, Reason
from msgspec.structs import replace

from ..resource import (
    Attempt,
    Cache,
    Failure,
    HistoryEntry,
    Import,
    InvalidSpec,
    OnError,
    Spec,
    Status,
    attempt_name,
    build_hash,
    capped,
    clip,
    failed,
    parse_time,
    phase_of,
    rfc3339,
    suspended,
)
from . import cachereport
from .attempts import backoff
from .cachefrom import resolve
from .capacity import may_start
from .decision import Count, CreateAttempt, Decision, DeleteAttempt, Event, Measure
from .endings import failed_for_good, over, progress, retrying
from .observation import Absent, Finished, Lost, Running, Terminating, Waiting
from .retention import expired, working
from .world import World

_SOON = 5.0


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
                status=progress(world, status, "Starting", "making the builder pod"),
                actions=(CreateAttempt(status.revision, status.attempt),),
                requeue_after=world.policy.poll,
                why=f"attempt {status.attempt}: pod is made (again)",
            )
        case Absent():
            lost = Lost(reason=Reason.POD_DELETED, message="the builder pod was deleted before it ended")
            ended = over(world, spec, status, current, lost)
            # Whoever deleted the pod left its ConfigMap.
            return changed(ended, actions=(*ended.actions, DeleteAttempt(current.pod_name, "retention")))
        case Waiting() as seen:
            return _waiting(world, spec, status, current, seen)
        case Running(started=started, node=node):
            status = _seen(status, current, node, rfc3339(started) if started else "")
            return Decision(
                status=progress(world, status, "Building", "the builder works"),
                requeue_after=world.policy.poll,
                why=f"attempt {status.attempt}: building",
            )
        case Terminating(node=node):
            return Decision(
                status=progress(
                    world, _seen(status, current, node, ""), "Building", "the builder pod is being deleted"
                ),
                requeue_after=_SOON,
                why=f"attempt {status.attempt}: pod is being deleted",
            )
        case Finished() | Lost() as end:
            return over(world, spec, status, current, end)


def _after_pause(world: World, spec: Spec, status: Status, last: Attempt) -> Decision:
    """The last attempt failed and is worth another, or was cancelled by a suspension that is over."""
    ended = parse_time(last.completion_time)
    if last.outcome == "Failed" and ended is not None:
        due = ended + timedelta(seconds=backoff(world.identity, status.attempts, world.policy))
        if world.now < due:
            left = (due - world.now).total_seconds()
            return Decision(
                status=retrying(world, status, last, due), requeue_after=left, why=f"next attempt in {left:.0f} s"
            )
    return _start(world, spec, status, status.attempt + 1)


def _start(world: World, spec: Spec, status: Status, number: int) -> Decision:
    profile = spec.pod.security_profile or world.policy.default_profile
    if profile.rank > world.policy.max_profile.rank:
        message = (
            f"spec.pod.securityProfile: {profile} is more than the administrator allows ({world.policy.max_profile})"
        )
        reason = Reason.PROFILE_NOT_ALLOWED
        return failed_for_good(
            world, status, Failure(category=FAILURES[reason].category.value, reason=reason, message=message)
        )
    if working(world.pods, ""):
        # An old builder could still push, after the new one, to the same tag.
        return Decision(
            status=progress(world, status, "Queued", "waiting for the previous builder to end"),
            requeue_after=_SOON,
            why="waiting for the previous builder to end",
        )
    if not may_start(world.identity, status.start_time, world.siblings, world.policy.limits):
        return Decision(
            status=progress(world, status, "Queued", "waiting for room among the builders"),
            events=(
                Event("Normal", "Queued", "as many builders run as the administrator allows", status.revision, number),
            ),
            requeue_after=_SOON,
            why="waiting for room",
        )
    imports = resolve(world.identity, spec, status, world.siblings, world.policy.trusted_repositories)
    if spec.cache.on_import_error is OnError.FAIL and (unusable := [one for one in imports if one.outcome]):
        return _without_cache(world, status, unusable)
    name = attempt_name(world.identity.name, status.revision, number)
    status = replace(
        status,
        attempt=number,
        attempts=(*status.attempts, Attempt(number=number, pod_name=name, start_time=world.stamp))[-10:],
        pod_name=name,
        cache=Cache(imports=imports),
        failure=None,
    )
    return Decision(
        status=progress(world, status, "Starting", "making the builder pod"),
        actions=(CreateAttempt(status.revision, number),),
        events=(
            Event("Normal", "BuildStarted", f"attempt {number} in pod {name}", status.revision, number),
            cachereport.resolved(spec, imports, status.revision, number),
        ),
        requeue_after=world.policy.poll,
        why=f"attempt {number} starts",
    )


def _without_cache(world: World, status: Status, unusable: list[Import]) -> Decision:
    """The build must not start without these sources: one that may not be believed is final, one to come is awaited."""
    untrusted = next((one for one in unusable if one.outcome == "untrusted"), None)
    if untrusted is not None:
        reason = Reason.CACHE_SOURCE_UNTRUSTED
        message = f"spec.cache.onImportError is Fail, and {untrusted.reason}"
        return failed_for_good(
            world, status, Failure(category=FAILURES[reason].category.value, reason=reason, message=message)
        )
    message = f"waiting for a cache source, as spec.cache.onImportError says: {unusable[0].reason}"
    return Decision(
        status=progress(world, status, "Queued", clip(message, 400)),
        requeue_after=min(world.policy.poll, 10.0),
        why=message,
    )


def _waiting(world: World, spec: Spec, status: Status, current: Attempt, seen: Waiting) -> Decision:
    since = seen.since or parse_time(current.start_time) or world.now
    if seen.reason is not None and (world.now - since).total_seconds() > world.policy.start_limit:
        return over(world, spec, status, current, Lost(reason=seen.reason, message=seen.message, node=seen.node))
    events: tuple[Event, ...] = ()
    if seen.reason in {Reason.SECRET_MISSING, Reason.POD_UNSCHEDULABLE}:
        events = (Event("Warning", seen.reason.value, seen.message, status.revision, status.attempt),)
    message = seen.message
    secret = spec.output.push_secret_ref
    if seen.reason is None and secret is not None and (world.now - since).total_seconds() > 60:
        kind = "kubernetes.io/dockerconfigjson"
        message = f"{message}: the pod does not start; is there a Secret {secret.name} of type {kind}?"
    return Decision(
        status=progress(world, _seen(status, current, seen.node, ""), "Starting", message),
        events=events,
        requeue_after=min(world.policy.poll, 15.0),
        why=f"attempt {status.attempt}: {message}",
    )


def _seen(status: Status, current: Attempt, node: str, started: str) -> Status:
    """The pod exists: from now on, its absence means that somebody deleted it."""
    seen = replace(current, outcome="Running", node=node or current.node, start_time=started or current.start_time)
    return replace(status, attempts=(*status.attempts[:-1], seen))
