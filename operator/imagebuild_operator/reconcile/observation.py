"""What became of an attempt, read from its pod.

    no pod          -> Absent
    not yet running -> Waiting(reason)       running -> Running       being deleted -> Terminating
    ended           -> Finished(result)  the builder said so itself
                    -> Lost(reason)      it died without a word, or its word cannot be believed

The termination message is untrusted: a RUN step may share the builder's container. So the exit code must agree with it,
the category is looked up here and not taken from it, and garbage falls back to the exit code.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from imagebuild_engine.contract import (
    BuildResult,
    Digest,
    InvalidDigest,
    InvalidWire,
    Reason,
    decode_result,
    reason_of_exit_code,
)

from ..resource import clip, parse_time

_NODE_GONE = timedelta(seconds=60)
_STOPPED = frozenset({Reason.CANCELLED, Reason.SUPERSEDED, Reason.DELETED})


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no pod of that name that is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The builder has not started. `reason` is set where it will not start without help."""

    since: datetime | None = None
    reason: Reason | None = None
    message: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    started: datetime | None = None
    created: datetime | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminating:
    """Somebody deleted the pod; its builder may still run. No other builder is started until it has ended."""

    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The builder's own word, success or failure. Times are the cluster's."""

    result: BuildResult
    exit_code: int = 0
    created: datetime | None = None
    started: datetime | None = None
    completed: datetime | None = None
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The builder ended, or will never start, and did not say why."""

    reason: Reason
    message: str
    exit_code: int | None = None
    completed: datetime | None = None
    node: str = ""


Observation = Absent | Waiting | Running | Terminating | Finished | Lost

_DISRUPTIONS = {
    "PreemptionByScheduler": Reason.PREEMPTED,
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
    "EvictionByEvictionAPI": Reason.POD_EVICTED,
    "TerminationByKubelet": Reason.POD_EVICTED,
}
_POD_REASONS = {
    "Evicted": Reason.POD_EVICTED,
    "DeadlineExceeded": Reason.TIMED_OUT,
    "NodeLost": Reason.NODE_LOST,
    "NodeShutdown": Reason.NODE_LOST,
    "Shutdown": Reason.NODE_LOST,
    "Terminated": Reason.NODE_LOST,
    "Preempting": Reason.PREEMPTED,
    "UnexpectedAdmissionError": Reason.POD_UNSCHEDULABLE,
    "NodeAffinity": Reason.POD_UNSCHEDULABLE,
}
_WAITING = {
    "ImagePullBackOff": Reason.BUILDER_IMAGE_PULL_FAILED,
    "ErrImagePull": Reason.BUILDER_IMAGE_PULL_FAILED,
    "ErrImageNeverPull": Reason.BUILDER_IMAGE_PULL_FAILED,
    "InvalidImageName": Reason.BUILDER_IMAGE_PULL_FAILED,
    "CreateContainerConfigError": Reason.SECRET_MISSING,
    "CreateContainerError": Reason.BUILDER_CRASHED,
    "RunContainerError": Reason.BUILDER_CRASHED,
}


def observe(pod: dict[str, Any] | None, now: datetime) -> Observation:
    """What the pod's JSON says; None where there is no pod."""
    if pod is None:
        return Absent()
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    state = _container_state(status)
    terminated = state.get("terminated")
    if terminated or status.get("phase") in {"Succeeded", "Failed"}:
        return _ended(metadata, status, terminated or {}, node)
    if deletion := parse_time(str(metadata.get("deletionTimestamp") or "")):
        # The timestamp includes the grace period: a kubelet that lives has long finished by then.
        if now - deletion > _NODE_GONE:
            return Lost(reason=Reason.NODE_LOST, message=f"the builder's node {node or '?'} does not answer", node=node)
        return Terminating(node=node)
    if running := state.get("running"):
        started = parse_time(str(running.get("startedAt") or ""))
        return Running(started=started, created=_created(metadata), node=node)
    return _waiting(metadata, status, state.get("waiting") or {}, node)


def _container_state(status: dict[str, Any]) -> dict[str, Any]:
    statuses = status.get("containerStatuses") or []
    return (statuses[0].get("state") or {}) if statuses else {}


def _created(metadata: dict[str, Any]) -> datetime | None:
    return parse_time(str(metadata.get("creationTimestamp") or ""))


def _waiting(metadata: dict[str, Any], status: dict[str, Any], waiting: dict[str, Any], node: str) -> Waiting:
    since = _created(metadata)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = clip(f"no node for the builder: {condition.get('message') or ''}", 400)
            return Waiting(since=since, reason=Reason.POD_UNSCHEDULABLE, message=message, node=node)
    word = str(waiting.get("reason") or "")
    if reason := _WAITING.get(word):
        message = clip(f"{word}: {waiting.get('message') or 'the builder cannot start'}", 400)
        return Waiting(since=since, reason=reason, message=message, node=node)
    return Waiting(since=since, message=word or "waiting for a node", node=node)


def _ended(metadata: dict[str, Any], status: dict[str, Any], terminated: dict[str, Any], node: str) -> Finished | Lost:
    completed = parse_time(str(terminated.get("finishedAt") or ""))
    code = terminated.get("exitCode")
    exit_code = code if isinstance(code, int) else None
    result = _result(str(terminated.get("message") or ""), exit_code)
    finished = result and Finished(
        result=result,
        exit_code=exit_code or 0,
        created=_created(metadata),
        started=parse_time(str(terminated.get("startedAt") or "")),
        completed=completed,
        node=node,
    )
    # A result with a pushed image stands, whatever happened to the pod afterwards.
    if finished and finished.result.image is not None:
        return finished
    reason, message = _cause(metadata, status, terminated)
    if reason is not None:
        return Lost(reason=reason, message=message, exit_code=exit_code, completed=completed, node=node)
    if finished and finished.result.failure and finished.result.failure.reason in _STOPPED:
        # A builder that says so was told to stop, and not by us: we delete the pod.
        message = "the builder was stopped by a signal from outside"
        return Lost(reason=Reason.BUILDER_CRASHED, message=message, exit_code=exit_code, completed=completed, node=node)
    if finished:
        return finished
    if exit_code is None or exit_code == 0:
        reason, message = Reason.BUILDER_CRASHED, "the builder ended without a result"
    else:
        reason = reason_of_exit_code(exit_code)
        reason = Reason.BUILDER_CRASHED if reason in _STOPPED else reason
        message = f"the builder ended with exit code {exit_code} and without a readable result"
    return Lost(reason=reason, message=message, exit_code=exit_code, completed=completed, node=node)


def _cause(metadata: dict[str, Any], status: dict[str, Any], terminated: dict[str, Any]) -> tuple[Reason | None, str]:
    """What the cluster says of the end; (None, "") where it knows nothing that the builder does not."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            word = str(condition.get("reason") or "")
            reason = _DISRUPTIONS.get(word, Reason.POD_EVICTED)
            if _is_own_storage(status):
                reason = Reason.EPHEMERAL_STORAGE_EXCEEDED
            return reason, clip(f"{word}: {condition.get('message') or status.get('message') or ''}", 400)
    word = str(status.get("reason") or "")
    reason_of_pod = _POD_REASONS.get(word) or (Reason.POD_UNSCHEDULABLE if word.startswith("OutOf") else None)
    if reason_of_pod is not None:
        if _is_own_storage(status):
            reason_of_pod = Reason.EPHEMERAL_STORAGE_EXCEEDED
        return reason_of_pod, clip(f"{word}: {status.get('message') or 'the pod was ended'}", 400)
    if terminated.get("reason") == "OOMKilled":
        return Reason.OUT_OF_MEMORY, "the builder was killed: it used more memory than spec.pod.resources.limits allows"
    if metadata.get("deletionTimestamp"):
        return Reason.POD_DELETED, "the builder pod was deleted while it worked"
    return None, ""


def _is_own_storage(status: dict[str, Any]) -> bool:
    """Evicted for what it wrote itself, not because the node was in need."""
    text = str(status.get("message") or "")
    return status.get("reason") == "Evicted" and ("ephemeral local storage" in text or "EmptyDir volume" in text)


def _result(message: str, exit_code: int | None) -> BuildResult | None:
    """The result in a termination message, if it can be believed."""
    try:
        result = decode_result(message.encode("utf-8", "replace"))
        if result.image is not None:
            Digest.parse(result.image.digest)
    except (InvalidWire, InvalidDigest):
        return None
    return result if (result.image is not None) == (exit_code == 0) else None
