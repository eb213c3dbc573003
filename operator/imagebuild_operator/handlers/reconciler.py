"""One reconcile: read, decide, write the status, perform, tell, count. The only writer of status.

Any step may be the last one before a SIGKILL; the next run reads the objects and goes on from there.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from imagebuild_engine.contract import Reason

from ..cluster import Cluster, ClusterError, Conflict, NameTaken, NotFound, Refused
from ..reconcile import (
    Absent,
    CreateAttempt,
    Decision,
    DeleteAttempt,
    Event,
    Lost,
    Measure,
    Observation,
    Policy,
    Sibling,
    World,
    decide,
    observe,
    owned_pod,
)
from ..render import BuilderOptions, build_request, builder_pod, request_config_map
from ..resource import (
    ANNOTATION_BUILD_HASH,
    GROUP,
    KIND,
    VERSION,
    Identity,
    InvalidSpec,
    Spec,
    Status,
    build_hash,
    clip,
    decode_status,
    encode_status,
    parse_spec,
)
from .served import list_served

_log = logging.getLogger(__name__)
_AGAIN = 2.0


class Measured(Protocol):
    """What a reconcile needs of the metrics."""

    def record(self, measure: Measure) -> None: ...


class Reconciler:
    """`await reconcile(namespace, name)` gives the seconds after which to look again, or None.

    Calls for one object must not overlap; the work queue sees to that.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        policy: Policy,
        builder: BuilderOptions,
        metrics: Measured,
        namespaces: tuple[str, ...] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster, self._policy, self._builder = cluster, policy, builder
        self._metrics, self._namespaces, self._clock = metrics, namespaces, clock
        self._admission = asyncio.Lock()

    async def reconcile(self, namespace: str, name: str) -> float | None:
        if not self._policy.limits.any:
            return await self._reconcile(namespace, name)
        # With limits, counting and taking a place must not interleave with another object's.
        async with self._admission:
            return await self._reconcile(namespace, name)

    async def _reconcile(self, namespace: str, name: str) -> float | None:
        try:
            thing = await self._cluster.get_image_build(namespace, name)
        except NotFound:
            return None
        if thing["metadata"].get("deletionTimestamp"):
            return None  # the garbage collector has the owner references
        world = await self._look(thing)
        decision = decide(world)
        version = str(thing["metadata"]["resourceVersion"])
        try:
            await self._write(world, version, decision)
        except Conflict:
            _log.info("%s/%s: changed in between, decided again", namespace, name)
            return _AGAIN
        except NotFound:
            return None
        refused = await self._perform(world, decision)
        await self._tell(world, decision)
        if refused is not None:
            return await self._refuse(namespace, name, refused)
        return decision.requeue_after

    async def _look(self, thing: dict[str, Any], refused: Lost | None = None) -> World:
        identity, spec, status = _identity(thing), _spec(thing), decode_status(thing.get("status"))
        now = self._clock()
        pods = await self._cluster.list_builder_pods(identity.namespace, identity.uid)
        # A namesake's pods (an ImageBuild deleted and made again) are the garbage collector's.
        pods = [pod for pod in pods if identity.uid in _owners(pod)]
        return World(
            identity=identity,
            spec=spec,
            status=status,
            observation=refused or _observation(pods, spec, status, now),
            now=now,
            pods=tuple(owned_pod(pod, now) for pod in pods),
            siblings=await self._siblings(identity, spec, status),
            policy=self._policy,
        )

    async def _siblings(self, identity: Identity, spec: Spec | InvalidSpec, status: Status) -> tuple[Sibling, ...]:
        """Read only where the decision can depend on them."""
        if isinstance(spec, InvalidSpec):
            return ()
        asks = any(entry.image_build_ref or entry.selector for entry in spec.cache.from_)
        under_way = status.current is not None and not status.current.over
        settled = status.terminal and status.observed_generation == identity.generation
        if under_way or settled or not (asks or self._policy.limits.any):
            return ()
        scope = self._namespaces if self._policy.limits.any else (identity.namespace,)
        things = await list_served(self._cluster, scope)
        return tuple(
            Sibling(
                namespace=thing["metadata"]["namespace"],
                name=thing["metadata"]["name"],
                labels=thing["metadata"].get("labels") or {},
                status=decode_status(thing.get("status")),
            )
            for thing in things
        )

    async def _write(self, world: World, version: str, decision: Decision) -> None:
        """The status, only if it changed; then, since it is durable, the measures. At most once: a crash between the
        two loses a count, never counts twice."""
        if decision.status != world.status:
            identity = world.identity
            await self._cluster.put_status(identity.namespace, identity.name, version, encode_status(decision.status))
            _log.info("%s/%s: %s", identity.namespace, identity.name, decision.why)
        for measure in decision.measures:
            self._metrics.record(measure)

    async def _perform(self, world: World, decision: Decision) -> Lost | None:
        """The actions in order; a refusal to make the pod is an outcome of the attempt."""
        identity = world.identity
        for action in decision.actions:
            match action:
                case DeleteAttempt(pod_name=pod, why=why):
                    _log.info("%s/%s: pod %s is deleted (%s)", identity.namespace, identity.name, pod, why)
                    for kind in ("Pod", "ConfigMap"):
                        await self._cluster.delete(kind, identity.namespace, pod, identity.uid)
                case CreateAttempt(revision=revision, attempt=attempt):
                    assert isinstance(world.spec, Spec)  # an invalid spec starts nothing
                    try:
                        await self._create(identity, world.spec, decision.status, revision, attempt)
                    except Refused as error:
                        return _refusal(error)
                    except NameTaken as error:
                        # A namesake's pod that still goes away, or a stranger's: looked at again with the next poll.
                        _log.warning("%s/%s: %s", identity.namespace, identity.name, error)
        return None

    async def _create(self, identity: Identity, spec: Spec, status: Status, revision: int, attempt: int) -> None:
        request = build_request(spec, status)
        await self._cluster.ensure(request_config_map(identity, revision, attempt, request))
        await self._cluster.ensure(builder_pod(identity, spec, revision, attempt, self._builder))

    async def _refuse(self, namespace: str, name: str, refused: Lost) -> float | None:
        """The attempt that was just written has met its end before it had a pod."""
        try:
            thing = await self._cluster.get_image_build(namespace, name)
            world = await self._look(thing, refused)
            decision = decide(world)
            await self._write(world, str(thing["metadata"]["resourceVersion"]), decision)
        except NotFound:
            return None
        except Conflict:
            return _AGAIN
        await self._tell(world, decision)
        return decision.requeue_after

    async def _tell(self, world: World, decision: Decision) -> None:
        """Events are news for people: the status has everything, so one that cannot be told is not worth a failure."""
        for event in decision.events:
            try:
                await self._cluster.tell(_event(world.identity, event, world.now))
            except ClusterError as error:
                _log.warning("%s/%s: event %s: %s", world.identity.namespace, world.identity.name, event.reason, error)


def _refusal(error: Refused) -> Lost:
    text = str(error)
    if "violates PodSecurity" in text:
        return Lost(
            reason=Reason.PROFILE_NOT_ALLOWED, message=clip(f"the namespace does not admit the pod: {text}", 500)
        )
    if error.code == 403:
        return Lost(reason=Reason.QUOTA_FORBIDDEN, message=clip(f"the builder pod is forbidden: {text}", 500))
    return Lost(reason=Reason.INVALID_SPEC, message=clip(f"the API server refuses the builder pod: {text}", 500))


def _identity(thing: dict[str, Any]) -> Identity:
    metadata = thing["metadata"]
    return Identity(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata.get("generation") or 1),
        labels=metadata.get("labels") or {},
    )


def _spec(thing: dict[str, Any]) -> Spec | InvalidSpec:
    try:
        return parse_spec(thing.get("spec") or {})
    except InvalidSpec as error:
        return error


def _owners(pod: dict[str, Any]) -> set[str]:
    return {str(owner.get("uid")) for owner in pod["metadata"].get("ownerReferences") or []}


def _observation(pods: list[dict[str, Any]], spec: Spec | InvalidSpec, status: Status, now: datetime) -> Observation:
    """Of the current attempt's pod; a pod made for another state of the spec is none of it."""
    current = status.current
    if current is None or isinstance(spec, InvalidSpec):
        return Absent()
    wanted = build_hash(spec)
    for pod in pods:
        if pod["metadata"]["name"] == current.pod_name:
            made_for = (pod["metadata"].get("annotations") or {}).get(ANNOTATION_BUILD_HASH)
            return observe(pod, now) if made_for == wanted else Absent()
    return Absent()


def _event(identity: Identity, event: Event, now: datetime) -> dict[str, Any]:
    """The name follows from what is told: told twice is told once."""
    seed = f"{identity.uid}/{event.revision}/{event.attempt}/{event.reason}"
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{identity.name[:200]}.{hashlib.sha256(seed.encode()).hexdigest()[:16]}",
            "namespace": identity.namespace,
        },
        "eventTime": stamp,
        "reportingController": GROUP,
        "reportingInstance": "imagebuild-operator",
        "action": "Reconcile",
        "type": event.kind,
        "reason": event.reason,
        "note": clip(event.message, 1000),
        "regarding": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": identity.namespace,
            "name": identity.name,
            "uid": identity.uid,
        },
    }
