"""A cache source that may be hostile: not more than so much is read of it, and decoding never stands in the way.

Each document has a limit of its own; but an index may list a hundred images, each with the largest config there can be
and an attached cache besides. So all that is read of one source counts together.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from ..core.oci import Descriptor, Digest, Reference
from ..host.content import OciLayout
from .cache_place import Place

MAX_BYTES = 64 << 20
"""Manifests and configs of one source, together; decompressed where they are compressed."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True)
class BoundedPlace:
    """The place behind it, as long as it has not said too much. Raises ValueError then, and what that place raises."""

    place: Place
    left: int = MAX_BYTES
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def top(self) -> tuple[Descriptor, bytes]:
        top, data = await self.place.top()
        self.spend(len(data))
        return top, data

    async def manifest(self, entry: Descriptor) -> bytes:
        data = await self.place.manifest(entry)
        self.spend(len(data))
        return data

    async def blob(self, entry: Descriptor, limit: int) -> bytes:
        self.spend(entry.size)
        return await self.place.blob(entry, limit)

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        return await self.place.referrers(subject, artifact_type)

    def origin(self, top: Digest) -> Reference | OciLayout:
        return self.place.origin(top)

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise ValueError(f"there is more than {MAX_BYTES >> 20} MiB to be read")

    async def decoded(self, decode: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function makes of a document, in a thread: the deadline goes on. One document at a time, for the
        values are many times larger than the text."""
        async with self._decoding:
            return await asyncio.to_thread(decode, *args, **kwargs)
