"""Which pods of an ImageBuild are still wanted. The ImageBuild itself is never deleted by us."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..resource import ANNOTATION_BUILD_HASH, parse_time
from .decision import DeleteAttempt
from .policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedPod:
    """A builder pod of ours. `ended` is None while its builder may still work."""

    name: str
    build_hash: str = ""
    ended: datetime | None = None
    succeeded: bool = False
    deleting: bool = False


def owned_pod(pod: dict[str, Any], now: datetime) -> OwnedPod:
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    phase = status.get("phase")
    statuses = status.get("containerStatuses") or [{}]
    terminated = (statuses[0].get("state") or {}).get("terminated") or {}
    ended = None
    if phase in {"Succeeded", "Failed"} or terminated:
        # A pod that was evicted before it started has no container status: its age then counts from its creation.
        ended = (
            parse_time(str(terminated.get("finishedAt") or ""))
            or parse_time(str(metadata.get("creationTimestamp") or ""))
            or now
        )
    return OwnedPod(
        name=str(metadata.get("name") or ""),
        build_hash=str((metadata.get("annotations") or {}).get(ANNOTATION_BUILD_HASH) or ""),
        ended=ended,
        succeeded=phase == "Succeeded",
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def expired(
    pods: tuple[OwnedPod, ...], keep: str, now: datetime, policy: Policy
) -> tuple[tuple[DeleteAttempt, ...], float | None]:
    """Deletions that are due (never of `keep`, the attempt in progress), and seconds until the next one."""
    due: list[DeleteAttempt] = []
    nearest: float | None = None
    for pod in pods:
        if pod.ended is None or pod.deleting or pod.name == keep:
            continue
        left = (policy.keep_succeeded if pod.succeeded else policy.keep_failed) - (now - pod.ended).total_seconds()
        if left <= 0:
            due.append(DeleteAttempt(pod.name, "retention"))
        else:
            nearest = left if nearest is None else min(nearest, left)
    return tuple(due), nearest


def working(pods: tuple[OwnedPod, ...], keep: str) -> tuple[OwnedPod, ...]:
    """Pods other than `keep` whose builders may still work."""
    return tuple(pod for pod in pods if pod.ended is None and pod.name != keep)
