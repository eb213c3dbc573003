"""A blob as a stream that is verified while it passes and goes on where a broken connection left it."""

import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ...core.oci import Descriptor
from .errors import InvalidResponse, RegistryError
from .transport import Request, Transport

PROGRESS = 1 << 20
"""So many bytes make up for earlier failures: a bad line delivers in the end, a server that drips does not."""

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


async def download(transport: Transport, request: Request, descriptor: Descriptor) -> AsyncGenerator[bytes, None]:
    """The blob's bytes. The last piece is held back until digest and size are known to be right.

    Raises InvalidResponse if they are not, so nobody sees the end of a wrong blob. After a temporary failure the rest
    is asked for by Range, from the registry itself: a redirect's signature may have expired meanwhile.
    """
    hasher = hashlib.new(descriptor.digest.algorithm)
    offset = 0
    failures, good, started = 0, 0, transport.now()
    held = b""
    while True:
        try:
            async with aclosing(_rest(transport, request, offset, descriptor.size)) as pieces:
                async for piece in pieces:
                    offset += len(piece)
                    if offset > descriptor.size:
                        raise _wrong(request, descriptor, f"is longer than {descriptor.size} bytes")
                    hasher.update(piece)
                    if held:
                        yield held
                    held = piece
                    good += len(piece)
                    if good >= PROGRESS and failures:
                        failures, good, started = 0, 0, transport.now()
            break
        except RegistryError as error:
            failures, good = failures + 1, 0
            if not await transport.pause(error, failures, started):
                raise
    if offset != descriptor.size:
        raise _wrong(request, descriptor, f"has {offset} bytes instead of {descriptor.size}")
    if hasher.hexdigest() != descriptor.digest.hex:
        raise _wrong(request, descriptor, f"has digest {descriptor.digest.algorithm}:{hasher.hexdigest()}")
    if held:
        yield held


async def _rest(transport: Transport, request: Request, offset: int, size: int) -> AsyncGenerator[bytes, None]:
    """What comes from the offset on, in one request."""
    if offset >= size and offset:
        return  # the connection broke after the last byte
    if offset:
        headers = {**request.headers, "range": f"bytes={offset}-"}
        request = replace(request, headers=headers, ok=frozenset({200, 206}))
    async with transport.once(request) as response:
        skip = 0
        if response.status_code == 206:
            found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
            if not found or int(found[1]) != offset:
                raise InvalidResponse(request.registry, "the range is not the one asked for", status=206)
        else:
            skip = offset  # the server does not know ranges
        async with aclosing(transport.pieces(request, response)) as pieces:
            async for piece in pieces:
                passed = piece[skip:]
                skip -= len(piece) - len(passed)
                if passed:
                    yield passed


def _wrong(request: Request, descriptor: Descriptor, what: str) -> InvalidResponse:
    return InvalidResponse(request.registry, f"blob {descriptor.digest} {what}", request=f"GET {request.target}")
