"""Cache sources while their layers are used: how long they are waited for, and when one is given up.

A cache that costs more time than it saves is worse than none. What it does quickly is not counted, whatever its size;
the time in which a source delivers less than SLOWEST is, as waste. The build was told how much of it may be
(`deadline`), and that is for all sources together: those that are slow at the same time waste it once. When it is used
up, a source that is slow now is given up: its other promises are not waited for, and the steps run. One that turns out
to be slow only later gets `grace` more, so that an earlier source's trouble does not take away its hits for a single
late answer. So a build is held up for no longer than the deadline, and the grace for every further source.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from ..host.registry import RegistryError, RegistryTimeout

SLOWEST = 256 << 10
"""Bytes per second. Below this, a layer is hardly sooner here than made."""
_ANSWER = SLOWEST // 2
"""What an answer counts as, however small: half a second of waiting for one is no waste."""
_TICK = 0.25
_LEAST_GRACE = 1.0

T = TypeVar("T")


class GivenUp(Exception):
    """The cache source is not waited for any more; the text says why."""


@dataclass(slots=True)
class Patience:
    """How many seconds of a build its caches may waste, and have wasted."""

    deadline: float
    wasted: float = 0.0
    _counted: float = float("-inf")

    @property
    def grace(self) -> float:
        """What every source may waste, whatever the others did."""
        return max(_LEAST_GRACE, self.deadline / 10)

    @property
    def tick(self) -> float:
        """How often somebody should look."""
        return min(_TICK, self.deadline / 20)

    def waste(self, until: float, seconds: float) -> None:
        """The seconds before this moment of the clock. What others wasted in them is not counted again."""
        since = max(until - seconds, self._counted)
        self._counted = max(until, self._counted)
        self.wasted += max(0.0, until - since)

    def used_up(self, wasted: float) -> bool:
        """May a source that has wasted so much not go on?"""
        return self.wasted >= self.deadline and wasted >= min(self.grace, self.deadline)


@dataclass(eq=False)
class Supplier:
    """One cache source that was imported. What is fetched from it is fetched through `wait`."""

    patience: Patience
    clock: Callable[[], float] = time.monotonic
    outcome: Literal["timeout", "error"] | None = None
    """Of one that was given up."""
    reason: str = ""
    wasted: float = 0.0
    _active: int = 0
    _since: float = 0.0
    _bytes: int = 0
    _credit: float = 0.0
    """Seconds that may pass without a byte, since it was fast before; never more than the grace."""
    _given_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def given_up(self) -> bool:
        return self.outcome is not None

    @property
    def left(self) -> float:
        """Seconds that it may be waited for from now on, if nothing comes."""
        patience = self.patience
        return self._credit + max(patience.deadline - patience.wasted, patience.grace - self.wasted, 0.0)

    def give_up(self, outcome: Literal["timeout", "error"], reason: str) -> None:
        """For good. Whoever waits for it gets GivenUp."""
        if self.outcome is None:
            self.outcome, self.reason = outcome, reason
            self._given_up.set()

    def arrived(self, count: int) -> None:
        """So many bytes have come."""
        self._bytes += count

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work gives, which reads from this source alone.

        Raises GivenUp, then or before, and what the work raises. A registry that stays out of reach or broken after all
        the tries that the client makes is given up, too.
        """
        if self.given_up:
            work.close()
            raise GivenUp(self.reason)
        if not self._active:
            self._since = self.clock()
        self._active += 1
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._given_up.wait())
        try:
            while not task.done() and not self.given_up:
                await asyncio.wait((task, stop), timeout=self.patience.tick, return_when=asyncio.FIRST_COMPLETED)
                self._look(answered=task.done())
            if not task.done():
                raise GivenUp(self.reason)
            return task.result()
        except RegistryError as error:
            if error.temporary:
                self.give_up("timeout" if isinstance(error, RegistryTimeout) else "error", str(error)[:300])
            raise
        finally:
            self._active -= 1
            task.cancel()
            stop.cancel()
            await asyncio.wait((task, stop))
            if not task.cancelled():
                task.exception()  # told already, or of no interest any more

    def _look(self, *, answered: bool) -> None:
        """Has enough come since the last look? A machine that was busy elsewhere is not held against the source."""
        if self.given_up:
            return
        now = self.clock()
        elapsed = now - self._since
        if answered:
            self.arrived(_ANSWER)
        elif elapsed < self.patience.tick / 2:
            return  # somebody else who waits for it has looked
        elapsed = min(elapsed, 4 * self.patience.tick)
        self._credit += self._bytes / SLOWEST - elapsed
        if self._credit < 0:
            self.wasted -= self._credit
            self.patience.waste(now, -self._credit)
            self._credit = 0.0
        self._credit = min(self._credit, self.patience.grace)
        self._bytes, self._since = 0, now
        if self.patience.used_up(self.wasted) and not answered:
            self.give_up("timeout", f"too slow: {self.patience.wasted:.1f} s were lost on waiting")
