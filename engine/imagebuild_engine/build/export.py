"""The solved target → an image with inline records, and where it and its caches were asked to go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract import BuildRequest, CacheExportResult, ImageResult
from ..core.cache import CacheResult, encode_records
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.oci import ImageConfig, Reference
from ..core.solver import Solve, Solved, solved_records
from .artifact import image_artifact
from .cache_export import CacheExporter
from .image import dated_history, image_manifest
from .imports import Imported
from .layers import RemoteLayer, Result, Tree
from .oci_layout import write_layout
from .packing import Packer
from .progress import View
from .push import Moved, push
from .results import known_results, position
from .step_cache_export import StepCacheExporter
from .step_caches import StepCaches
from .store import TreeStore


@dataclass(frozen=True, slots=True)
class Exported:
    """The image and the bytes that moved for it."""

    image: ImageResult
    pushed: int
    mounted: int
    reused: int
    caches: tuple[CacheExportResult, ...] = ()
    """What became of the caches that are no part of the image."""


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
    steps: StepCaches,
    seconds: Mapping[Vertex, float],
    view: View,
) -> Exported:
    """Layers are made once, here; then config, records and manifest; then they travel, and the caches after them.

    `created` dates an empty image; `steps` are the step caches that were read from, `seconds` how long each step took.
    """
    packer = Packer(store)
    layers = await packer.pack(tree.layers)
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

    artifact = image_artifact(manifest, config_bytes)

    moved = Moved()
    caches: list[CacheExportResult] = []
    if request.output.push:
        moved.add(await push(store.client, store, references, artifact, remote))
    if request.output.oci_layout:
        tag = references[0].tag if references and references[0].tag else "latest"
        directory = Path(request.output.oci_layout)
        await write_layout(directory, store, artifact, list(remote.values()), tag)
    if solve is not None and lowered.target is not None:
        names = references if request.output.push else []
        if any(
            target.type == "attached" or (target.mode == "max" and target.type != "steps")
            for target in request.cache_to
        ):
            await steps.complete(solve.solved)
        exporter = CacheExporter(packer, solve, lowered.target, imported, tree, names, view)
        step_exporter = StepCacheExporter(
            packer=packer,
            solve=solve,
            target=lowered.target,
            imported=imported,
            reading=steps,
            names=names,
            seconds=seconds,
            asking_seconds=request.cache_import_timeout_seconds,
            view=view,
        )
        for target in request.cache_to:
            if target.type == "steps":
                caches.append(await step_exporter.write(target, moved))
            else:
                moved.add(await exporter.write(target))

    image = ImageResult(
        digest=str(artifact.descriptor().digest),
        config_digest=str(manifest.config.digest),
        media_type=manifest.media_type,
        platform=str(lowered.platform),
        size=len(config_bytes) + sum(layer.size for layer in manifest.layers),
        refs=tuple(str(reference) for reference in references),
        pushed=request.output.push,
    )
    reused = sum(layer.descriptor.size for layer in layers[base_layers:] if layer.remote)
    return Exported(image, moved.pushed, moved.mounted, reused, tuple(caches))


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

    def result_of(solved: Solved[Result]) -> CacheResult | None:
        found = (position(tree, part, created) for part, created in known_results(solved, imported))
        return next((result for result in found if result is not None), None)

    records = solved_records(solve, lowered.target, tuple(item.index for item in imported), result_of)
    if not any(record.results or record.chains for record in records):
        return None
    return encode_records(records)
