"""A cluster in memory for the operator's stories: the same protocol, the same refusals, and a kubelet to play by hand.

`fail_at` raises before the n-th write: a SIGKILL there. `fail_after` raises after it: the write happened, and nobody
was told.
"""

import copy
from datetime import datetime
from typing import Any

import msgspec
from imagebuild_engine.contract import (
    BuildResult,
    Bytes,
    CacheResult,
    CacheSourceResult,
    ImageResult,
    Reason,
    Seconds,
    StepResult,
    decode_request,
    encode_result,
    failure,
)
from imagebuild_operator.cluster import Conflict, NameTaken, NotFound, Refused
from imagebuild_operator.resource import ANNOTATION_BUILD_HASH, LABEL_UID, rfc3339

DIGEST = "sha256:" + "a" * 64


class Killed(BaseException):
    """The operator died here. Not an Exception: nothing may catch it."""


class FakeCluster:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.builds: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.events: dict[str, dict[str, Any]] = {}
        self.created_pods: list[str] = []
        self.status_writes = 0
        self.writes = 0
        self.fail_at: int | None = None
        self.fail_after: int | None = None
        self.refuse_pods: Refused | None = None
        self.refuse_events: Refused | None = None
        self._version = 0

    # What a user does

    def apply(self, name: str, spec: dict[str, Any], *, labels: dict[str, str] | None = None) -> None:
        thing = self.builds.get(("shop", name))
        if thing is None:
            metadata = {
                "namespace": "shop",
                "name": name,
                "uid": f"uid-{name}",
                "generation": 1,
                "labels": labels or {},
            }
            thing = self.builds["shop", name] = {"metadata": metadata, "spec": spec}
        elif thing["spec"] != spec:
            thing["spec"] = spec
            thing["metadata"]["generation"] += 1
        self._touch(thing)

    def status(self, name: str) -> dict[str, Any]:
        return self.builds["shop", name].get("status") or {}

    def condition(self, name: str, kind: str) -> dict[str, Any] | None:
        return next((one for one in self.status(name).get("conditions", ()) if one["type"] == kind), None)

    # What the kubelet does

    def pods(self) -> list[dict[str, Any]]:
        return [thing for (kind, _, _), thing in self.objects.items() if kind == "Pod"]

    def working_pods(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.pods() if pod["status"].get("phase") in {"Pending", "Running"}]

    def start(self, pod_name: str) -> None:
        state = {"running": {"startedAt": rfc3339(self.now)}}
        self.objects["Pod", "shop", pod_name]["status"] = {"phase": "Running", "containerStatuses": [{"state": state}]}

    def finish(self, pod_name: str, message: str, exit_code: int, **terminated: Any) -> None:
        ended = {
            "exitCode": exit_code,
            "message": message,
            "startedAt": rfc3339(self.now),
            "finishedAt": rfc3339(self.now),
            **terminated,
        }
        self.objects["Pod", "shop", pod_name]["status"] = {
            "phase": "Failed" if exit_code else "Succeeded",
            "containerStatuses": [{"state": {"terminated": ended}}],
        }

    def succeed(self, pod_name: str, digest: str = DIGEST) -> None:
        self.finish(pod_name, encode_result(self.success(pod_name, digest)).decode(), 0)

    def success(self, pod_name: str, digest: str = DIGEST) -> BuildResult:
        asked = decode_request(self.objects["ConfigMap", "shop", pod_name]["data"]["request.json"].encode())
        sources = tuple(
            CacheSourceResult(ref=one.ref, outcome="used", kind=one.kind, digest=DIGEST, matched=2, seconds=0.1)
            for one in asked.cache_from
        )
        return success_result(digest, sources)

    def fail(self, pod_name: str, reason: Reason, exit_code: int, message: str = "it went wrong") -> None:
        self.finish(pod_name, encode_result(BuildResult(failure=failure(reason, message))).decode(), exit_code)

    def remove_pod(self, pod_name: str) -> None:
        del self.objects["Pod", "shop", pod_name]

    # The protocol

    async def get_image_build(self, namespace: str, name: str) -> dict[str, Any]:
        try:
            return copy.deepcopy(self.builds[namespace, name])
        except KeyError:
            raise NotFound(name, 404) from None

    async def list_image_builds(self, namespace: str | None) -> list[dict[str, Any]]:
        return [copy.deepcopy(thing) for (within, _), thing in self.builds.items() if namespace in {None, within}]

    async def list_builder_pods(self, namespace: str, uid: str) -> list[dict[str, Any]]:
        return [
            copy.deepcopy(pod)
            for pod in self.pods()
            if pod["metadata"]["namespace"] == namespace and pod["metadata"]["labels"][LABEL_UID] == uid
        ]

    async def put_status(self, namespace: str, name: str, resource_version: str, status: dict[str, Any]) -> None:
        thing = self.builds.get((namespace, name))
        if thing is None:
            raise NotFound(name, 404)
        if thing["metadata"]["resourceVersion"] != resource_version:
            raise Conflict(name, 409)
        before = self._before_write()
        thing["status"] = msgspec.json.decode(msgspec.json.encode(status))
        self.status_writes += 1
        self._touch(thing)
        self._after_write(before)

    async def ensure(self, manifest: dict[str, Any]) -> None:
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata["namespace"], metadata["name"])
        if present := self.objects.get(key):
            owned = present["metadata"]["ownerReferences"][0]["uid"] == metadata["ownerReferences"][0]["uid"]
            hashes = [
                (one["metadata"].get("annotations") or {}).get(ANNOTATION_BUILD_HASH) for one in (present, manifest)
            ]
            if not owned or hashes[0] != hashes[1]:
                raise NameTaken(metadata["name"], 409)
            return
        if manifest["kind"] == "Pod" and self.refuse_pods:
            raise self.refuse_pods
        before = self._before_write()
        created = copy.deepcopy(manifest)
        created["metadata"]["creationTimestamp"] = rfc3339(self.now)
        created["status"] = {"phase": "Pending"}
        self.objects[key] = created
        if manifest["kind"] == "Pod":
            self.created_pods.append(metadata["name"])
        self._after_write(before)

    async def delete(self, kind: str, namespace: str, name: str, owner_uid: str) -> None:
        present = self.objects.get((kind, namespace, name))
        if present is None or present["metadata"]["ownerReferences"][0]["uid"] != owner_uid:
            return
        before = self._before_write()
        del self.objects[kind, namespace, name]
        self._after_write(before)

    async def tell(self, event: dict[str, Any]) -> None:
        if self.refuse_events:
            raise self.refuse_events
        self.events.setdefault(event["metadata"]["name"], event)

    def told(self) -> list[str]:
        return [event["reason"] for event in self.events.values()]

    def _touch(self, thing: dict[str, Any]) -> None:
        self._version += 1
        thing["metadata"]["resourceVersion"] = str(self._version)

    def _before_write(self) -> int:
        self.writes += 1
        if self.writes == self.fail_at:
            raise Killed(f"before write {self.writes}")
        return self.writes

    def _after_write(self, number: int) -> None:
        if number == self.fail_after:
            raise Killed(f"after write {number}")


def success_result(digest: str = DIGEST, sources: tuple[CacheSourceResult, ...] = ()) -> BuildResult:
    return BuildResult(
        image=ImageResult(
            digest=digest,
            config_digest=DIGEST,
            media_type="application/vnd.oci.image.manifest.v1+json",
            platform="linux/amd64",
            size=1234,
            pushed=True,
        ),
        steps=(
            StepResult(
                stage="", line=2, instruction="RUN make", outcome="miss", reason="FilesChanged", detail=("a.c",)
            ),
        ),
        cache=CacheResult(total=3, hits=2, misses=1, sources=sources),
        bytes=Bytes(pulled=10, pushed=20, reused=30),
        seconds=Seconds(source=0.1, import_=0.2, build=1.0, export=0.3, total=1.6),
        source_revision="4f2c9d1",
    )
