"""May one more builder start? Simple limits, oldest first; real queues are Kueue's job.

The answer is computed from the statuses of all ImageBuilds each time: a count in memory could be wrong after a restart.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ..resource import Identity, Status
from .cachefrom import Sibling


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """0 means no limit."""

    per_namespace: int = 0
    total: int = 0

    @property
    def any(self) -> bool:
        return self.per_namespace > 0 or self.total > 0


def may_start(identity: Identity, since: str, siblings: Iterable[Sibling], limits: Limits) -> bool:
    """Is there room for this one, after those that run and those that have waited longer?"""
    if not limits.any:
        return True
    ahead = [
        found
        for found in siblings
        if (found.namespace, found.name) != (identity.namespace, identity.name)
        and (_builds(found.status) or _is_before(found, identity, since))
    ]
    here = sum(found.namespace == identity.namespace for found in ahead)
    return (not limits.per_namespace or here < limits.per_namespace) and (not limits.total or len(ahead) < limits.total)


def _builds(status: Status) -> bool:
    return status.current is not None and not status.current.over


def _is_before(other: Sibling, identity: Identity, since: str) -> bool:
    if other.status.phase != "Queued":
        return False
    mine = (since, identity.namespace, identity.name)
    return (other.status.start_time, other.namespace, other.name) < mine
