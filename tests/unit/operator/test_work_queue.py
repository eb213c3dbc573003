"""The queue: one reconcile at a time for an object, no nudge lost, errors tried again."""

import asyncio

from imagebuild_operator.cluster import Unavailable
from imagebuild_operator.handlers import WorkQueue


async def test_a_nudge_during_a_reconcile_makes_one_more_and_never_two_at_once() -> None:
    running, most, calls = 0, 0, 0

    async def reconcile(namespace: str, name: str) -> None:
        nonlocal running, most, calls
        running += 1
        most, calls = max(most, running), calls + 1
        await asyncio.sleep(0.01)
        running -= 1

    queue = WorkQueue(reconcile)
    queue.nudge("a", "b")
    await asyncio.sleep(0.005)
    for _ in range(5):
        queue.nudge("a", "b")
    await queue.idle()
    assert (most, calls) == (1, 2)


async def test_an_error_is_counted_and_other_objects_go_on() -> None:
    errors: list[str] = []
    done: list[str] = []

    async def reconcile(namespace: str, name: str) -> None:
        if name == "bad":
            raise Unavailable("down", 503)
        done.append(name)

    queue = WorkQueue(reconcile, failed=errors.append)
    queue.nudge("a", "bad")
    queue.nudge("a", "good")
    await queue.idle()
    assert errors == ["Unavailable"]
    assert done == ["good"]
    await queue.close()


async def test_it_looks_again_when_asked_to() -> None:
    calls = 0
    twice = asyncio.Event()

    async def reconcile(namespace: str, name: str) -> float | None:
        nonlocal calls
        calls += 1
        if calls == 2:
            twice.set()
            return None
        return 0.01

    queue = WorkQueue(reconcile)
    queue.nudge("a", "b")
    await asyncio.wait_for(twice.wait(), 5)
    await queue.close()
