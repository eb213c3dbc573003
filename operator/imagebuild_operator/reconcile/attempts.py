"""Is another attempt worth it, and when?

The user's failures never. Infrastructure up to three times, ambiguous ones once, each as the contract's table says. A
disruption (evicted, preempted, node lost) is nobody's failure and has a cap of its own.
"""

import hashlib
from collections.abc import Iterable

from imagebuild_engine.contract import FAILURES, Category, FailureClass, Reason

from ..resource import Attempt, Identity, Status
from .policy import Policy


def known_reason(text: str) -> Reason:
    """A reason that we do not know is our bug, not the user's."""
    try:
        return Reason(text)
    except ValueError:
        return Reason.OPERATOR_BUG


def worth_another(status: Status, reason: Reason, policy: Policy) -> bool:
    """May the attempt that just failed for `reason` (the last of the status) be followed by another?"""
    known = FAILURES[reason]
    if not known.retry:
        return False
    failures = [FAILURES[known_reason(found.reason)] for found in status.attempts if found.outcome == "Failed"]
    # Only ten attempts are kept. Those that fell out count as disruptions, of which alone there can be so many.
    dropped = max(0, status.attempt - len(status.attempts))
    if known.disruption:
        return dropped + sum(found.disruption for found in failures) <= policy.disruption_limit
    if dropped > policy.disruption_limit:
        return False
    return _same_kind(failures, known.category) <= _limit(known.category, policy)


def _same_kind(failures: Iterable[FailureClass], category: Category) -> int:
    return sum(found.category == category and not found.disruption for found in failures)


def _limit(category: Category, policy: Policy) -> int:
    match category:
        case Category.INFRASTRUCTURE:
            return policy.infra_limit
        case Category.AMBIGUOUS:
            return policy.ambiguous_limit
        case Category.INTERNAL:
            return 1
        case _:
            return 0


def backoff(identity: Identity, attempts: tuple[Attempt, ...], policy: Policy) -> float:
    """Seconds between the end of the last attempt and the next: doubled each time, and up to a fifth more.

    The jitter follows from the object's uid and the attempt: a restart computes the same moment again.
    """
    number = sum(found.outcome == "Failed" for found in attempts)
    seconds = min(policy.backoff_max, policy.backoff_initial * 2.0 ** max(0, min(number, 30) - 1))
    seed = f"{identity.uid}/{attempts[-1].number if attempts else 0}".encode()
    share = int.from_bytes(hashlib.sha256(seed).digest()[:4], "big") / 2**32
    return seconds * (1 + share / 5)
