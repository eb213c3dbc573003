"""Proxies in front of a real registry, each with its own mishaps: many cases at a time, on one thread.

    with running_proxies(registry.host) as proxies:
        proxy = proxies.open([Rule(Kind.LAYER_GET, Cut(after=1000), times=2)])
        build("--cache-from", f"{proxy.host}/cache:1")
        proxy.count(Kind.LAYER_GET)

A proxy asks for a user and a password (USER, PASSWORD). It has a second address, `elsewhere`, to which it may redirect:
another host as far as credentials go, which never asks for any and notes whoever brings some.
"""

import asyncio
import contextlib
import json
import re
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from imagebuild_engine.core.oci import Digest, MediaType

from tests.support.faults import CutUpload, Fault, Hang, Status, send

USER, PASSWORD = "builder", "hunter2"
AUTHORIZATION = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_CHALLENGE = Status(401, {"WWW-Authenticate": 'Basic realm="tests"'}, b"{}")


class Kind(StrEnum):
    """What a request is about."""

    MANIFEST = "manifest"
    ATTACHED = "attached manifest"
    """A manifest that is asked for by its digest; what has a tag is asked for by that."""
    CONFIG = "config"
    LAYER_HEAD = "layer HEAD"
    LAYER = "layer"
    REFERRERS = "referrers"
    TAGS = "tags"
    UPLOAD_START = "upload start"
    UPLOAD_PATCH = "upload patch"
    UPLOAD_PUT = "upload put"
    MANIFEST_PUT = "manifest put"
    ATTACHED_PUT = "attached manifest put"
    REFERRERS_PUT = "referrers put"
    OTHER = "other"


@dataclass(frozen=True)
class Redirect:
    """To the other address, where the answer is; or to itself for ever."""

    loop: bool = False


@dataclass(frozen=True)
class Planted:
    """Other documents in the place of the right ones: what a tag stands for, and blobs and manifests by digest."""

    top: bytes
    media_type: str
    documents: Mapping[str, bytes] = field(default_factory=dict)

    def answer(self, name: str) -> Status | None:
        data = self.documents.get(name) if name.startswith("sha256:") else self.top
        if data is None:
            return None
        kind = json.loads(data).get("mediaType", self.media_type) if data[:1] == b"{" else self.media_type
        return Status(200, {"Content-Type": kind, "Docker-Content-Digest": Digest.of(data)}, data)


@dataclass
class Rule:
    """The first so many requests of a kind go wrong; None: all of them."""

    kind: Kind
    fault: Fault | Redirect | Planted
    times: int | None = None


@dataclass
class Proxy:
    """One address, and what was asked of it."""

    rules: list[Rule]
    host: str = ""
    elsewhere: str = ""
    counted: Counter[Kind] = field(default_factory=Counter)
    leaked: list[str] = field(default_factory=list)
    """Requests with credentials that came to the other address."""

    @property
    def docker_config(self) -> str:
        """For docker's config.json: who we are here, and nowhere else."""
        secret = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": secret}}})

    def fault(self, kind: Kind) -> Fault | Redirect | Planted | None:
        self.counted[kind] += 1
        for rule in self.rules:
            if rule.kind is kind and rule.times != 0:
                if rule.times is not None:
                    rule.times -= 1
                return rule.fault
        return None


class Proxies:
    """Opens proxies while it runs. `configs` are the digests of configs, which are blobs like others."""

    def __init__(self, upstream: str, configs: Sequence[str] = ()) -> None:
        self._upstream = upstream
        self.configs = set(configs)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def open(self, rules: Sequence[Rule] = ()) -> Proxy:
        return asyncio.run_coroutine_threadsafe(self._open(list(rules)), self._loop).result(30)

    async def _open(self, rules: list[Rule]) -> Proxy:
        proxy = Proxy(rules)
        proxy.host = await self._listen(lambda reader, writer: self._one(proxy, reader, writer))
        proxy.elsewhere = await self._listen(lambda reader, writer: self._other(proxy, reader, writer))
        return proxy

    async def _listen(self, answer: "Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]") -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                while await answer(reader, writer):
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass
            finally:
                self._connections.discard(task)
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _one(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; False ends the connection."""
        method, target, headers = await _head(reader)
        length = int(headers.get("content-length", "0"))
        if headers.get("authorization") != AUTHORIZATION:
            await reader.readexactly(length)
            return await send(writer, method, _CHALLENGE, None)
        kind, name = self._kind(method, target)
        fault = proxy.fault(kind)
        if isinstance(fault, CutUpload):
            await reader.readexactly(min(length, fault.after))
            writer.transport.abort()
            return False
        if isinstance(fault, Hang):
            await reader.read()
            return False
        body = await reader.readexactly(length)
        if isinstance(fault, Redirect):
            place = f"http://{proxy.host if fault.loop else proxy.elsewhere}{target}"
            return await send(writer, method, Status(307, {"Location": place}), None)
        if isinstance(fault, Planted):
            planted = fault.answer(name)
            return await send(writer, method, planted or Status(404, {}, b"{}"), None)
        if isinstance(fault, Status):
            return await send(writer, method, fault, None)
        answer = await self._ask(method, target, headers, body, proxy.host)
        return await send(writer, method, answer, fault)

    async def _other(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, target, headers = await _head(reader)
        if "authorization" in headers:
            proxy.leaked.append(f"{method} {target}")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return await send(writer, method, await self._ask(method, target, headers, body, proxy.elsewhere), None)

    def _kind(self, method: str, target: str) -> tuple[Kind, str]:
        path = urlsplit(target).path
        name = path.rpartition("/")[2]
        if "/manifests/" in path:
            kinds = (
                (Kind.REFERRERS, Kind.REFERRERS_PUT)
                if name.startswith("sha256-")
                else ((Kind.ATTACHED, Kind.ATTACHED_PUT) if ":" in name else (Kind.MANIFEST, Kind.MANIFEST_PUT))
            )
            return kinds[method == "PUT"], name
        if "/blobs/uploads/" in path:
            steps = {"POST": Kind.UPLOAD_START, "PATCH": Kind.UPLOAD_PATCH, "PUT": Kind.UPLOAD_PUT}
            return steps.get(method, Kind.OTHER), name
        if "/blobs/" in path:
            if method == "HEAD":
                return Kind.LAYER_HEAD, name
            return Kind.CONFIG if name in self.configs else Kind.LAYER, name
        if "/referrers/" in path:
            return Kind.REFERRERS, name
        return Kind.TAGS if path.endswith("/tags/list") else Kind.OTHER, name

    async def _ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes, host: str) -> Status:
        """The real registry's answer, whole. Addresses in it are the proxy's."""
        upstream, _, port = self._upstream.partition(":")
        reader, writer = await asyncio.open_connection(upstream, int(port))
        try:
            kept = {name: value for name, value in headers.items() if name not in ("authorization", "connection")}
            lines = "".join(f"{name}: {value}\r\n" for name, value in (kept | {"connection": "close"}).items())
            writer.write(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)
            status, answered = await _answer_head(reader)
            said = b"" if method == "HEAD" else await _body(reader, answered)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        wanted = ("content-type", "docker-content-digest", "location", "range", "content-range", "www-authenticate")
        found = {name: answered[name] for name in wanted if name in answered}
        if "location" in found:
            found["location"] = re.sub(r"^https?://[^/]+", f"http://{host}", found["location"])
        if method == "HEAD" and "content-length" in answered:
            found["Content-Length"] = answered["content-length"]
        return Status(status, found, said)


@contextmanager
def running_proxies(upstream: str, configs: Sequence[str] = ()) -> Iterator[Proxies]:
    proxies = Proxies(upstream, configs)
    proxies.start()
    try:
        yield proxies
    finally:
        proxies.stop()


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    first, headers = await _lines(reader)
    method, target, _ = first.split(" ")
    return method, target, headers


async def _answer_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, headers = await _lines(reader)
    return int(first.split(" ")[1]), headers


async def _lines(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        found = b""
        while size := int(await reader.readline(), 16):
            found += await reader.readexactly(size)
            await reader.readline()
        return found
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


def deep_index(depth: int) -> Planted:
    """Indexes in indexes, each the only entry of the one above it; at the bottom one that lists nothing."""
    documents: dict[str, bytes] = {}
    entries: list[dict[str, object]] = []
    data = b""
    for _ in range(depth):
        data = json.dumps({"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX, "manifests": entries}).encode()
        digest = Digest.of(data)
        documents[digest] = data
        entries = [{"mediaType": MediaType.OCI_INDEX, "digest": digest, "size": len(data)}]
    return Planted(data, MediaType.OCI_INDEX, documents)


def cache_of(config: bytes, layers: Sequence[dict[str, object]] = ()) -> Planted:
    """A cache manifest whose config is these bytes."""
    digest = Digest.of(config)
    described = {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "digest": digest, "size": len(config)}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_MANIFEST,
        "config": described,
        "layers": list(layers),
    }
    data = json.dumps(manifest).encode()
    return Planted(data, MediaType.OCI_MANIFEST, {Digest.of(data): data, digest: config})
