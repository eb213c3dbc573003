"""The solved target → an image with inline records, and where it was asked to go."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..contract import BuildRequest, ImageResult
from ..core.cache import LayerResult, encode_records
from ..core.frontend import Lowered
from ..core.oci import Descriptor, Digest, ImageConfig, MediaType, Reference
from ..core.solver import Hit, Solve, Solved, solved_records
from ..host.layers import pack
from .image import dated_history, image_manifest
from .imports import Imported
from .layers import Layer, LocalLayer, RemoteLayer, Result, Tree
from .oci_layout import write_layout
from .push import push
from .store import TreeStore


@dataclass(frozen=True, slots=True)
class Exported:
    """The image and the bytes that moved for it."""

    image: ImageResult
    pushed: int
    mounted: int
    reused: int


@dataclass(frozen=True, slots=True)
class _Packed:
    descriptor: Descriptor
    diff_id: Digest
    created: str
    remote: RemoteLayer | None = None


async def export(
    *,
    request: BuildRequest,
    lowered: Lowered,
    tree: Tree,
    solve: Solve[Result] | None,
    imported: Sequence[Imported],
    store: TreeStore,
    base_layers: int,
    created: str,
) -> Exported:
    """Layers are made once, here; then config, records and manifest; then they travel. `created` dates an empty
    image.
    """
    layers = await asyncio.gather(*(_layer(layer, store) for layer in tree.layers))
    times = [layer.created for layer in layers]
    records = _records(request, lowered, tree, solve, imported)
    history = dated_history(lowered.history, times, created)
    config = ImageConfig(
        platform=lowered.platform,
        config=lowered.config,
        diff_ids=tuple(layer.diff_id for layer in layers),
        history=history,
        created=history[-1].created if history else created,
        author=lowered.author,
        inline_cache=records,
    )
    config_bytes, manifest = image_manifest(config, [layer.descriptor for layer in layers])
    remote: dict[str, RemoteLayer] = {layer.descriptor.digest: layer.remote for layer in layers if layer.remote}
    references = [Reference.parse(text) for text in request.output.images]

    pushed = mounted = 0
    if request.output.push:
        moved = await push(store.client, store, references, manifest, config_bytes, remote)
        pushed, mounted = moved.pushed, moved.mounted
    if request.output.oci_layout:
        tag = references[0].tag if references and references[0].tag else "latest"
        directory = Path(request.output.oci_layout)
        await write_layout(directory, store, manifest, config_bytes, list(remote.values()), tag)

    data = manifest.encode()
    image = ImageResult(
        digest=str(Digest.of(data)),
        config_digest=str(manifest.config.digest),
        media_type=manifest.media_type,
        platform=str(lowered.platform),
        size=len(config_bytes) + sum(layer.size for layer in manifest.layers),
        refs=tuple(str(reference) for reference in references),
        pushed=request.output.push,
    )
    reused = sum(layer.descriptor.size for layer in layers[base_layers:] if layer.remote)
    return Exported(image, pushed, mounted, reused)


async def _layer(layer: Layer, store: TreeStore) -> _Packed:
    match layer:
        case RemoteLayer():
            return _Packed(layer.descriptor, layer.diff_id, layer.created, layer)
        case LocalLayer():
            return await asyncio.to_thread(_pack, layer, store)


def _pack(layer: LocalLayer, store: TreeStore) -> _Packed:
    with store.snapshots.changes(layer.name) as changes:
        packed = pack(changes, store.blobs)
    descriptor = replace(packed.descriptor, media_type=MediaType.OCI_LAYER_GZIP)
    return _Packed(descriptor, packed.diff_id, layer.created)


def _records(
    request: BuildRequest,
    lowered: Lowered,
    tree: Tree,
    solve: Solve[Result] | None,
    imported: Sequence[Imported],
) -> bytes | None:
    """The inline cache, or None if it is not wanted or would say nothing."""
    if not request.inline_cache or solve is None or lowered.target is None:
        return None

    def result_of(solved: Solved[Result]) -> LayerResult | None:
        return _result_in(tree, solved, imported)

    records = solved_records(solve, lowered.target, tuple(item.index for item in imported), result_of)
    if not any(record.results for record in records):
        return None
    return encode_records(records)


def _result_in(tree: Tree, solved: Solved[Result], imported: Sequence[Imported]) -> LayerResult | None:
    """Which of the image's layers hold the vertex's tree. A step that nobody had to look at is asked of the caches."""
    if isinstance(solved.result, Tree) and not isinstance(solved.outcome, Hit):
        top = solved.result.layers[-1] if solved.result.layers else None
        return _position(tree, solved.result, top.created if top else "")
    for item, ids in zip(imported, solved.ids, strict=True):
        for identity in sorted(ids):
            found = item.index.result(identity)
            if found is not None:
                position = _position(tree, item.tree(found), found.created_at)
                if position is not None:
                    return position
    return None


def _position(tree: Tree, part: Tree, created: str) -> LayerResult | None:
    """The part's top layer in the tree, if the tree begins with the part."""
    count = len(part.layers)
    if not count or [_identity(layer) for layer in tree.layers[:count]] != [_identity(layer) for layer in part.layers]:
        return None
    return LayerResult(count - 1, created)


def _identity(layer: Layer) -> str:
    return layer.name if isinstance(layer, LocalLayer) else layer.descriptor.digest
