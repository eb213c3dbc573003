"""Trees made real: remote layers pulled and unpacked, only when somebody needs their files."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..core.oci import Descriptor, Digest
from ..host.content import BlobMissing, BlobStore, OciLayout
from ..host.layers import LayerError
from ..host.registry import NotFound, RegistryClient
from ..host.snapshots import LayerSource, Snapshotter
from .failures import LayerBroken, LayerLost
from .layers import RemoteLayer, Tree
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
    _downloads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_DOWNLOADS))
    pulled: dict[Digest, int] = field(default_factory=dict)
    """Compressed sizes of the layers that were downloaded."""

    @property
    def blobs(self) -> BlobStore:
        return self.surroundings.blobs

    @property
    def snapshots(self) -> Snapshotter:
        return self.surroundings.snapshots

    async def has(self, tree: Tree) -> bool:
        """Can every layer still be had? Asked once per blob, with HEAD requests side by side."""
        remote = [layer for layer in tree.layers if isinstance(layer, RemoteLayer)]
        return all(await asyncio.gather(*(self._has_layer(layer) for layer in remote)))

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
        name = tree.name()
        if name is None:
            return None
        async with self._locks.setdefault(name, asyncio.Lock()):
            if self.snapshots.exists(name):
                return name
            missing: list[tuple[str, RemoteLayer]] = []
            rest = tree
            while (top_name := rest.name()) is not None and not self.snapshots.exists(top_name):
                top = rest.layers[-1]
                assert isinstance(top, RemoteLayer), "a local layer's snapshot exists as long as the build"
                missing.insert(0, (top_name, top))
                rest = rest.below()
            await asyncio.gather(*(self.blob(layer) for _, layer in missing))
            sources = [self._source(layer_name, layer) for layer_name, layer in missing]
            try:
                await asyncio.to_thread(self.snapshots.apply_chain, rest.name(), sources)
            except LayerError as error:
                origins = ", ".join(dict.fromkeys(str(layer.origin) for _, layer in missing))
                raise LayerBroken(origins, error) from error
        return name

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
                raise LayerLost(f"layer {digest} is gone from {layer.origin}") from error
            if layer.repository:
                self.pulled[digest] = layer.descriptor.size

    def _read(self, layer: RemoteLayer) -> AsyncGenerator[bytes, None]:
        if isinstance(layer.origin, OciLayout):
            return _read_file(layer.origin, layer.descriptor)
        return self.client.open_blob(layer.origin, layer.descriptor)

    def _source(self, name: str, layer: RemoteLayer) -> LayerSource:
        descriptor = layer.descriptor
        return LayerSource(
            name=name,
            open=lambda: self.blobs.open(descriptor.digest),
            diff_id=layer.diff_id,
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
