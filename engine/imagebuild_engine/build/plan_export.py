"""The layers that an export would have to download, because where they go they cannot be had otherwise."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from ..contract import BuildRequest
from ..core.oci import Digest, Reference
from ..host.registry import RegistryClient, RegistryError
from .layers import RemoteLayer, Tree
from .oci_layout import has_blob


async def export_pulls(request: BuildRequest, client: RegistryClient, tree: Tree) -> dict[Digest, int]:
    """Their compressed sizes. Registries are asked what they have; that one of them mounts a layer of its own from
    repository to repository is taken for granted.
    """
    layers = [layer for layer in tree.layers if isinstance(layer, RemoteLayer) and layer.repository]
    pulls: dict[Digest, int] = {}
    if request.output.push:
        references = [Reference.parse(text) for text in request.output.images]
        for reference in {reference.name: reference for reference in reversed(references)}.values():
            pulls |= await _travelling(client, layers, reference)
    if request.output.oci_layout:
        directory = Path(request.output.oci_layout)
        pulls |= _sizes(layer for layer in layers if not has_blob(directory, layer.descriptor))
    return pulls


async def _travelling(client: RegistryClient, layers: Iterable[RemoteLayer], reference: Reference) -> dict[Digest, int]:
    foreign = [layer for layer in layers if layer.repository and layer.repository.registry != reference.registry]
    there = await asyncio.gather(*(_has(client, reference, layer.descriptor.digest) for layer in foreign))
    return _sizes(layer for layer, found in zip(foreign, there, strict=True) if not found)


async def _has(client: RegistryClient, reference: Reference, digest: Digest) -> bool:
    try:
        return await client.has_blob(reference, digest)
    except RegistryError:
        return False


def _sizes(layers: Iterable[RemoteLayer]) -> dict[Digest, int]:
    return {layer.descriptor.digest: layer.descriptor.size for layer in layers}
