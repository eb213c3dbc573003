"""Moving an image or a cache to its registry: layers first, then the config, then the manifest under every name."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.oci import Descriptor, Reference
from ..host.registry import PushOutcome, RegistryClient, RegistryError
from .artifact import Artifact
from .failures import PushFailed
from .layers import RemoteLayer
from .store import TreeStore

_UPLOADS = 4


@dataclass(slots=True)
class Moved:
    """Compressed bytes by how they got there."""

    pushed: int = 0
    mounted: int = 0

    def add(self, other: "Moved") -> None:
        self.pushed += other.pushed
        self.mounted += other.mounted


async def push(
    client: RegistryClient,
    store: TreeStore,
    references: Sequence[Reference],
    artifact: Artifact,
    remote: Mapping[str, RemoteLayer],
    neighbours: Sequence[Reference] = (),
) -> Moved:
    """Push under all names. `remote` tells, by digest, which layers need not be here; `neighbours` are other
    repositories that may have some. Raises PushFailed, LayerLost.
    """
    moved = Moved()
    slots = asyncio.Semaphore(_UPLOADS)

    async def layer_to(reference: Reference, layer: Descriptor) -> None:
        async with slots:
            await bring_layer(client, store, reference, layer, remote.get(layer.digest), neighbours, moved)

    try:
        # Names of one repository share its blobs.
        for name in dict.fromkeys(reference.name for reference in references):
            reference = next(item for item in references if item.name == name)
            layers = {layer.digest: layer for layer in artifact.layers}
            await asyncio.gather(*(layer_to(reference, layer) for layer in layers.values()))
            outcome = await client.push_blob(reference, artifact.config, artifact.config_bytes)
            _count(moved, outcome, artifact.config)
        for reference in references:
            await client.push_manifest(reference, artifact.manifest, artifact.media_type)
    except RegistryError as error:
        raise PushFailed(f"cannot push {reference}") from error
    return moved


async def bring_layer(
    client: RegistryClient,
    store: TreeStore,
    reference: Reference,
    layer: Descriptor,
    remote: RemoteLayer | None,
    neighbours: Sequence[Reference],
    moved: Moved,
    *,
    travel: bool = True,
) -> bool:
    """The layer into the repository: found there, mounted, or sent. Whether it is there now: one that would have to be
    pulled first is given up if it may not travel through us. Raises RegistryError, LayerLost.
    """
    origin = remote.repository if remote else None
    near = [place.repository for place in (origin, *neighbours) if place and place.registry == reference.registry]
    if remote is None or store.blobs.has(layer.digest):
        outcome = await client.push_blob(reference, layer, store.blobs.path(layer.digest), mount_from=near)
    else:
        found = await client.find_blob(reference, layer, mount_from=near)
        if found is None:
            if not travel:
                return False
            # Neither there nor next door: it has to travel through us.
            await store.blob(remote)
            found = await client.push_blob(reference, layer, store.blobs.path(layer.digest))
        outcome = found
    _count(moved, outcome, layer)
    return True


def _count(moved: Moved, outcome: PushOutcome, descriptor: Descriptor) -> None:
    if outcome == "uploaded":
        moved.pushed += descriptor.size
    elif outcome == "mounted":
        moved.mounted += descriptor.size
