"""A blob on its way to a registry: found there, mounted from a neighbour, or sent.

    HEAD ─200→ existed
      └ 404 → POST mount=… ─201→ mounted
                 └ 202 (or nothing to mount: POST) → session ─ PUT whole ─→ uploaded
                                                        │ refused as a whole: PATCH in chunks, PUT
                                                        └ broken: there after all? else GET session, PATCH the rest

A session is a URL that every answer renews (distribution spec, "Pushing Blobs"). A session that got lost is begun anew;
the failures of one blob are counted together, whatever the step.
"""

import asyncio
import io
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import quote, urlsplit

from ...core.oci import Descriptor, Reference
from .errors import InvalidResponse, NotFound, RegistryError
from .transport import Answer, Request, Transport

PushOutcome = Literal["existed", "mounted", "uploaded"]

CHUNK = 16 << 20
READ = 1 << 20
MAX_CHUNK = 1 << 30
# What registries and proxies say to a body that they would take in pieces, or from a session that is no more.
_TRY_CHUNKS = frozenset({400, 405, 411, 413, 415, 416, 501})
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")


class Upload:
    """One blob and the repository it goes to."""

    def __init__(self, transport: Transport, ref: Reference, descriptor: Descriptor, source: Path | bytes) -> None:
        self._transport = transport
        self._ref = ref
        self._descriptor = descriptor
        self._source = source
        self._root = f"/v2/{ref.repository}/blobs"
        self._scopes: tuple[str, ...] = (f"repository:{ref.repository}:pull,push",)
        self._chunk = CHUNK

    async def find(self, mount_from: Sequence[str]) -> PushOutcome | None:
        """There already, or now that it is mounted; None if it has to be sent."""
        if await self._exists():
            return "existed"
        for repository in dict.fromkeys(mount_from):
            if repository != self._ref.repository and await self._mount(repository):
                return "mounted"
        return None

    async def push(self, mount_from: Sequence[str]) -> PushOutcome:
        found = await self.find(mount_from)
        if found is not None:
            return found
        with ExitStack() as stack:
            source = self._source
            file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else stack.enter_context(source.open("rb"))
            length, size = file.seek(0, io.SEEK_END), self._descriptor.size
            if length != size:
                raise ValueError(f"blob {self._descriptor.digest}: source has {length} bytes, not {size}")
            await self._send(file)
        return "uploaded"

    async def _send(self, file: BinaryIO) -> None:
        session, offset, chunked = await self._start(), 0, False
        failures, started = 0, self._transport.now()
        while True:
            try:
                if not chunked:
                    await self._commit(session, file)
                    return
                while offset < self._descriptor.size:
                    session, offset = await self._patch(session, file, offset)
                await self._commit(session, None)
                return
            except RegistryError as error:
                if not chunked and error.status in _TRY_CHUNKS and error.code != "DIGEST_INVALID":
                    session, offset, chunked = await self._start(), 0, True
                    continue
                failures += 1
                lost = isinstance(error, NotFound) or error.status == 416
                if lost:
                    error.temporary = True  # another session is another try
                if not await self._transport.pause(error, failures, started):
                    raise
            # The answer may have been lost, not the blob.
            if await self._exists():
                return
            session, offset = await self._resumed(session)
            chunked = chunked or offset > 0

    async def _exists(self) -> bool:
        target = f"{self._root}/{self._descriptor.digest}"
        try:
            await self._transport.call(self._request("HEAD", target, frozenset({200})))
        except NotFound:
            return False
        return True

    async def _mount(self, repository: str) -> bool:
        """Asks for the blob of another repository. A registry that will not or may not answers with a session."""
        query = f"mount={quote(self._descriptor.digest, safe=':')}&from={quote(repository, safe='')}"
        request = Request(
            registry=self._ref.registry,
            method="POST",
            target=f"{self._root}/uploads/?{query}",
            scopes=tuple(sorted((*self._scopes, f"repository:{repository}:pull"))),
            ok=frozenset({201, 202}),
            headers={"content-length": "0"},
        )
        try:
            answer = await self._transport.call(request)
        except RegistryError as error:
            if error.temporary:
                raise
            return False  # not allowed to read there: then it is sent
        if answer.status == 202:
            await self._cancel(self._location(answer))
        return answer.status == 201

    async def _cancel(self, session: str) -> None:
        """Tidies up at the registry, which would do so itself in a week. Not worth an error."""
        try:
            await self._transport.call_once(self._request("DELETE", session, frozenset({204, 202, 200})))
        except RegistryError:
            return

    async def _start(self) -> str:
        request = self._request("POST", f"{self._root}/uploads/", frozenset({202}))
        answer = await self._transport.call(request)
        smallest = answer.headers.get("oci-chunk-min-length", "")
        if smallest.isdecimal() and int(smallest) <= MAX_CHUNK:
            self._chunk = max(CHUNK, int(smallest))
        return self._location(answer)

    async def _commit(self, session: str, file: BinaryIO | None) -> None:
        """Closes the session with the digest; with a file, its whole content is sent along."""
        joint = "&" if urlsplit(session).query else "?"
        target = f"{session}{joint}digest={quote(self._descriptor.digest, safe=':')}"
        length = self._descriptor.size if file else 0
        await self._transport.call_once(
            Request(
                registry=self._ref.registry,
                method="PUT",
                target=target,
                scopes=self._scopes,
                ok=frozenset({201, 204}),
                headers={"content-type": "application/octet-stream"},
                body=(lambda: _read(file, 0, length)) if file and length else b"",
                length=length,
            ),
            patient=True,
        )

    async def _patch(self, session: str, file: BinaryIO, offset: int) -> tuple[str, int]:
        length = min(self._chunk, self._descriptor.size - offset)
        answer = await self._transport.call_once(
            Request(
                registry=self._ref.registry,
                method="PATCH",
                target=session,
                scopes=self._scopes,
                ok=frozenset({202, 204}),
                headers={
                    "content-type": "application/octet-stream",
                    "content-range": f"{offset}-{offset + length - 1}",
                },
                body=lambda: _read(file, offset, length),
                length=length,
            ),
            patient=True,
        )
        received = self._received(answer, offset + length)
        if received <= offset:
            raise InvalidResponse(self._ref.registry, "the upload does not grow", status=answer.status)
        return self._location(answer), received

    async def _resumed(self, session: str) -> tuple[str, int]:
        """The session and how much of the blob it has, or a new session that has nothing.

        An empty session says `0-0`, just as one with a single byte does. Neither is worth finding out about.
        """
        request = self._request("GET", session, frozenset({204, 200}))
        try:
            answer = await self._transport.call(request)
            received = self._received(answer, 0)
            if received > 1:
                return self._location(answer), received
        except RegistryError as error:
            if error.temporary:
                raise
        return await self._start(), 0

    def _received(self, answer: Answer, otherwise: int) -> int:
        """How many bytes the registry says it has (`Range: 0-<last byte>`)."""
        found = _RANGE.fullmatch(answer.headers.get("range", "").strip())
        if not found:
            return otherwise
        received = int(found[1]) + 1
        if received > self._descriptor.size:
            raise InvalidResponse(self._ref.registry, "the upload has more bytes than were sent", status=answer.status)
        return received

    def _location(self, answer: Answer) -> str:
        location = answer.headers.get("location", "")
        if not location:
            raise InvalidResponse(self._ref.registry, "the upload has no location", status=answer.status)
        return location

    def _request(self, method: str, target: str, ok: frozenset[int]) -> Request:
        headers = {"content-length": "0"} if method == "POST" else {}
        return Request(
            registry=self._ref.registry, method=method, target=target, scopes=self._scopes, ok=ok, headers=headers
        )


async def _read(file: BinaryIO, start: int, length: int) -> AsyncGenerator[bytes, None]:
    """A part of the file, read in a thread. What a file that shrank owes is found by the HTTP library."""
    await asyncio.to_thread(file.seek, start)
    while length:
        data = await asyncio.to_thread(file.read, min(READ, length))
        if not data:
            return
        length -= len(data)
        yield data
