"""A file by HTTP, as BuildKit's http source fetches it (source/http/source.go).

Redirects are followed, but from TLS to plain text only for a file whose checksum is known. A user and password in the
URL are sent to that server alone. Bytes that a server compressed for the way are taken out of it, as Go's client does,
so that a checksum is the same everywhere.
"""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urljoin, urlsplit

from ...core.oci import Digest
from ..web import Connections, is_certificate_problem, origin, redacted, trust_of
from .errors import FetchFailed, WrongChecksum, kind_of_status

if TYPE_CHECKING:
    import httpx

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """`bytes` of the file, `seconds` for all of it, `pause` seconds for one piece of it."""

    bytes: int = 16 << 30
    seconds: float = 3600.0
    pause: float = 60.0
    redirects: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """`last_modified` is an HTTP date in its usual form, empty without one; `time` the same in seconds, 0 without."""

    path: Path
    checksum: Digest
    last_modified: str = ""
    time: int = 0


async def fetch_url(
    url: str,
    path: Path,
    *,
    checksum: Digest | None = None,
    limits: FetchLimits = FetchLimits(),
) -> FetchedFile:
    """The URL's file at `path`, which must not exist. Raises FetchFailed, WrongChecksum, and OSError for a full disk.

    Where it fails, nothing stays at `path`.
    """
    connections = Connections()
    try:
        async with asyncio.timeout(limits.seconds):
            async with _answer(connections, url, limits, pinned=checksum is not None) as response:
                found = await _save(url, response, path, limits)
                time = _http_time(response.headers.get("last-modified", ""))
        if checksum is not None and found != checksum:
            raise WrongChecksum(url, checksum, found)
    except TimeoutError as error:
        path.unlink(missing_ok=True)
        raise FetchFailed(url, f"did not arrive within {limits.seconds:.0f} s", "timeout") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        await connections.close()
    modified = "" if time is None else formatdate(time, usegmt=True)
    return FetchedFile(path=path, checksum=found, last_modified=modified, time=time or 0)


def _http_time(text: str) -> int | None:
    """Of a date in one of the three forms of RFC 9110, 5.6.7; anything else is none."""
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"):
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=UTC).timestamp())
        except (ValueError, OverflowError):
            continue
    return None


@asynccontextmanager
async def _answer(
    connections: Connections, url: str, limits: FetchLimits, *, pinned: bool
) -> "AsyncIterator[httpx.Response]":
    """The answer at the end of all redirects."""
    if not _can_be_asked(url):
        raise FetchFailed(url, "is not a URL that can be asked", "invalid")
    here = url
    for _ in range(limits.redirects + 1):
        response = await _exchange(connections, url, here, limits)
        try:
            if response.status_code not in _REDIRECTS:
                status = response.status_code
                if not 200 <= status < 300:
                    raise FetchFailed(url, f"the server answers {status}{_after(url, here)}", kind_of_status(status))
                yield response
                return
            there = _joined(here, response.headers.get("location", ""))
        finally:
            await response.aclose()
        if not _can_be_asked(there):
            raise FetchFailed(url, "is redirected to something that is no URL", "invalid")
        if here.startswith("https:") and there.startswith("http:") and not pinned:
            raise FetchFailed(
                url, f"is redirected from TLS to plain {redacted(there)}; state its --checksum to allow that", "invalid"
            )
        if origin(there) != origin(here):
            there = _without_user(there)
        here = there
    raise FetchFailed(url, f"is redirected more than {limits.redirects} times", "invalid")


def _can_be_asked(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
    except ValueError:
        return False


def _joined(here: str, location: str) -> str:
    try:
        return urljoin(here, location)
    except ValueError:
        return ""


def _after(url: str, here: str) -> str:
    return "" if here == url else f" at {redacted(here)}"


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


async def _exchange(connections: Connections, url: str, here: str, limits: FetchLimits) -> "httpx.Response":
    import httpx

    timeout = httpx.Timeout(limits.pause, connect=min(limits.pause, 15.0))
    try:
        client = connections.client(trust_of(here, frozenset()))
        request = client.build_request("GET", here, headers={"accept-encoding": "gzip"}, timeout=timeout)
        return await client.send(request, stream=True)
    except httpx.TimeoutException as error:
        raise FetchFailed(url, f"the server does not answer{_after(url, here)}", "timeout") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeError) as error:
        raise FetchFailed(url, "is not a URL that can be asked", "invalid") from error
    except httpx.TransportError as error:
        raise FetchFailed(url, _told(error), "invalid" if is_certificate_problem(error) else "unavailable") from error


async def _save(url: str, response: "httpx.Response", path: Path, limits: FetchLimits) -> Digest:
    state = hashlib.sha256()
    size = 0
    with path.open("xb") as file:
        path.chmod(0o600)
        async with aclosing(_content(url, response)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > limits.bytes:
                    raise FetchFailed(url, f"is larger than {limits.bytes} bytes", "invalid")
                await asyncio.to_thread(_write, file, state, piece)
    return Digest.from_hash(state.digest())


def _write(file: BinaryIO, state: "hashlib._Hash", piece: bytes) -> None:
    file.write(piece)
    state.update(piece)


async def _content(url: str, response: "httpx.Response") -> AsyncGenerator[bytes, None]:
    """The body, decompressed if the server compressed it for the way."""
    import httpx

    packed = response.headers.get("content-encoding", "").lower() == "gzip"
    inflate = zlib.decompressobj(31)
    try:
        async for raw in response.aiter_raw(_CHUNK):
            if not packed:
                yield raw
                continue
            while raw and not inflate.eof:
                if piece := inflate.decompress(raw, _CHUNK):
                    yield piece
                raw = inflate.unconsumed_tail
        while packed and not inflate.eof and (piece := inflate.decompress(b"", _CHUNK)):
            yield piece
    except httpx.TimeoutException as error:
        raise FetchFailed(url, "the server stopped sending", "timeout") from error
    except httpx.TransportError as error:
        raise FetchFailed(url, _told(error), "unavailable") from error
    except zlib.error as error:
        raise FetchFailed(url, "the server's compression is broken", "unavailable") from error
    if packed and not inflate.eof:
        raise FetchFailed(url, "the answer ended early", "unavailable")


def _told(error: Exception) -> str:
    return str(error) or "the connection was lost"
