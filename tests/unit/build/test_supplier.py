"""How long a build waits for its caches: counted on a clock of the test's."""

import asyncio
from collections.abc import Callable

import pytest
from imagebuild_engine.build.supplier import SLOWEST, GivenUp, Patience, Supplier
from imagebuild_engine.host.registry import NotFound, RegistryTimeout, Unavailable

TICK = 0.01


class Clock:
    """Goes on by a second whenever somebody looks."""

    def __init__(self, step: float = 1.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Eager(Patience):
    """Looks more often than it says."""

    @property
    def tick(self) -> float:
        return TICK


def supplier(patience: Patience | None = None, clock: Callable[[], float] | None = None) -> Supplier:
    return Supplier(patience or Eager(30.0), clock or Clock(TICK * 4))


async def never() -> None:
    await asyncio.Event().wait()


async def test_work_that_is_done_is_given_back() -> None:
    async def answer() -> str:
        return "there"

    assert await supplier().wait(answer()) == "there"


async def test_a_source_that_never_answers_is_given_up_after_the_deadline_once() -> None:
    patience = Eager(0.5)
    silent = supplier(patience)
    with pytest.raises(GivenUp, match="too slow"):
        await silent.wait(never())
    assert (silent.outcome, silent.given_up) == ("timeout", True)
    assert 0.5 <= patience.wasted <= 0.5 + 4 * TICK
    with pytest.raises(GivenUp):
        await silent.wait(never())
    assert patience.wasted <= 0.5 + 4 * TICK


async def test_all_who_wait_for_it_are_told_and_its_time_is_counted_once() -> None:
    patience = Eager(0.5)
    silent = supplier(patience)
    told = await asyncio.gather(*(silent.wait(never()) for _ in range(10)), return_exceptions=True)
    assert [type(item) for item in told] == [GivenUp] * 10
    assert patience.wasted <= 0.5 + 4 * TICK


async def test_a_slow_drip_is_waste_and_a_steady_stream_is_not() -> None:
    clock = Clock(TICK * 4)

    async def stream(source: Supplier, per_second: float) -> str:
        last = clock.now
        for _ in range(200):
            await asyncio.sleep(0)
            source.arrived(int((clock.now - last) * per_second))
            last = clock.now
            await asyncio.sleep(TICK)
        return "all of it"

    fast = Supplier(Eager(0.5), clock)
    assert await fast.wait(stream(fast, SLOWEST * 4)) == "all of it"
    drip = Supplier(Eager(0.5), clock)
    with pytest.raises(GivenUp):
        await drip.wait(stream(drip, 20))


async def test_what_was_fast_may_pause_for_the_grace_but_not_for_longer() -> None:
    patience = Eager(1.0)
    source = supplier(patience)
    source.arrived(SLOWEST * 1000)

    with pytest.raises(GivenUp):
        await source.wait(never())
    assert source.wasted <= patience.deadline + 4 * TICK


async def test_the_deadline_is_for_all_sources_together_and_a_late_one_has_its_grace() -> None:
    patience = Eager(30.0)
    patience.waste(30.0, 30.0)  # another source had all of it
    late = Supplier(patience, Clock(TICK * 4))
    with pytest.raises(GivenUp):
        await late.wait(never())
    assert patience.grace <= late.wasted <= patience.grace + 4 * TICK
    assert patience.wasted <= 30.0 + late.wasted


def test_seconds_in_which_several_waste_count_once() -> None:
    patience = Patience(30.0)
    patience.waste(10.0, 4.0)
    patience.waste(11.0, 3.0)
    patience.waste(10.5, 2.0)
    assert patience.wasted == 5.0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unavailable("reg", "reset"), "error"),
        (RegistryTimeout("reg", "slow"), "timeout"),
        (NotFound("reg", "no"), None),
    ],
)
async def test_a_registry_that_fails_for_good_is_given_up_and_one_that_lacks_something_is_not(
    error: Exception, outcome: str | None
) -> None:
    async def fail() -> None:
        raise error

    source = supplier()
    with pytest.raises(type(error)):
        await source.wait(fail())
    assert source.outcome == outcome


async def test_work_that_is_not_waited_for_is_ended() -> None:
    ended = []

    async def work() -> None:
        try:
            await never()
        finally:
            ended.append(True)

    source = supplier(Eager(0.2))
    with pytest.raises(GivenUp):
        await source.wait(work())
    assert ended == [True]


async def test_whoever_stops_waiting_ends_the_work() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await never()
        finally:
            ended.set()

    waiting = asyncio.create_task(supplier(Eager(1e6)).wait(work()))
    await asyncio.sleep(TICK * 3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
