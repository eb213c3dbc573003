"""Leader election on a Lease: at most one replica acts.

The holder renews every `retry` seconds. Another replica takes over when it has seen no change of the Lease for
`duration` seconds **by its own clock**: the written times are for people, since clocks differ between nodes. The holder
stops when its last successful renewal is `renew_deadline` old, which is shorter than `duration`: it has stopped before
another starts.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from .door import ClusterError, Conflict, NotFound, Object

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """Seconds; each must be larger than the next."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class _Requests(Protocol):
    async def request(self, verb: str, path: str, body: Any = None, content_type: str = ...) -> Object: ...


class LeaderElection:
    """`await acquire()`, work while `lost` is not set, `await release()`."""

    def __init__(
        self,
        cluster: _Requests,
        *,
        namespace: str,
        name: str,
        identity: str,
        times: LeaseTimes | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace, self._name, self.identity = namespace, name, identity
        self._times = times or LeaseTimes()
        self._clock, self._sleep = clock, sleep
        self._seen: tuple[str, float] = ("", 0.0)
        """The Lease's resource version, and since when it has been that by our clock."""
        self.lost = asyncio.Event()
        self.last_contact = clock()
        """When the API server last answered; readiness of a replica in waiting depends on it."""

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._try_once():
            await self._sleep(self._times.retry)
        _log.info("%s leads (lease %s/%s)", self.identity, self._namespace, self._name)

    async def hold(self) -> None:
        """Renew until it fails for too long; then `lost` is set. Run as a task, cancel to stop."""
        renewed = self._clock()
        while True:
            await self._sleep(self._times.retry)
            left = self._times.renew_deadline - (self._clock() - renewed)
            # A renewal that hangs must not outlive the deadline either.
            started = self._clock()
            if left > 0 and await self._renewed_within(left):
                renewed = started
            elif self._clock() - renewed >= self._times.renew_deadline or self._taken:
                _log.error("lease %s/%s is lost", self._namespace, self._name)
                self.lost.set()
                return

    async def release(self) -> None:
        """Give the Lease back, so that another replica need not wait."""
        try:
            lease = await self._cluster.request("GET", f"{self._folder}/{self._name}")
            if lease["spec"].get("holderIdentity") == self.identity:
                lease["spec"].update(holderIdentity="", leaseDurationSeconds=1, renewTime=_now())
                await self._cluster.request("PUT", f"{self._folder}/{self._name}", lease)
        except ClusterError as error:
            _log.warning("lease is not released and will expire: %s", error)

    _taken = False

    async def _renewed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._try_once()
        except TimeoutError:
            return False

    async def _try_once(self) -> bool:
        """Take or renew the Lease; False if somebody else has it, or nobody answers."""
        try:
            lease = await self._cluster.request("GET", f"{self._folder}/{self._name}")
        except NotFound:
            return await self._write("POST", self._folder, self._lease({}, 0))
        except ClusterError as error:
            _log.warning("lease cannot be read: %s", error)
            return False
        self.last_contact = self._clock()
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in {"", self.identity}:
            self._taken = True
            version = str(lease["metadata"].get("resourceVersion"))
            if version != self._seen[0]:
                self._seen = (version, self._clock())
            if self._clock() - self._seen[1] < float(spec.get("leaseDurationSeconds") or self._times.duration):
                return False
        transitions = int(spec.get("leaseTransitions") or 0) + (holder != self.identity)
        # The resource version goes along: of two replicas that write at once, one gets a conflict.
        renewed = self._lease(lease["metadata"], transitions)
        if holder == self.identity and spec.get("acquireTime"):
            renewed["spec"]["acquireTime"] = spec["acquireTime"]
        return await self._write("PUT", f"{self._folder}/{self._name}", renewed)

    async def _write(self, verb: str, path: str, lease: Object) -> bool:
        try:
            await self._cluster.request(verb, path, lease)
        except Conflict:
            return False
        except ClusterError as error:
            _log.warning("lease cannot be written: %s", error)
            return False
        self.last_contact = self._clock()
        self._taken = False
        return True

    def _lease(self, metadata: Object, transitions: int) -> Object:
        kept = {"name": self._name, "namespace": self._namespace}
        if "resourceVersion" in metadata:
            kept["resourceVersion"] = metadata["resourceVersion"]
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": kept,
            "spec": {
                "holderIdentity": self.identity,
                "leaseDurationSeconds": int(self._times.duration),
                "acquireTime": _now(),
                "renewTime": _now(),
                "leaseTransitions": transitions,
            },
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
