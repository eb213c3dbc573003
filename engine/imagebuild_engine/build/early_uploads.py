"""Layers of steps that have run go to the registry while later steps run, for the caches that will be written anyway.

One at a time, packed by a thread that yields to everything else, and only as long as steps need not fear for the disk.
What goes wrong is of no importance: the export sends whatever is not there yet, and says what is wrong then.
"""

import asyncio
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from ..contract import BuildRequest, CacheTarget
from ..core.cache import is_cheap
from ..core.oci import MediaType, Reference
from ..host.content import ContentError
from ..host.layers import LayerError
from ..host.registry import RegistryError
from ..host.snapshots import SnapshotError
from .layers import LocalLayer, Result, Tree
from .push import Uploads, one_for_each_repository

_NICE = 10
_SPARE_BYTES = 1 << 30
"""Of the disk that steps write to as well."""
_NO_MATTER = (RegistryError, ContentError, LayerError, SnapshotError, OSError)


@dataclass(frozen=True, slots=True)
class Destination:
    """A repository that a cache will lie in, and what that cache keeps."""

    reference: Reference
    target: CacheTarget

    def wants(self, size: int, seconds: float) -> bool:
        """Whether a layer will be there in the end, as far as that can be known from it alone."""
        if self.target.type != "attached":
            return True
        fits = not self.target.max_size or size <= self.target.max_size
        return fits and (self.target.keep_cheap or not is_cheap(size, seconds))


def destinations(request: BuildRequest) -> tuple[Destination, ...]:
    """Where every stage's layers will go."""
    if not request.output.push:
        return ()
    images = one_for_each_repository([Reference.parse(text) for text in request.output.images])
    found = []
    for target in request.cache_to:
        if target.type == "attached":
            found += [Destination(image, target) for image in images]
        elif target.type == "registry" and target.mode == "max":
            found.append(Destination(Reference.parse(target.ref), target))
    return tuple(found)


@dataclass
class EarlyUploads:
    """As an async context manager: nothing of it goes on beyond its end."""

    uploads: Uploads
    destinations: Sequence[Destination]
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _given_up: set[str] = field(default_factory=set)
    _over: bool = False
    _packing: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "early", initializer=_be_nice))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._packing.shutdown, cancel_futures=True)

    def offer(self, result: Result | None, seconds: float) -> None:
        """A step has made this, in so much time."""
        if self.destinations and not self._over and isinstance(result, Tree) and result.layers:
            top = result.layers[-1]
            if isinstance(top, LocalLayer):
                self._tasks.append(asyncio.create_task(self._send(top, round(seconds, 3))))

    def last_call(self) -> None:
        """The export begins: what has not been begun is left to it."""
        self._over = True

    async def _send(self, layer: LocalLayer, seconds: float) -> None:
        async with self._turn:
            if self._over or not self._has_room():
                return
            try:
                packed = await self.uploads.store.packed(layer, self._packing)
            except _NO_MATTER:
                return
            descriptor = replace(packed.descriptor, media_type=MediaType.OCI_LAYER_GZIP)
            for there in self.destinations:
                name = there.reference.name
                if self._over or name in self._given_up or not there.wants(descriptor.size, seconds):
                    continue
                try:
                    await self.uploads.layer(there.reference, descriptor)
                except _NO_MATTER:
                    self._given_up.add(name)

    def _has_room(self) -> bool:
        disk = os.statvfs(self.uploads.store.blobs.directory)
        return disk.f_bavail * disk.f_frsize >= _SPARE_BYTES


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
