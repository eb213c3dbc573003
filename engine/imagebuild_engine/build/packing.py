"""Layers as a manifest lists them. What ran here is packed when somebody wants it, and only once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..core.oci import Descriptor, Digest, MediaType
from ..host.layers import pack
from .image import oci_layer
from .layers import Layer, LocalLayer, RemoteLayer
from .store import TreeStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """`remote` is set for a layer that need not be here."""

    descriptor: Descriptor
    diff_id: Digest
    created: str
    remote: RemoteLayer | None = None


@dataclass
class Packer:
    """One build's layers on their way out."""

    store: TreeStore
    _tasks: dict[str, asyncio.Task[PackedLayer]] = field(default_factory=dict)

    async def pack(self, layers: Sequence[Layer]) -> list[PackedLayer]:
        """Side by side, in the order given, with OCI's media types and without the annotations of elsewhere."""
        return list(await asyncio.gather(*(self._layer(layer) for layer in layers)))

    async def _layer(self, layer: Layer) -> PackedLayer:
        match layer:
            case RemoteLayer():
                return PackedLayer(
                    descriptor=oci_layer(layer.descriptor), diff_id=layer.diff_id, created=layer.created, remote=layer
                )
            case LocalLayer():
                if layer.name not in self._tasks:
                    self._tasks[layer.name] = asyncio.create_task(asyncio.to_thread(self._pack, layer))
                return await asyncio.shield(self._tasks[layer.name])

    def _pack(self, layer: LocalLayer) -> PackedLayer:
        with self.store.snapshots.changes(layer.name) as changes:
            packed = pack(changes, self.store.blobs)
        descriptor = replace(packed.descriptor, media_type=MediaType.OCI_LAYER_GZIP)
        return PackedLayer(descriptor=descriptor, diff_id=packed.diff_id, created=layer.created)


def identity(layer: Layer) -> str:
    """Equal for equal layers of one build."""
    return layer.name if isinstance(layer, LocalLayer) else layer.descriptor.digest
