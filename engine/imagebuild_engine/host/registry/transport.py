"""Requests to registries: connections, authorization, redirects, retries, counting. Knows no endpoint of the protocol.

    call ──┐                                      ┌─ authorize (token server)
           ├─ retrying ─ once ─ [401: answer, once more] ─ exchange ─ httpx
    open ──┘                 └─ redirects (GET, HEAD; credentials stay with their origin)

A request tells `once` which statuses it expects; every other answer becomes an error of the family, and every
exception of the HTTP library does so in one place, `_translated`.
"""

import asyncio
import copy
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urljoin, urlsplit

from ..web import Connections, Trust, is_certificate_problem, origin, redacted, trust_of
from .authorize import TOKEN_BYTES, Authorizer, Scopes, TokenRequest
from .credentials import CredentialStore
from .endpoint import Endpoint, candidates
from .errors import (
    EXCERPT_BYTES,
    InvalidResponse,
    RegistryError,
    RegistryTimeout,
    Unavailable,
    error_of_status,
)
from .retry import RetryPolicy, parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_Result = TypeVar("_Result")
Body = bytes | Callable[[], AsyncIterator[bytes]] | None
"""A function gives the bytes anew for every time the request is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds for each phase. `read` and `write` are for one piece of a body, not for all of it."""

    connect: float = 10.0
    read: float = 30.0
    write: float = 30.0
    commit: float = 300.0
    """For the answer to a whole upload: object stores copy the blob before they say yes."""
    pool: float = 300.0
    """For a connection to become free; those who hold them have timeouts of their own."""
    whole: float = 60.0
    """For a small answer from first to last byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What went over the wire so far: bytes of bodies, and requests, retries and token servers included."""

    requests: int = 0
    bytes_pulled: int = 0
    bytes_pushed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`target` is a path, or the URL that an earlier answer gave."""

    registry: str
    method: str
    target: str
    scopes: Scopes = ()
    ok: frozenset[int] = frozenset({200})
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = None
    length: int = 0
    """The body's length, if it is a function."""
    at_home: bool = False
    """Is a redirect to another host an error?"""


@dataclass(slots=True)
class _Counters:
    """Shared by all views of one transport."""

    requests: int = 0
    pulled: int = 0
    pushed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A small answer, whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Connections to any number of registries. Close it on the event loop that used it."""

    def __init__(
        self,
        credentials: CredentialStore | None = None,
        *,
        insecure: Collection[str] = (),
        retries: RetryPolicy | None = None,
        timeouts: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._insecure = frozenset(insecure)
        self._retries = retries or RetryPolicy()
        self._timeouts = timeouts or Timeouts()
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._authorizer = Authorizer(credentials, self._fetch_token, clock)
        self._connections = Connections()
        self._endpoints: dict[str, Endpoint] = {}
        self._probes: dict[str, asyncio.Lock] = {}
        self._counters = _Counters()
        self._deadline: float | None = None

    @property
    def transfer(self) -> Transfer:
        counted = self._counters
        return Transfer(requests=counted.requests, bytes_pulled=counted.pulled, bytes_pushed=counted.pushed)

    def until(self, deadline: float) -> Self:
        """The same connections, tokens and counters for what is worth nothing after that moment of the clock: no pause
        before another try is begun that would end later."""
        bounded = copy.copy(self)
        bounded._deadline = deadline
        return bounded

    async def close(self) -> None:
        await self._connections.close()

    async def call(self, request: Request, *, limit: int = EXCERPT_BYTES) -> Answer:
        """The whole answer, tried again as the policy allows. A body over the limit is an InvalidResponse."""
        return await self.retrying(lambda: self.call_once(request, limit=limit))

    async def call_once(self, request: Request, *, limit: int = EXCERPT_BYTES, patient: bool = False) -> Answer:
        """The same, once. `patient` is for uploads: no limit in time for the whole, and long for the answer."""
        try:
            async with asyncio.timeout(None if patient else self._timeouts.whole):
                async with self.once(request, patient=patient) as response:
                    body = await self._small_body(request, response, limit)
                    return Answer(response.status_code, dict(response.headers), body)
        except TimeoutError:
            raise self._error(RegistryTimeout, request, f"no whole answer in {self._timeouts.whole:g} s") from None

    async def retrying(self, deed: Callable[[], Awaitable[_Result]]) -> _Result:
        """The deed's result, after as many tries as the policy allows for temporary errors."""
        started = self._clock()
        failures = 0
        while True:
            try:
                return await deed()
            except RegistryError as error:
                failures += 1
                if not await self.pause(error, failures, started):
                    raise

    async def pause(self, error: RegistryError, failures: int, started: float) -> bool:
        """Waits before the next try, or says that there should be none."""
        if not error.temporary:
            return False
        seconds = self._retries.pause(
            failures, waited=self._clock() - started, retry_after=error.retry_after, jitter=self._jitter()
        )
        if seconds is None or (self._deadline is not None and self._clock() + seconds > self._deadline):
            return False
        await self._sleep(seconds)
        return True

    def now(self) -> float:
        """The clock that `pause` counts from."""
        return self._clock()

    @asynccontextmanager
    async def once(self, request: Request, *, patient: bool = False) -> AsyncGenerator["httpx.Response", None]:
        """The answer's head, its body still to be read. Raises for statuses that were not expected."""
        endpoint = await self._endpoint(request.registry)
        response = await self._authorized(request, endpoint, patient)
        try:
            if request.method in ("GET", "HEAD"):
                response = await self._follow(request, endpoint, response)
            if response.status_code not in request.ok:
                raise await self._refusal(request, response)
            yield response
        finally:
            await response.aclose()

    async def pieces(self, request: Request, response: "httpx.Response") -> AsyncGenerator[bytes, None]:
        """The body as it was sent, counted."""
        with self._translated(request):
            async for piece in response.aiter_raw():
                self._counters.pulled += len(piece)
                yield piece

    async def _authorized(self, request: Request, endpoint: Endpoint, patient: bool) -> "httpx.Response":
        url = urljoin(endpoint.base, request.target)
        if endpoint.secure and url.startswith("http://") and urlsplit(url).netloc == urlsplit(endpoint.base).netloc:
            url = f"https://{url.removeprefix('http://')}"  # a registry behind a proxy that ends TLS for it
        if origin(url) != origin(endpoint.base):
            # Some registries hand out upload URLs elsewhere; those carry their own proof.
            return await self._exchange(request, url, trust_of(url, self._insecure), None, patient)
        header = await self._authorizer.header(request.registry, request.scopes)
        response = await self._exchange(request, url, endpoint.trust, header, patient)
        if response.status_code != 401:
            return response
        try:
            challenges = response.headers.get_list("www-authenticate")
            again = await self._authorizer.answer(
                request.registry, challenges, request.scopes, secure=endpoint.secure, refused=header
            )
            if again is None:
                raise await self._refusal(request, response)
            await self._excerpt(request, response)  # read to its end, the connection can be used again
        finally:
            await response.aclose()
        return await self._exchange(request, url, endpoint.trust, again, patient)

    async def _follow(self, request: Request, endpoint: Endpoint, response: "httpx.Response") -> "httpx.Response":
        """Where redirects lead in the end. Closes what it leaves behind."""
        for _ in range(MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                return response
            here = str(response.request.url)
            there = urljoin(here, response.headers.get("location", ""))
            await self._excerpt(request, response)
            await response.aclose()
            parts = urlsplit(there)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise self._error(InvalidResponse, request, "redirect to something that is no URL")
            if here.startswith("https:") and parts.scheme == "http":
                raise self._error(InvalidResponse, request, f"redirect from TLS to plain {redacted(there)}")
            there = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
            at_home = origin(there) == origin(endpoint.base)
            if request.at_home and not at_home:
                raise self._error(InvalidResponse, request, f"redirect to another host, {redacted(there)}")
            header = await self._authorizer.header(request.registry, request.scopes) if at_home else None
            trust = endpoint.trust if at_home else trust_of(there, self._insecure)
            response = await self._exchange(request, there, trust, header, patient=False)
        if response.status_code in _REDIRECTS:
            await response.aclose()
            raise self._error(InvalidResponse, request, f"more than {MAX_REDIRECTS} redirects")
        return response

    async def _exchange(
        self, request: Request, url: str, trust: Trust, authorization: str | None, patient: bool
    ) -> "httpx.Response":
        import httpx

        headers = {"accept-encoding": "identity", **request.headers}
        if authorization:
            headers["authorization"] = authorization
        content: bytes | AsyncIterator[bytes] | None
        if callable(request.body):
            headers["content-length"] = str(request.length)
            content = self._counted(request.body())
        else:
            content = request.body
            self._counters.pushed += len(content or b"")
        limits = self._timeouts
        timeout = httpx.Timeout(
            connect=limits.connect,
            read=limits.commit if patient else limits.read,
            write=limits.write,
            pool=limits.pool,
        )
        self._counters.requests += 1
        with self._translated(request):
            client = self._connections.client(trust)
            built = client.build_request(request.method, url, headers=headers, content=content, timeout=timeout)
            return await client.send(built, stream=True)

    async def _counted(self, body: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for piece in body:
            self._counters.pushed += len(piece)
            yield piece

    async def _endpoint(self, registry: str) -> Endpoint:
        """The endpoint to use: where there are several, the first that speaks HTTP at all."""
        if registry in self._endpoints:
            return self._endpoints[registry]
        async with self._probes.setdefault(registry, asyncio.Lock()):
            if registry not in self._endpoints:
                known = candidates(registry, self._insecure)
                self._endpoints[registry] = known[0] if len(known) == 1 else await self._probe(registry, known)
            return self._endpoints[registry]

    async def _probe(self, registry: str, known: tuple[Endpoint, ...]) -> Endpoint:
        first: RegistryError | None = None
        for endpoint in known:
            request = Request(registry=registry, method="GET", target="/v2/")
            try:
                response = await self._exchange(request, f"{endpoint.base}/v2/", endpoint.trust, None, patient=False)
            except RegistryError as error:
                first = first or error
                continue
            try:
                await self._excerpt(request, response)
            finally:
                await response.aclose()
            return endpoint
        assert first is not None
        first.temporary = True  # whichever protocol it speaks, it may do so in a moment
        raise first

    async def _fetch_token(self, asked: TokenRequest) -> bytes:
        method = "POST" if asked.form is not None else "GET"
        request = Request(
            registry=asked.registry, method=method, target=asked.url, headers=asked.headers, body=asked.form
        )
        response = await self._exchange(request, asked.url, trust_of(asked.url, self._insecure), None, patient=False)
        try:
            if response.status_code != 200:
                raise await self._refusal(request, response)
            return await self._small_body(request, response, TOKEN_BYTES)
        finally:
            await response.aclose()

    async def _refusal(self, request: Request, response: "httpx.Response") -> RegistryError:
        headers = response.headers
        return error_of_status(
            request.registry,
            response.status_code,
            await self._excerpt(request, response),
            request=f"{request.method} {redacted(str(response.request.url))}",
            retry_after=parse_retry_after(headers.get("retry-after"), date=headers.get("date")),
        )

    async def _excerpt(self, request: Request, response: "httpx.Response") -> bytes:
        """The beginning of a body that explains something; what breaks off explains nothing."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._timeouts.read):
                async for piece in self.pieces(request, response):
                    body += piece
                    if len(body) >= EXCERPT_BYTES:
                        break
        except (RegistryError, TimeoutError):
            return b""
        return bytes(body[:EXCERPT_BYTES])

    async def _small_body(self, request: Request, response: "httpx.Response", limit: int) -> bytes:
        body = bytearray()
        async for piece in self.pieces(request, response):
            body += piece
            if len(body) > limit:
                raise self._error(InvalidResponse, request, f"answer of more than {limit} bytes")
        return bytes(body)

    def _error(self, kind: type[RegistryError], request: Request, message: str) -> RegistryError:
        return kind(request.registry, message, request=_shown(request))

    @contextmanager
    def _translated(self, request: Request) -> "Iterator[None]":
        """The one place where the HTTP library's exceptions become ours."""
        import httpx

        try:
            yield
        except httpx.TimeoutException as error:
            phase = type(error).__name__.removesuffix("Timeout").lower()
            raise self._error(RegistryTimeout, request, f"timed out ({phase})") from error
        except (httpx.LocalProtocolError, httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.DecodingError) as error:
            raise self._error(InvalidResponse, request, f"cannot be asked: {error}") from error
        except httpx.TransportError as error:
            failed = self._error(Unavailable, request, str(error) or "connection lost")
            # An unknown certificate will not be known in a minute.
            failed.temporary = not is_certificate_problem(error)
            raise failed from error


def _shown(request: Request) -> str:
    target = request.target
    return f"{request.method} {redacted(target) if '://' in target else target.partition('?')[0]}"
