"""What an attempt's end makes of the status, and what is counted for it."""

from datetime import datetime

from imagebuild_engine.contract import (
    FAILURES,
    FailureResult,
    Reason,
)
from msgspec.structs import replace

from ..resource import (
    Attempt,
    Cache,
    Failure,
    HistoryEntry,
    Image,
    PlatformDigest,
    SourceStatus,
    Spec,
    Status,
    Timings,
    parse_time,
)
from ..resource.duration import short_duration
from . import cachereport
from .decision import Count, Measure, Observe
from .observation import Finished, Lost

_STAGES = ("queued", "scheduled", "source", "cache_import", "build", "push")
_STAGE_LABELS = {"queued": "queue", "scheduled": "schedule"}


def attempt_over(attempt: Attempt, seen: Finished | Lost, now: str, *, completed: str) -> Attempt:
    reason = reason_of(seen)
    return replace(
        attempt,
        node=seen.node or attempt.node,
        completion_time=completed or now,
        outcome="Failed" if reason else "Succeeded",
        category=FAILURES[reason].category.value if reason else "",
        reason=reason.value if reason else "",
        exit_code=seen.exit_code,
    )


def reason_of(seen: Finished | Lost) -> Reason | None:
    """None for a success."""
    if isinstance(seen, Lost):
        return seen.reason
    return seen.result.failure.reason if seen.result.failure else None


def failure_of(seen: Finished | Lost) -> Failure:
    """The category is that of our table: the message could claim anything."""
    if isinstance(seen, Lost):
        return Failure(category=FAILURES[seen.reason].category.value, reason=seen.reason.value, message=seen.message)
    found: FailureResult | None = seen.result.failure
    assert found is not None  # asked for failures only
    return Failure(
        category=FAILURES[found.reason].category.value,
        reason=found.reason.value,
        message=found.message,
        stage=found.stage,
        step=found.step,
        line=cachereport.bounded(found.line),
        excerpt=found.excerpt,
        log_tail=found.log_tail,
    )


def with_result(status: Status, spec: Spec, seen: Finished) -> Status:
    """The facts of a finished attempt: image, source, cache, timings. Conditions are the caller's."""
    result = seen.result
    old = status.cache or Cache()
    status = replace(
        status,
        cache=cachereport.cache_of(old.imports, result),
        timings=_timings(status, seen),
        source=SourceStatus(revision=result.source_revision) if result.source_revision else None,
        builder_version=result.builder_version,
    )
    made = result.image
    if made is None:
        return status
    short = made.digest.partition(":")[2][:12]
    return replace(
        status,
        image=Image(
            # The repository is the one we asked for, whatever the message says.
            ref=f"{spec.image.name}@{made.digest}",
            digest=made.digest,
            short_digest=f"{made.digest.partition(':')[0]}:{short}",
            media_type=made.media_type,
            size_bytes=cachereport.bounded(made.size),
            platforms=(PlatformDigest(platform=made.platform, digest=made.digest),),
            pushed=made.pushed,
        ),
        failure=None,
    )


def ended(status: Status, completed: str, outcome: str, reason: str, digest: str = "") -> Status:
    """The revision is over: completion, duration and one more line of history."""
    seconds = _between(parse_time(status.start_time), parse_time(completed))
    entry = HistoryEntry(
        revision=status.revision,
        outcome=outcome,
        reason=reason,
        digest=digest,
        hit_ratio_percent=status.cache.hit_ratio_percent if status.cache else 0,
        duration_seconds=seconds,
        completion_time=completed,
    )
    timings = replace(status.timings or Timings(), total=seconds)
    return replace(
        status,
        completion_time=completed,
        timings=timings,
        duration=short_duration(seconds),
        history=(*status.history, entry)[-5:],
    )


def measures_of_attempt(seen: Finished | Lost, status: Status) -> tuple[Measure, ...]:
    """Counted for every attempt, once its end is in the status."""
    ended = Count("attempts_total", (("outcome", "failed" if reason_of(seen) else "succeeded"),))
    if isinstance(seen, Lost):
        return (ended,)
    return (ended, *cachereport.measures_of(seen.result, status.cache.imports if status.cache else ()))


def measures_of_build(status: Status, result: str) -> tuple[Measure, ...]:
    """Counted once for each revision that came to its end."""
    failure = status.failure if result == "failed" else None
    category = failure.category if failure else ""
    measures: list[Measure] = [Count("builds_total", (("result", result), ("category", category)))]
    if failure:
        measures.append(Count("build_failures_total", (("reason", failure.reason), ("category", category))))
    timings = status.timings or Timings()
    measures.append(Observe("build_duration_seconds", timings.total, (("result", result),)))
    if result in {"succeeded", "up_to_date"}:
        for name in _STAGES:
            label = _STAGE_LABELS.get(name, name)
            measures.append(Observe("stage_duration_seconds", getattr(timings, name), (("stage", label),)))
    return tuple(measures)


def _timings(status: Status, seen: Finished) -> Timings:
    spent = seen.result.seconds
    return Timings(
        queued=_between(parse_time(status.start_time), seen.created),
        scheduled=_between(seen.created, seen.started),
        source=_seconds(spent.source + spent.context),
        cache_import=_seconds(spent.import_),
        build=_seconds(spent.build),
        push=_seconds(spent.export),
    )


def _between(start: datetime | None, end: datetime | None) -> float:
    """Never negative: clocks differ between nodes."""
    return round(max(0.0, (end - start).total_seconds()), 3) if start and end else 0.0


def _seconds(number: float) -> float:
    return round(number, 3) if 0 <= number <= 1e6 else 0.0
