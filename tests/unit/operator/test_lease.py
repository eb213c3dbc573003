"""Leader election: one at a time, by the waiting one's clock, given back at the end."""

import asyncio
import copy
from typing import Any

from imagebuild_operator.cluster import Conflict, LeaderElection, NotFound, Unavailable


class FakeLeases:
    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.clock = 0.0

    async def request(self, verb: str, path: str, body: Any = None, content_type: str = "") -> dict[str, Any]:
        if self.down:
            raise Unavailable("down")
        if verb == "GET":
            if self.lease is None:
                raise NotFound("lease", 404)
            return copy.deepcopy(self.lease)
        if verb == "POST" and self.lease is not None:
            raise Conflict("exists", 409)
        if (
            verb == "PUT"
            and self.lease
            and body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]
        ):
            raise Conflict("moved", 409)
        self.version += 1
        self.lease = copy.deepcopy(body)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return self.lease

    async def sleep(self, seconds: float) -> None:
        self.clock += seconds
        await asyncio.sleep(0)


def candidate(leases: FakeLeases, name: str) -> LeaderElection:
    return LeaderElection(
        leases, namespace="a", name="b", identity=name, clock=lambda: leases.clock, sleep=leases.sleep
    )


async def test_the_second_waits_until_the_first_has_been_silent_long_enough() -> None:
    leases = FakeLeases()
    await candidate(leases, "one").acquire()
    await candidate(leases, "two").acquire()
    assert leases.clock >= 15
    assert leases.lease
    assert leases.lease["spec"]["holderIdentity"] == "two"
    assert leases.lease["spec"]["leaseTransitions"] == 1


async def test_a_released_lease_is_taken_at_once() -> None:
    leases = FakeLeases()
    first = candidate(leases, "one")
    await first.acquire()
    await first.release()
    await candidate(leases, "two").acquire()
    assert leases.clock == 0


async def test_a_holder_that_cannot_renew_gives_up_before_another_may_start() -> None:
    leases = FakeLeases()
    holder = candidate(leases, "one")
    await holder.acquire()
    leases.down = True
    await asyncio.wait_for(holder.hold(), 5)
    assert holder.lost.is_set()
    assert leases.clock < 15


async def test_a_holder_whose_lease_was_taken_gives_up_at_once() -> None:
    leases = FakeLeases()
    holder = candidate(leases, "one")
    await holder.acquire()
    assert leases.lease
    leases.lease["spec"]["holderIdentity"] = "two"
    await asyncio.wait_for(holder.hold(), 5)
    assert leases.clock <= 2


async def test_only_one_of_two_that_write_at_once_gets_it() -> None:
    leases = FakeLeases()
    both = [asyncio.create_task(candidate(leases, name).acquire()) for name in ("one", "two")]
    done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
