"""Trees made real: remote layers pulled and unpacked, only when somebody needs their files."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..core.oci import Descriptor, Digest
from ..host.content import BlobMissing, BlobStore, OciLayout
from ..host.layers import LayerError, PackedLayer, pack
from ..host.registry import NotFound, RegistryClient
from ..host.snapshots import LayerSource, Snapshotter
from .failures import LayerBroken, LayerLost
from .layers import Layer, LocalLayer, RemoteLayer, Tree
from .surroundings import Surroundings

_DOWNLOADS = 4
_READ = 1 << 20


@dataclass
class TreeStore:
    """Snapshots and blobs of one build. Each tree is materialised once, whoever asks."""

    client: RegistryClient
    surroundings: Surroundings
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)
    _exists: dict[Digest, asyncio.Task[bool]] = field(default_factory=dict)
    _packed: dict[str, asyncio.Task[PackedLayer]] = field(default_factory=dict)
    _downloads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_DOWNLOADS))
    pulled: dict[Digest, int] = field(default_factory=dict)
    """Compressed sizes of the layers that were downloaded."""
    lost: set[tuple[str, Digest]] = field(default_factory=set)
    """Layers that were not there when they were needed, by origin and digest."""

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
        remote = (layer for layer in tree.layers if isinstance(layer, RemoteLayer))
        return any((str(layer.origin), layer.descriptor.digest) in self.lost for layer in remote)

    async def _has_layer(self, layer: RemoteLayer) -> bool:
        digest = layer.descriptor.digest
        if self.blobs.has(digest):
            return True
        if isinstance(layer.origin, OciLayout):
            return layer.origin.has(digest)
        if digest not in self._exists:
            self._exists[digest] = asyncio.create_task(self.client.has_blob(layer.origin, digest))
        return await asyncio.shield(self._exists[digest])

    async def snapshot(self, tree: Tree) -> str | None:
        """The name of the committed snapshot with the tree's files; None for the empty tree. Raises LayerLost,
        LayerBroken.
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
                remote = [str(layer.origin) for layer in missing if isinstance(layer, RemoteLayer)]
                if not remote:  # layers of our own
                    raise
                raise LayerBroken(", ".join(dict.fromkeys(remote)), error) from error
        return name

    async def packed(self, layer: LocalLayer) -> PackedLayer:
        """The layer as a blob, made once: for an image, or to lie on another tree than the one it was made on."""
        if layer.name not in self._packed:
            self._packed[layer.name] = asyncio.create_task(asyncio.to_thread(self._pack, layer))
        return await asyncio.shield(self._packed[layer.name])

    def _pack(self, layer: LocalLayer) -> PackedLayer:
        with self.snapshots.changes(layer.name) as changes:
            return pack(changes, self.blobs)

    async def blob(self, layer: RemoteLayer) -> None:
        """Download the layer, verified, if it is not here yet. Raises LayerLost."""
        digest = layer.descriptor.digest
        async with self._locks.setdefault(digest, asyncio.Lock()), self._downloads:
            if self.blobs.has(digest):
                return
            try:
                with self.blobs.ingest(layer.descriptor) as ingest:
                    async for chunk in self._read(layer):
                        await asyncio.to_thread(ingest.write, chunk)
                    ingest.commit()
            except (NotFound, BlobMissing) as error:
                self.lost.add((str(layer.origin), digest))
                raise LayerLost(f"layer {digest} is gone from {layer.origin}") from error
            if layer.repository:
                self.pulled[digest] = layer.descriptor.size

    def _read(self, layer: RemoteLayer) -> AsyncGenerator[bytes, None]:
        if isinstance(layer.origin, OciLayout):
            return _read_file(layer.origin, layer.descriptor)
        return self.client.open_blob(layer.origin, layer.descriptor)

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


async def _read_file(layout: OciLayout, descriptor: Descriptor) -> AsyncGenerator[bytes, None]:
    with await asyncio.to_thread(layout.open, descriptor) as file:
        while data := await asyncio.to_thread(file.read, _READ):
            yield data
