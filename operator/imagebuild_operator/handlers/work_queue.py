"""Nudges in, reconciles out: one at a time for each object, a few objects at a time, again after errors."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from ..cluster import ClusterError, Unavailable

_log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Namespace and name."""


class WorkQueue:
    """A nudge during an object's reconcile makes one more afterwards; many nudges make one."""

    def __init__(
        self,
        reconcile: Callable[[str, str], Awaitable[float | None]],
        *,
        workers: int = 8,
        timed: Callable[[float], None] = lambda seconds: None,
        failed: Callable[[str], None] = lambda error: None,
    ) -> None:
        self._reconcile, self._timed, self._failed = reconcile, timed, failed
        self._room = asyncio.Semaphore(workers)
        self._wanted: set[Key] = set()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._alarms: dict[Key, asyncio.TimerHandle] = {}
        self._errors: dict[Key, int] = {}
        self._closed = False

    def nudge(self, namespace: str, name: str) -> None:
        """Reconcile this object soon. To be called on the event loop."""
        key = (namespace, name)
        if self._closed:
            return
        if alarm := self._alarms.pop(key, None):
            alarm.cancel()
        self._wanted.add(key)
        if key not in self._tasks:
            self._tasks[key] = asyncio.get_running_loop().create_task(self._work(key))

    async def close(self) -> None:
        """No more nudges; what runs is cancelled, which is as good as a crash: the objects know everything."""
        self._closed = True
        for alarm in self._alarms.values():
            alarm.cancel()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def idle(self) -> None:
        """Until nothing runs; alarms do not count."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _work(self, key: Key) -> None:
        again: float | None = None
        try:
            while key in self._wanted:
                async with self._room:
                    self._wanted.discard(key)
                    again = await self._once(key)
        finally:
            del self._tasks[key]
            self._wanted.discard(key)
        if again is not None and not self._closed:
            loop = asyncio.get_running_loop()
            self._alarms[key] = loop.call_later(again, self._ring, key)

    def _ring(self, key: Key) -> None:
        self._alarms.pop(key, None)
        self.nudge(*key)

    async def _once(self, key: Key) -> float | None:
        started = time.monotonic()
        try:
            again = await self._reconcile(*key)
        except Exception as error:  # a worker must outlive whatever one object does to it
            self._failed(type(error).__name__)
            count = self._errors[key] = self._errors.get(key, 0) + 1
            if isinstance(error, ClusterError):
                level = logging.WARNING if isinstance(error, Unavailable) else logging.ERROR
                _log.log(level, "%s/%s: %s", *key, error)
            else:
                _log.exception("%s/%s: reconcile failed", *key)
            return min(300.0, 2.0 ** min(count, 9))
        else:
            self._errors.pop(key, None)
            return again
        finally:
            self._timed(time.monotonic() - started)
