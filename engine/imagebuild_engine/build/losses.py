"""What becomes of a build when its caches do not keep what they promised: nothing but a little time is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ..contract import Reason, failure
from ..core.solver import ResultLost
from .failures import BuildFailed, CacheTooSlow
from .imports import Imported

T = TypeVar("T")
_ROUNDS = 5

_REASONS = {
    "not_found": Reason.SOURCE_NOT_FOUND,
    "unauthorized": Reason.SOURCE_UNAUTHORIZED,
    "untrusted": Reason.CACHE_SOURCE_UNTRUSTED,
    "invalid": Reason.SOURCE_NOT_FOUND,
    "timeout": Reason.NETWORK_TIMEOUT,
    "error": Reason.REGISTRY_UNAVAILABLE,
}


async def until_nothing_is_lost(imported: Sequence[Imported], work: Callable[[], Awaitable[T]]) -> T:
    """What the work gives, which is done again when it finds that a cached result is lost: the solver knows it then.

    After some rounds no cache is asked any more, so there is a last one.
    """
    for _ in range(_ROUNDS):
        try:
            return await work()
        except ResultLost as lost:
            why = str(lost)
    for item in imported:
        if item.supplier is not None:
            item.supplier.give_up("error", f"it loses one result after the other: {why}"[:300])
    return await work()


async def in_time(seconds: float, work: Awaitable[T]) -> T:
    """What the work gives, a cache's export. Raises CacheTooSlow."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        raise CacheTooSlow(f"it could not be written within {seconds:g} s") from None


def check_sources(imported: Sequence[Imported]) -> None:
    """For builds that want all their caches. Raises BuildFailed for the first that cannot be used.

    That there is no earlier image yet, or that nobody has shared anything yet, is how the first build finds it.
    """
    for item in imported:
        first_build = item.outcome == "not_found" and item.source.kind in ("previous", "shared")
        if item.outcome not in ("used", "unused") and not first_build:
            raise BuildFailed(failure(_REASONS[item.outcome], f"cache source {item.source.ref}: {item.reason}"))
