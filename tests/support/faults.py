"""A registry in memory that misbehaves on demand. Speaks just enough HTTP/1.1, by hand, to be able to break it.

    async with FaultyRegistry() as registry:
        registry.fail("GET", "/blobs/", Status(503), times=2)
        registry.fail("GET", "/blobs/", Cut(after=1000))

Faults are used up in order; what no fault claims is answered properly.
"""

import asyncio
import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from imagebuild_engine.core.oci import Digest


@dataclass(frozen=True)
class Status:
    """Another answer instead of the right one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """The right answer, but the connection ends after so many bytes of its body (or before its head)."""

    after: int = 0
    head: bool = True


@dataclass(frozen=True)
class CutUpload:
    """The connection ends after so many bytes of the request's body; a session keeps what came."""

    after: int


@dataclass(frozen=True)
class Forged:
    """The right head with other bytes of the same length."""


@dataclass(frozen=True)
class Longer:
    """The right body and more, of unknown length."""

    more: bytes = b"more"


@dataclass(frozen=True)
class Hang:
    """No answer at all, until the client goes away."""


@dataclass(frozen=True)
class Stall:
    """The right answer, but after so many bytes of its body nothing more comes, and nobody hangs up."""

    after: int = 0


@dataclass(frozen=True)
class Drip:
    """The right answer, a byte at a time: head and body."""

    pause: float = 0.05


@dataclass(frozen=True)
class Short:
    """The right head, but for the length: so many bytes of the body are missing."""

    by: int = 7


@dataclass(frozen=True)
class Typed:
    """The right answer under another media type."""

    media_type: str = "text/html"


@dataclass(frozen=True)
class Huge:
    """An answer of so many bytes of blanks."""

    size: int = 64 << 20


@dataclass(frozen=True)
class Lost:
    """The request is obeyed, but its answer is lost."""


Fault = Status | Cut | CutUpload | Forged | Longer | Hang | Stall | Drip | Short | Typed | Huge | Lost
_BLANKS = b" " * (1 << 16)


@dataclass
class _Rule:
    method: str
    path: str
    fault: Fault
    left: int


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    status: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


class FaultyRegistry:
    """Blobs are shared by all repositories but looked up by repository; manifests by repository and selector."""

    def __init__(self) -> None:
        self.blobs: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.seen: list[Seen] = []
        self.ranges = True
        self.tokens: dict[str, str] = {}
        """Accepted Authorization headers; with `challenge` set, everybody else gets that."""
        self.challenge = ""
        self.digest_headers = True
        self.page = 1000
        """Tags in one answer at most."""
        self._rules: list[_Rule] = []
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def host(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def fail(self, method: str, path: str, fault: Fault, *, times: int = 1) -> None:
        """The next requests of the method whose target contains the text go wrong."""
        self._rules.append(_Rule(method, path, fault, times))

    def add_blob(self, repository: str, data: bytes) -> Digest:
        digest = Digest.of(data)
        self.blobs[repository][digest] = data
        return digest

    def add_manifest(self, repository: str, tag: str, data: bytes, media_type: str) -> Digest:
        digest = Digest.of(data)
        self.manifests[repository, tag] = self.manifests[repository, digest] = (media_type, data)
        return digest

    def requests(self, method: str = "", path: str = "") -> list[Seen]:
        return [seen for seen in self.seen if method in ("", seen.method) and path in seen.target]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._one(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.transport.abort() if writer.transport.is_closing() else writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answers one request; False ends the connection."""
        first = await reader.readexactly(1)
        if first == b"\x16":
            return False  # a TLS handshake, which this server does not speak
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        fault = self._fault(method, target)
        length = int(headers.get("content-length", "0"))
        if isinstance(fault, CutUpload):
            part = await reader.readexactly(min(length, fault.after))
            self._store(target, part)
            self.seen.append(Seen(method, target, headers, part, 0))
            writer.transport.abort()
            return False
        body = await reader.readexactly(length)
        if isinstance(fault, Hang):
            self.seen.append(Seen(method, target, headers, body, 0))
            await reader.read()
            return False
        answer = fault if isinstance(fault, Status) else self._answer(method, target, headers, body)
        self.seen.append(Seen(method, target, headers, body, answer.status))
        return await send(writer, method, answer, fault)

    def _fault(self, method: str, target: str) -> Fault | None:
        for rule in self._rules:
            if rule.left and rule.method == method and rule.path in target:
                rule.left -= 1
                return rule.fault
        return None

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Status:
        if self.challenge and headers.get("authorization", "") not in self.tokens:
            return Status(401, {"WWW-Authenticate": self.challenge}, _error("UNAUTHORIZED"))
        path = urlsplit(target).path
        if found := re.fullmatch(r"/v2/(.+)/manifests/([^/]+)", path):
            return self._manifest(method, found[1], found[2], headers, body)
        if found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([^/]*)", path):
            first = int(headers.get("content-range", "0-0").partition("-")[0])
            return self._upload(method, found, target, body, first)
        if found := re.fullmatch(r"/v2/(.+)/blobs/([^/]+)", path):
            return self._blob(self.blobs[found[1]].get(found[2]), headers)
        if found := re.fullmatch(r"/v2/(.+)/tags/list", path):
            return self._tags(found[1], parse_qs(urlsplit(target).query))
        return Status(200, {}, b"{}") if path == "/v2/" else Status(404, {}, _error("NAME_UNKNOWN"))

    def _manifest(self, method: str, name: str, selector: str, headers: Mapping[str, str], body: bytes) -> Status:
        if method == "PUT":
            media_type = headers.get("content-type", "")
            digest = Digest.of(body)
            self.manifests[name, selector] = self.manifests[name, digest] = (media_type, body)
            return Status(201, {"Docker-Content-Digest": digest})
        if (name, selector) not in self.manifests:
            return Status(404, {}, _error("MANIFEST_UNKNOWN"))
        if method == "DELETE":
            body = self.manifests[name, selector][1]
            for key in [key for key, (_, data) in self.manifests.items() if key[0] == name and data == body]:
                del self.manifests[key]
            return Status(202)
        media_type, data = self.manifests[name, selector]
        told = {"Docker-Content-Digest": Digest.of(data)} if self.digest_headers else {}
        return Status(200, {"Content-Type": media_type, **told}, data)

    def _tags(self, name: str, query: Mapping[str, list[str]]) -> Status:
        """By pages of `n` in order, as the spec has it."""
        known = sorted(tag for repository, tag in self.manifests if repository == name and ":" not in tag)
        if not known:
            return Status(404, {}, _error("NAME_UNKNOWN"))
        left = [tag for tag in known if tag > query.get("last", [""])[0]]
        page = left[: min(int(query["n"][0]), self.page)]
        more = {"Link": f'</v2/{name}/tags/list?n={len(page)}&last={page[-1]}>; rel="next"'} if page != left else {}
        return Status(200, more, json.dumps({"name": name, "tags": page}).encode())

    def _blob(self, data: bytes | None, headers: Mapping[str, str]) -> Status:
        if data is None:
            return Status(404, {}, _error("BLOB_UNKNOWN"))
        found = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if found and self.ranges:
            start = int(found[1])
            return Status(206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data[start:])
        return Status(200, {}, data)

    def _store(self, target: str, data: bytes) -> None:
        session = urlsplit(target).path.rpartition("/")[2]
        if session in self.uploads:
            self.uploads[session] += data

    def _upload(self, method: str, place: re.Match[str], target: str, body: bytes, first: int) -> Status:
        name, session = place[1], place[2]
        query = {key: values[0] for key, values in parse_qs(urlsplit(target).query).items()}
        if method == "POST":
            origin, mount = query.get("from", ""), query.get("mount", "")
            if mount in self.blobs[origin]:
                self.blobs[name][mount] = self.blobs[origin][mount]
                return Status(201, {"Docker-Content-Digest": mount})
            session = f"session-{len(self.uploads)}"
            self.uploads[session] = bytearray()
            return Status(202, self._place(name, session))
        if session not in self.uploads:
            return Status(404, {}, _error("BLOB_UPLOAD_UNKNOWN"))
        kept = self.uploads[session]
        match method:
            case "GET":
                return Status(204, self._place(name, session))
            case "DELETE":
                del self.uploads[session]
                return Status(204)
            case "PATCH" if first != len(kept):
                return Status(416, self._place(name, session))
            case "PATCH":
                kept += body
                return Status(202, self._place(name, session))
        kept += body
        if Digest.of(bytes(kept)) != query.get("digest"):
            return Status(400, {}, _error("DIGEST_INVALID"))
        self.blobs[name][query["digest"]] = bytes(self.uploads.pop(session))
        return Status(201, {"Docker-Content-Digest": query["digest"]})

    def _place(self, name: str, session: str) -> dict[str, str]:
        kept = len(self.uploads[session])
        return {"Location": f"/v2/{name}/blobs/uploads/{session}?_state=x", "Range": f"0-{max(kept - 1, 0)}"}


async def send(writer: asyncio.StreamWriter, method: str, answer: Status, fault: Fault | None) -> bool:
    """The answer, as the fault has it; False if the connection is of no more use."""
    body = answer.body
    lines = {"Content-Length": str(len(body)), **answer.headers}
    match fault:
        case Lost() | Cut(head=False):
            writer.transport.abort()
            return False
        case Forged():
            body = bytes(255 - byte for byte in body)
        case Longer(more=more):
            del lines["Content-Length"]
            lines["Connection"] = "close"
            body += more
        case Short(by=missing):
            body = body[:-missing]
            lines["Content-Length"] = str(len(body))
        case Typed(media_type=media_type):
            lines = {name: value for name, value in lines.items() if name.lower() != "content-type"}
            lines["Content-Type"] = media_type
        case Huge(size=size):
            lines["Content-Length"] = str(size)
    head = f"HTTP/1.1 {answer.status} Said\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    said = head.encode() + b"\r\n"
    if method != "HEAD":
        said += body[: fault.after] if isinstance(fault, Cut | Stall) else b"" if isinstance(fault, Huge) else body
    match fault:
        case Drip(pause=pause):
            for byte in said:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(pause)
            return True
        case Stall():
            writer.write(said if method != "HEAD" else said[:20])
            await asyncio.Event().wait()
        case Huge(size=size) if method != "HEAD":
            writer.write(said)
            for _ in range(size // len(_BLANKS)):
                writer.write(_BLANKS)
                await writer.drain()
            return True
    writer.write(said)
    if isinstance(fault, Cut | Longer):
        writer.close()
        return False
    return True


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
