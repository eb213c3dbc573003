"""The operator put together: servers, lease, watches, queue, resync; up in that order, down in reverse."""

import asyncio
import contextlib
import logging
import os
import signal
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import kopf

from . import __version__
from .cluster import ClusterError, KubeCluster, LeaderElection, connect
from .handlers import Reconciler, WorkQueue, list_served, registry_of, settle
from .http_server import serving
from .metrics import Metrics
from .resource import Phase, decode_status, parse_time
from .settings import Settings

_log = logging.getLogger(__name__)
_WATCHES_PAUSE = 10.0
_STALE = 60.0
"""Seconds without an answer from the API server after which a replica is not ready."""


async def run(settings: Settings) -> int:
    """Until SIGTERM or SIGINT (0), or until the lease is lost or the watches end (1)."""
    metrics = Metrics(__version__)
    state = _State()
    stop = asyncio.Event()
    _stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serving(settings.listen, settings.metrics_port, {"/metrics": lambda: (200, metrics.text())})
        )
        health = {"/healthz": lambda: (200, b"ok\n"), "/readyz": state.ready}
        await stack.enter_async_context(serving(settings.listen, settings.health_port, health))

        def counted(verb: str, code: str) -> None:
            metrics.requested(verb, code)
            if code not in {"0", "401"}:
                state.answered = time.monotonic()

        cluster = await stack.enter_async_context(connect(counted))
        election = _election(cluster, settings)
        if election is not None:
            _log.info("waiting for the lease %s/%s", settings.lease_namespace, settings.lease_name)
            if not await _first(election.acquire(), stop):
                return 0
            stack.push_async_callback(election.release)
        metrics.leads(True)
        return await _lead(settings, cluster, metrics, election, stop)


class _State:
    """When the API server last answered this process."""

    answered = float("-inf")

    def ready(self) -> tuple[int, bytes]:
        # A replica that waits for the lease is ready too: it reads the lease, and a rollout must not wait for it.
        if time.monotonic() - self.answered < _STALE:
            return 200, b"ok\n"
        return 503, b"no answer from the API server\n"


def _election(cluster: KubeCluster, settings: Settings) -> LeaderElection | None:
    if not settings.leader_election:
        return None
    # A process that comes back under the same pod name must not take its predecessor's lease for its own.
    identity = f"{settings.identity}_{os.getpid()}_{time.time_ns() % 10**9}"
    return LeaderElection(cluster, namespace=settings.lease_namespace, name=settings.lease_name, identity=identity)


async def _lead(
    settings: Settings, cluster: KubeCluster, metrics: Metrics, election: LeaderElection | None, stop: asyncio.Event
) -> int:
    reconciler = Reconciler(
        cluster,
        policy=settings.policy,
        builder=settings.builder,
        metrics=metrics,
        namespaces=settings.namespaces,
    )
    queue = WorkQueue(
        reconciler.reconcile, workers=settings.workers, timed=metrics.reconciled, failed=metrics.reconcile_failed
    )
    watches = asyncio.create_task(_watch(settings, queue, metrics, stop))
    resync = asyncio.create_task(_resync(settings, cluster, metrics, queue))
    tasks = {watches, resync, asyncio.create_task(stop.wait())}
    holding = asyncio.create_task(election.hold()) if election else None
    if holding is not None:
        tasks.add(holding)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # Asked before the tasks are ended. kopf has put its own handlers in place of ours: a signal ends the watches.
        lost = election is not None and election.lost.is_set()
        broken = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        metrics.leads(False)
        # The queue first: nothing may be written once the lease may be another's.
        await queue.close()
        stop.set()
        await asyncio.wait({watches}, timeout=5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in broken:
        _log.error("%s", task.exception())
    return 1 if lost or broken else 0


async def _watch(settings: Settings, queue: WorkQueue, metrics: Metrics, stop: asyncio.Event) -> None:
    """kopf's watches until a stop. One that fails for good, as of a namespace that is gone, ends them all: they begin
    again, and meanwhile the resync finds what they miss.
    """
    while not stop.is_set():
        try:
            await kopf.operator(
                registry=registry_of(queue.nudge, metrics.watch_event),
                settings=settle(kopf.OperatorSettings()),
                standalone=True,
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
                stop_flag=stop,
                # Without one, kopf asks the system for this user's name, and a pod's user has none.
                identity=settings.identity,  # type: ignore[arg-type]  # a NewType of str that kopf keeps to itself
            )
        except Exception as error:  # whatever kopf could not cope with
            _log.error("the watches ended and begin again in %.0f s: %s", _WATCHES_PAUSE, error)
            metrics.watches_restarted()
        else:
            return  # asked to: by our event, or by a signal, whose handler is kopf's meanwhile
        _stop_on_signals(stop)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _WATCHES_PAUSE)


def _stop_on_signals(stop: asyncio.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _resync(settings: Settings, cluster: KubeCluster, metrics: Metrics, queue: WorkQueue) -> None:
    """Whatever a watch missed is found here; the gauges are set on the way."""
    while True:
        try:
            things = await list_served(cluster, settings.namespaces)
        except ClusterError as error:
            _log.warning("resync: %s", error)
            await asyncio.sleep(min(10.0, settings.resync))
            continue
        statuses = [decode_status(thing.get("status")) for thing in things]
        now = datetime.now(UTC)
        waiting = [parse_time(status.start_time) for status in statuses if status.phase == Phase.QUEUED]
        ages = [(now - since).total_seconds() for since in waiting if since]
        metrics.count_phases((status.phase for status in statuses), max(ages, default=0.0))
        for thing in things:
            queue.nudge(thing["metadata"]["namespace"], thing["metadata"]["name"])
        await asyncio.sleep(settings.resync)


async def _first(work: object, stop: asyncio.Event) -> bool:
    """Run the coroutine until it ends (True) or a stop is asked for (False)."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine; typeshed wants it spelt out
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    done = bool(task.done())
    for one in (task, stopped):
        one.cancel()
    await asyncio.gather(task, stopped, return_exceptions=True)
    if done and task.exception():
        raise task.exception()
    return done
