"""Writing the attached cache (attached.py) of an image that has been pushed.

What is there already stays if this build has nothing to add: a rebuild of the same image changes nothing, and what a
builder with less knowledge could say is not put in the place of more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ..contract import BuildResult, Bytes, CacheExportResult, CacheTarget, Seconds
from ..core.cache import CONFIG_MEDIA_TYPE, CostedResult, trimmed
from ..core.explain import COMPONENTS_MEDIA_TYPE, Components, encode_components
from ..core.graph import Vertex
from ..core.oci import CREATED_ANNOTATION, Descriptor, Digest, Manifest, Reference
from ..host.content import OciLayout
from ..host.registry import RegistryError
from .attached import ARTIFACT_TYPE, RESULT_MEDIA_TYPE, Attached, find_attached, small_layer
from .bounded_place import BoundedPlace
from .cache_description import CacheDescriber, DescribedCache, Packed
from .cache_place import RegistryPlace
from .imports import Imported
from .layers import RemoteLayer, Tree
from .progress import Notice, View
from .push import Uploads, one_for_each_repository, push_referrer


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedExporter:
    """One image's attached cache, in every repository that the image was pushed to.

    `subject` is the image's manifest, `layers` are its own. `ran` says whether any step had to run, `seconds` how long
    each takes. `components` and `result` are what is told of the build besides.
    """

    describer: CacheDescriber
    uploads: Uploads
    subject: Descriptor
    layers: frozenset[Digest]
    names: Sequence[Reference]
    imported: Sequence[Imported]
    ran: bool
    seconds: Mapping[Vertex, float]
    components: Callable[[], Components]
    result: Callable[[], BuildResult]
    view: View

    async def write(self, target: CacheTarget) -> CacheExportResult:
        """Raises PushFailed, LayerLost, RegistryError."""
        written = [await self._write(name, target) for name in one_for_each_repository(self.names)]
        if not written:
            return CacheExportResult(type="attached", outcome="empty", reason="the image was not pushed")
        changed = [result for result in written if result.outcome != "unchanged"]
        pushed = sum(result.pushed for result in written)
        return msgspec.structs.replace((changed or written)[0], pushed=pushed)

    async def _write(self, name: Reference, target: CacheTarget) -> CacheExportResult:
        subject = name.with_digest(self.subject.digest)
        existing = self._read_before(subject)
        if existing is not None and not self.ran:
            return _unchanged(subject, existing)
        left_out = ""

        def keep(packed: Packed) -> list[Vertex]:
            nonlocal left_out
            stays, left_out = self._trimmed(packed, target)
            return stays

        cache = await self.describer.describe(lambda tree: self._wanted(tree, subject), keep)
        if not cache.config.records:
            return CacheExportResult(type="attached", outcome="empty", ref=subject.name)
        if existing is None:
            existing = await self._find(subject)
        if existing is not None and _contents(cache) <= _contents(existing):
            return _unchanged(subject, existing)
        small = [
            small_layer(encode_components(self.components()), COMPONENTS_MEDIA_TYPE),
            small_layer(msgspec.json.encode(_lasting(self.result())), RESULT_MEDIA_TYPE),
        ]
        manifest = self._manifest(cache, [layer for layer, _ in small])
        data = {layer.digest: packed for layer, packed in small}
        replaces = [existing.digest] if existing and _contents(existing) <= _contents(cache) else []
        await push_referrer(self.uploads, subject, manifest, cache.data, data, cache.remote, replaces)
        digest = str(manifest.descriptor().digest)
        text = f"attached cache: {len(cache.config.records)} records, {len(cache.layers)} layers, {digest}"
        self.view.show(Notice(text="; ".join(filter(None, (text, left_out)))))
        return CacheExportResult(
            type="attached",
            outcome="exported",
            ref=subject.name,
            digest=digest,
            reason=left_out,
            pushed=self.uploads.pushed(subject, [layer for layer in cache.layers if layer.digest not in self.layers]),
        )

    def _trimmed(self, packed: Packed, target: CacheTarget) -> tuple[list[Vertex], str]:
        """The steps whose results stay, and a word about the others."""
        results = [
            CostedResult(
                layers=tuple((layer.descriptor.digest, layer.descriptor.size) for layer in chain),
                seconds=round(self.seconds.get(vertex, 0.0), 3),
            )
            for vertex, chain in packed.items()
        ]
        found = trimmed(results, self.layers, max_size=target.max_size, keep_cheap=target.keep_cheap)
        counts = {"sooner run again than pulled": found.cheap, "beyond max-size": found.oversize}
        told = ", ".join(f"{count} {why}" for why, count in counts.items() if count)
        stays = [vertex for place, vertex in enumerate(packed) if place in found.kept]
        return stays, f"results left out: {told}" if told else ""

    def _manifest(self, cache: DescribedCache, small: Sequence[Descriptor]) -> Manifest:
        results = [result for record in cache.config.records if (result := record.result) is not None]
        newest = max(results, key=lambda result: result.age, default=None)
        return Manifest(
            config=Descriptor(media_type=CONFIG_MEDIA_TYPE, digest=Digest.of(cache.data), size=len(cache.data)),
            layers=(*cache.layers, *small),
            subject=self.subject,
            artifact_type=ARTIFACT_TYPE,
            annotations={CREATED_ANNOTATION: newest.created_at} if newest and newest.created_at else {},
        )

    async def _wanted(self, tree: Tree, subject: Reference) -> bool:
        """What still exists and need not be pulled for this alone."""
        return all(self._near(layer, subject) for layer in tree.layers if isinstance(layer, RemoteLayer)) and (
            await self.describer.all_there_are(tree)
        )

    def _near(self, layer: RemoteLayer, subject: Reference) -> bool:
        here = isinstance(layer.origin, OciLayout) or self.uploads.store.blobs.has(layer.descriptor.digest)
        return here or (layer.repository is not None and layer.repository.registry == subject.registry)

    def _read_before(self, subject: Reference) -> Attached | None:
        """The image's attached cache, if it was read from the same repository as a cache source of this build."""
        for imported in self.imported:
            if imported.source.type == "registry" and Reference.parse(imported.source.ref).name == subject.name:
                for cache in imported.caches:
                    if cache.digest == subject.digest and cache.attached is not None:
                        return cache.attached
        return None

    async def _find(self, subject: Reference) -> Attached | None:
        """What is broken there is as good as nothing."""
        place = BoundedPlace(RegistryPlace(self.uploads.store.client, subject))
        try:
            return await find_attached(place, self.subject.digest)
        except (RegistryError, ValueError):
            return None


def _contents(cache: Attached | DescribedCache) -> frozenset[Digest]:
    """All steps and all layers that it knows."""
    return frozenset(layer.digest for layer in cache.layers) | {record.digest for record in cache.config.records}


def _unchanged(subject: Reference, existing: Attached) -> CacheExportResult:
    return CacheExportResult(type="attached", outcome="unchanged", ref=subject.name, digest=str(existing.digest))


def _lasting(result: BuildResult) -> BuildResult:
    """What is worth being told later: nothing of the machine, of the moment, or of how long the whole took."""
    sources = tuple(msgspec.structs.replace(source, reason="", seconds=0.0) for source in result.cache.sources)
    return msgspec.structs.replace(
        result,
        cache=msgspec.structs.replace(result.cache, sources=sources, exports=()),
        bytes=Bytes(),
        seconds=Seconds(),
        peak_rss_bytes=0,
        executor="",
    )
