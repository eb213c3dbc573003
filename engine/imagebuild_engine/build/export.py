"""The solved target → an image with inline records, and where it and its caches were asked to go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..contract import BuildRequest, BuildResult, CacheExportResult, CacheTarget, ImageResult
from ..core.cache import CacheResult, encode_records
from ..core.explain import Components
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.oci import ImageConfig, Reference
from ..core.solver import Executed, Solve, Solved, solved_records
from .artifact import image_artifact
from .attached_export import AttachedExporter
from .cache_description import CacheDescriber
from .cache_export import CacheExporter
from .image import dated_history, image_manifest
from .imports import Imported
from .layers import RemoteLayer, Result, Tree
from .oci_layout import write_layout
from .packing import Packer
from .progress import View
from .push import Uploads, push
from .results import known_results, layer_makers, position
from .step_cache_export import StepCacheExporter
from .step_caches import StepCaches


@dataclass(frozen=True, slots=True)
class Exported:
    """The image and the bytes that moved for it."""

    image: ImageResult
    caches: tuple[CacheExportResult, ...]
    pushed: int
    mounted: int
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What is told of the build in its attached cache, asked for when the image is made."""

    components: Callable[[], Components]
    result: Callable[[ImageResult], BuildResult]


async def export(
    *,
    request: BuildRequest,
    lowered: Lowered,
    tree: Tree,
    solve: Solve[Result] | None,
    imported: Sequence[Imported],
    uploads: Uploads,
    base_layers: int,
    created: str,
    steps: StepCaches,
    seconds: Mapping[Vertex, float],
    story: Story,
    view: View,
) -> Exported:
    """Layers are made once, here; then config, records and manifest; then they travel, and the caches after them.

    `created` dates an empty image; `steps` are the step caches that were read from, `seconds` how long each
    step takes.
    """
    store = uploads.store
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
    image = ImageResult(
        digest=str(artifact.descriptor().digest),
        config_digest=str(manifest.config.digest),
        media_type=manifest.media_type,
        platform=str(lowered.platform),
        size=len(config_bytes) + sum(layer.size for layer in manifest.layers),
        refs=tuple(str(reference) for reference in references),
        pushed=request.output.push,
    )

    if request.output.push:
        await push(uploads, references, artifact, remote)
    if request.output.oci_layout:
        tag = references[0].tag if references and references[0].tag else "latest"
        directory = Path(request.output.oci_layout)
        await write_layout(directory, store, artifact, list(remote.values()), tag)
    caches = [_inline(image, records)] if request.inline_cache else []
    if solve is not None and lowered.target is not None:
        names = references if request.output.push else []
        own = frozenset(layer.digest for layer in manifest.layers)
        describer = CacheDescriber(packer=packer, solve=solve, target=lowered.target, imported=imported, image=tree)
        attached = AttachedExporter(
            describer=describer,
            uploads=uploads,
            subject=artifact.descriptor(),
            layers=own,
            names=names,
            imported=imported,
            ran=_ran(lowered, solve),
            seconds=seconds,
            components=story.components,
            result=lambda: story.result(image),
            view=view,
        )
        limit = request.cache_export_timeout_seconds
        step_exporter = StepCacheExporter(
            packer=packer,
            uploads=uploads,
            solve=solve,
            target=lowered.target,
            imported=imported,
            reading=steps,
            names=names,
            seconds=seconds,
            limit=limit,
            view=view,
        )
        exporter = CacheExporter(describer, uploads, own, names, attached, step_exporter, view, limit)
        if any(_holds_every_stage(target) for target in request.cache_to):
            await steps.complete(solve.solved)
        caches += [await exporter.write(target) for target in request.cache_to]
    reused = sum(layer.descriptor.size for layer in layers[base_layers:] if layer.remote)
    return Exported(image, tuple(caches), uploads.moved.pushed, uploads.moved.mounted, reused)


def _holds_every_stage(target: CacheTarget) -> bool:
    return target.type == "attached" or (target.type != "steps" and target.mode == "max")


def _ran(lowered: Lowered, solve: Solve[Result]) -> bool:
    """Had any step to run?"""
    solved = (solve.solved.get(vertex) for vertex in lowered.steps)
    return any(item is not None and isinstance(item.outcome, Executed) for item in solved)


def _inline(image: ImageResult, records: bytes | None) -> CacheExportResult:
    ref = image.refs[0] if image.refs else ""
    return CacheExportResult(
        type="inline", outcome="exported" if records else "empty", ref=ref, digest=image.digest if records else None
    )


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

    makers = layer_makers(lowered.target)

    def result_of(solved: Solved[Result]) -> CacheResult | None:
        if solved.vertex not in makers:
            return None
        found = (position(tree, part, created) for part, created in known_results(solved, imported))
        return next((result for result in found if result is not None), None)

    records = solved_records(solve, lowered.target, tuple(item.index for item in imported), result_of)
    if not any(record.results or record.chains for record in records):
        return None
    return encode_records(records)
