"""Layers as a manifest lists them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..core.oci import Descriptor, Digest, MediaType
from .image import oci_layer
from .layers import Layer, LocalLayer, RemoteLayer
from .store import TreeStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLayer:
    """`remote` is set for a layer that need not be here."""

    descriptor: Descriptor
    diff_id: Digest
    created: str
    remote: RemoteLayer | None = None


@dataclass
class Packer:
    """One build's layers on their way out."""

    store: TreeStore

    async def pack(self, layers: Sequence[Layer]) -> list[ListedLayer]:
        """Side by side, in the order given, with OCI's media types and without the annotations of elsewhere."""
        return list(await asyncio.gather(*(self._layer(layer) for layer in layers)))

    async def _layer(self, layer: Layer) -> ListedLayer:
        match layer:
            case RemoteLayer():
                return ListedLayer(
                    descriptor=oci_layer(layer.descriptor), diff_id=layer.diff_id, created=layer.created, remote=layer
                )
            case LocalLayer():
                packed = await self.store.packed(layer)
                descriptor = replace(packed.descriptor, media_type=MediaType.OCI_LAYER_GZIP)
                return ListedLayer(descriptor=descriptor, diff_id=packed.diff_id, created=layer.created)


def identity(layer: Layer) -> str:
    """Equal for equal layers of one build."""
    return layer.name if isinstance(layer, LocalLayer) else layer.descriptor.digest
