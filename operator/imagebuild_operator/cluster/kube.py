"""The cluster behind a real API server, through the official client's asyncio part.

JSON goes in and out as it is: the client's typed models would refuse fields that a newer server sends.
"""

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config

from ..resource import ANNOTATION_BUILD_HASH, GROUP, LABEL_UID, PLURAL, VERSION
from .door import ClusterError, Conflict, NameTaken, NotFound, Object, Refused, Unavailable

_TIMEOUT = 20.0
_PAGE = 500
_PLURALS = {"ConfigMap": "configmaps", "Pod": "pods"}
Counted = Callable[[str, str], None]
"""Told each request's verb and status code."""


@asynccontextmanager
async def connect(counted: Counted = lambda verb, code: None) -> AsyncIterator["KubeCluster"]:
    """From inside a pod by its service account, else by KUBECONFIG as kubectl would."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with client.ApiClient(configuration) as api:
        yield KubeCluster(api, counted)


class KubeCluster:
    """Implements Cluster, and what the Lease needs."""

    def __init__(self, api: client.ApiClient, counted: Counted = lambda verb, code: None) -> None:
        self._api = api
        self._counted = counted

    async def get_image_build(self, namespace: str, name: str) -> Object:
        return await self.request("GET", f"{_image_builds(namespace)}/{quote(name)}")

    async def list_image_builds(self, namespace: str | None) -> list[Object]:
        return await self._list(_image_builds(namespace), {})

    async def list_builder_pods(self, namespace: str, uid: str) -> list[Object]:
        return await self._list(_core(namespace, "Pod"), {"labelSelector": f"{LABEL_UID}={uid}"})

    async def put_status(self, namespace: str, name: str, resource_version: str, status: Object) -> None:
        path = f"{_image_builds(namespace)}/{quote(name)}/status"
        # `replace` of the resource version makes the server check it (409); `add` replaces the status whole, which
        # a merge patch would not.
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version},
            {"op": "add", "path": "/status", "value": status},
        ]
        await self.request("PATCH", path, patch, content_type="application/json-patch+json")

    async def ensure(self, manifest: Object) -> None:
        metadata, kind = manifest["metadata"], str(manifest["kind"])
        path = _core(metadata["namespace"], kind)
        try:
            await self.request("POST", path, manifest)
        except Conflict as error:
            present = await self.request("GET", f"{path}/{quote(metadata['name'])}")
            if not _same_object(manifest, present):
                message = f"{kind} {metadata['namespace']}/{metadata['name']} exists and is not of this build"
                raise NameTaken(message, error.code) from error

    async def delete(self, kind: str, namespace: str, name: str, owner_uid: str) -> None:
        path = f"{_core(namespace, kind)}/{quote(name)}"
        try:
            present = await self.request("GET", path)
            if owner_uid not in _owners(present):
                return
            # The uid as precondition: never another object that took the name in between.
            options = {"preconditions": {"uid": present["metadata"]["uid"]}, "propagationPolicy": "Background"}
            await self.request("DELETE", path, options)
        except (NotFound, Conflict):
            return

    async def tell(self, event: Object) -> None:
        namespace = event["metadata"]["namespace"]
        try:
            await self.request("POST", f"/apis/events.k8s.io/v1/namespaces/{quote(namespace)}/events", event)
        except Conflict:
            return

    async def request(
        self, verb: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """One request; raises the ClusterError that its status code means."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
        code = 0
        try:
            sent = await self._api.param_serialize(
                verb, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = await self._api.call_api(*sent, _request_timeout=_TIMEOUT)
            data: bytes = await answer.read()  # type: ignore[no-untyped-call]
            code = answer.status
        except (aiohttp.ClientError, TimeoutError, ssl.SSLError, OSError) as error:
            raise Unavailable(f"{verb} {path}: {type(error).__name__}: {error}") from error
        except client.ApiException as error:
            code = int(error.status or 0)
            raise _error(verb, path, code, str(error.body or error.reason or "")) from error
        finally:
            self._counted(verb.lower(), str(code))
        if code >= 300:
            raise _error(verb, path, code, data.decode("utf-8", "replace"))
        decoded = json.loads(data)
        return decoded if isinstance(decoded, dict) else {}

    async def _list(self, path: str, query: dict[str, str]) -> list[Object]:
        items: list[Object] = []
        more = ""
        while True:
            asked = {**query, "limit": str(_PAGE), **({"continue": more} if more else {})}
            page = await self.request("GET", f"{path}?{urlencode(asked)}")
            items.extend(page.get("items") or [])
            more = str((page.get("metadata") or {}).get("continue") or "")
            if not more:
                return items


def _image_builds(namespace: str | None) -> str:
    within = f"/namespaces/{quote(namespace)}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{within}/{PLURAL}"


def _core(namespace: str, kind: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/{_PLURALS[kind]}"


def _owners(thing: Object) -> set[str]:
    return {str(owner.get("uid")) for owner in thing["metadata"].get("ownerReferences") or []}


def _same_object(wanted: Object, present: Object) -> bool:
    """Ours, for the same state of the spec, and not on its way out."""
    hashes = [(thing["metadata"].get("annotations") or {}).get(ANNOTATION_BUILD_HASH) for thing in (wanted, present)]
    leaving = present["metadata"].get("deletionTimestamp")
    return not leaving and bool(_owners(wanted) & _owners(present)) and hashes[0] == hashes[1]


def _error(verb: str, path: str, code: int, body: str) -> ClusterError:
    try:
        message = str(json.loads(body).get("message") or body)
    except (ValueError, AttributeError):
        message = body
    text = f"{verb} {path}: {code}: {message[:600]}"
    match code:
        case 404:
            return NotFound(text, code)
        case 409:
            return Conflict(text, code)
        case 400 | 403 | 422:
            return Refused(message[:600], code)
        case 429:
            return Unavailable(text, code)
        case _ if code >= 500:
            return Unavailable(text, code)
        case _:
            return ClusterError(text, code)
