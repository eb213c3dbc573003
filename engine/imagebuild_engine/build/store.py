"""Trees made real: remote layers pulled and unpacked, only when somebody needs their files."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from errno import EDQUOT, ENOSPC
from pathlib import Path

from ..core.oci import Descriptor, Digest
from ..host.content import BlobMissing, BlobStore, ContentError, DiskFull, OciLayout
from ..host.layers import LayerError, PackedLayer, pack
from ..host.registry import NotFound, RegistryClient, RegistryError
from ..host.snapshots import LayerSource, Snapshotter
from .failures import LayerBroken, LayerLost, LayerMissing
from .layers import Layer, LocalLayer, RemoteLayer, Tree
from .supplier import GivenUp, Supplier
from .surroundings import Surroundings

_DOWNLOADS = 4
_READ = 1 << 20


@dataclass
class TreeStore:
    """Snapshots and blobs of one build. Each tree is materialised once, whoever asks.

    What a cache source promised may turn out not to be there, to be something else, or not to come. Then LayerLost is
    raised, and remembered: `gone` says so of every tree that has the layer from there.
    """

    client: RegistryClient
    surroundings: Surroundings
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _exists: dict[tuple[str, Digest], asyncio.Task[bool]] = field(default_factory=dict)
    _packed: dict[str, asyncio.Future[PackedLayer]] = field(default_factory=dict)
    _downloads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_DOWNLOADS))
    pulled: dict[Digest, int] = field(default_factory=dict)
    """Compressed sizes of the layers that were downloaded."""
    _lost: dict[tuple[str, Digest], str] = field(default_factory=dict)
    """Why a layer cannot be had, by where it should be (or what it should hold) and digest."""

    @property
    def blobs(self) -> BlobStore:
        return self.surroundings.blobs

    @property
    def snapshots(self) -> Snapshotter:
        return self.surroundings.snapshots

    async def has(self, tree: Tree) -> bool:
        """Can every layer still be had? Asked once per blob, with HEAD requests side by side."""
        remote = [layer for layer in tree.layers if isinstance(layer, RemoteLayer)]
        return not self.gone(tree) and all(await asyncio.gather(*(self._has_layer(layer) for layer in remote)))

    def gone(self, tree: Tree) -> bool:
        """Has a layer of it been looked for in vain?"""
        return bool(self.why_gone(tree))

    def why_gone(self, tree: Tree) -> str:
        """What is wrong with the first layer that cannot be had; "" if nothing is known to be."""
        remote = (layer for layer in tree.layers if isinstance(layer, RemoteLayer) and layer.supplier)
        return next((why for layer in remote if (why := self._why_lost(layer))), "")

    def _why_lost(self, layer: RemoteLayer) -> str:
        assert layer.supplier is not None
        digest = layer.descriptor.digest
        if layer.supplier.given_up and not self.blobs.has(digest):
            return layer.supplier.reason
        return self._lost.get((_place(layer), digest)) or self._lost.get((layer.diff_id, digest), "")

    def _lose(self, layer: RemoteLayer, place: str, why: str) -> LayerLost:
        self._lost.setdefault((place, layer.descriptor.digest), why)
        return LayerLost(f"{layer.origin}: {why}")

    async def _has_layer(self, layer: RemoteLayer) -> bool:
        digest = layer.descriptor.digest
        if self.blobs.has(digest):
            return True
        if isinstance(layer.origin, OciLayout):
            return layer.origin.has(digest)
        key = _place(layer), digest
        if key not in self._exists:
            self._exists[key] = asyncio.create_task(self._ask_for(layer))
        return await asyncio.shield(self._exists[key])

    async def _ask_for(self, layer: RemoteLayer) -> bool:
        assert layer.repository is not None
        digest, supplier = layer.descriptor.digest, layer.supplier
        if supplier is None:
            return await self.client.has_blob(layer.repository, digest)
        try:
            there = await supplier.wait(self._client_for(supplier).has_blob(layer.repository, digest))
            why = f"layer {digest} is gone"
        except (RegistryError, GivenUp) as error:
            there, why = False, str(error)
        if not there:
            self._lose(layer, _place(layer), why)
        return there

    def _client_for(self, supplier: Supplier) -> RegistryClient:
        return self.client.until(self.client.now() + supplier.left)

    async def snapshot(self, tree: Tree) -> str | None:
        """The name of the committed snapshot with the tree's files; None for the empty tree. Raises LayerLost,
        LayerMissing, LayerBroken.
        """
        names = tree.names()
        if not names:
            return None
        name = names[-1]
        async with self._locks.setdefault(name, asyncio.Lock()):
            there = next((count for count in range(len(names), 0, -1) if self.snapshots.exists(names[count - 1])), 0)
            missing = tree.layers[there:]
            if not missing:
                return name
            sources = await asyncio.gather(*map(self._source, names[there:], missing))
            below = names[there - 1] if there else None
            try:
                await asyncio.to_thread(self.snapshots.apply_chain, below, sources)
            except LayerError as error:
                bad = dict(zip(names[there:], missing, strict=True)).get(error.layer)
                if not isinstance(bad, RemoteLayer):  # a layer of our own
                    raise
                if bad.supplier is None:
                    raise LayerBroken(str(bad.origin), error) from error
                raise self._lose(bad, bad.diff_id, f"a layer cannot be unpacked: {error}") from error
        return name

    async def packed(self, layer: LocalLayer, within: Executor | None = None) -> PackedLayer:
        """The layer as a blob, made once: for an image, or to lie on another tree than the one it was made on.

        `within` has the thread that does it, if nobody has begun yet. What went wrong is tried again if asked again.
        """
        known = self._packed.get(layer.name)
        if known is None or (known.done() and (known.cancelled() or known.exception())):
            work = asyncio.get_running_loop().run_in_executor(within, self._pack, layer)
            known = self._packed[layer.name] = asyncio.ensure_future(work)
        return await asyncio.shield(known)

    def packed_size(self, layer: LocalLayer) -> int:
        """Compressed, in bytes; 0 as long as it is not packed."""
        task = self._packed.get(layer.name)
        done = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result().descriptor.size if task is not None and done else 0

    def _pack(self, layer: LocalLayer) -> PackedLayer:
        with self.snapshots.changes(layer.name) as changes:
            return pack(changes, self.blobs)

    async def blob(self, layer: RemoteLayer) -> None:
        """Download the layer, verified, if it is not here yet. Raises LayerLost for what a cache source promised, and
        for a base image's layer LayerMissing, RegistryError."""
        digest = layer.descriptor.digest
        async with self._locks.setdefault(digest, asyncio.Lock()), self._downloads:
            if self.blobs.has(digest):
                return
            if layer.supplier is None:
                try:
                    await self._take_in(layer, self.client)
                except (NotFound, BlobMissing) as error:
                    raise LayerMissing(f"layer {digest} is gone from {layer.origin}") from error
            else:
                await self._supplied(layer, layer.supplier)
            if layer.repository:
                self.pulled[digest] = layer.descriptor.size

    async def _supplied(self, layer: RemoteLayer, supplier: Supplier) -> None:
        if why := self._why_lost(layer):
            raise self._lose(layer, _place(layer), why)
        try:
            await supplier.wait(self._take_in(layer, self._client_for(supplier), supplier.arrived))
        except DiskFull:
            raise
        except (RegistryError, ContentError, GivenUp) as error:
            raise self._lose(layer, _place(layer), str(error)) from error
        except OSError as error:
            if layer.repository or error.errno in (ENOSPC, EDQUOT):
                raise  # the disk that failed is ours
            raise self._lose(layer, _place(layer), str(error)) from error

    async def _take_in(
        self, layer: RemoteLayer, client: RegistryClient, arrived: Callable[[int], None] = lambda _count: None
    ) -> None:
        if isinstance(layer.origin, OciLayout):
            pieces = _read_file(layer.origin, layer.descriptor)
        else:
            pieces = client.open_blob(layer.origin, layer.descriptor)
        async with aclosing(pieces):
            with self.blobs.ingest(layer.descriptor) as ingest:
                async for piece in pieces:
                    arrived(len(piece))
                    await asyncio.to_thread(ingest.write, piece)
                ingest.commit()

    async def _source(self, name: str, layer: Layer) -> LayerSource:
        """The layer, here to be applied."""
        match layer:
            case RemoteLayer(descriptor=descriptor, diff_id=diff_id):
                await self.blob(layer)
            case LocalLayer():
                packed = await self.packed(layer)
                descriptor, diff_id = packed.descriptor, packed.diff_id
        return LayerSource(
            name=name,
            open=lambda: self.blobs.open(descriptor.digest),
            diff_id=diff_id,
            media_type=descriptor.media_type,
        )

    @asynccontextmanager
    async def view(self, tree: Tree) -> AsyncIterator[Path]:
        """The tree's files, to be read only."""
        name = await self.snapshot(tree)
        context = self.snapshots.view(name)
        root = await asyncio.to_thread(context.__enter__)
        try:
            yield root
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)


def _place(layer: RemoteLayer) -> str:
    """Where the blob is, whichever manifest lists it."""
    return layer.repository.name if layer.repository else str(layer.origin)


async def _read_file(layout: OciLayout, descriptor: Descriptor) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(layout.open, descriptor) as file:
        while data := await asyncio.to_thread(file.read, _READ):
            yield data
