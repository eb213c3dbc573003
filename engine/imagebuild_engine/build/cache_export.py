"""Caches beside the image: each to where it was asked to go, after the image is where it belongs, and an outcome."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..contract import CacheExportResult, CacheTarget
from ..core.oci import Digest, Reference
from ..host.content import ContentError
from ..host.layers import LayerError
from ..host.registry import RegistryError
from ..host.snapshots import SnapshotError
from .artifact import Artifact, cache_artifact
from .attached_export import AttachedExporter
from .cache_description import CacheDescriber, DescribedCache
from .failures import CacheTooSlow, LayerLost, OutputUnwritable, PushFailed
from .losses import in_time
from .oci_layout import write_layout
from .progress import Notice, View
from .push import Uploads, push
from .step_cache_export import StepCacheExporter

_PROBLEMS = (
    CacheTooSlow,
    PushFailed,
    OutputUnwritable,
    LayerLost,
    RegistryError,
    ContentError,
    LayerError,
    SnapshotError,
    OSError,
)
"""What writing a cache may come to."""
_ROUNDS = 5
_READABLE = 1 << 20
"""BuildKit reads no larger manifest or config (remotecache/import.go, readBlob)."""


@dataclass
class CacheExporter:
    """One build's caches. `image` has the layers of the image, and `names` are where they have been pushed to."""

    describer: CacheDescriber
    uploads: Uploads
    image: frozenset[Digest]
    names: Sequence[Reference]
    attached: AttachedExporter
    steps: StepCacheExporter
    view: View
    seconds: float
    """How long each may take."""
    _described: dict[str, DescribedCache] = field(default_factory=dict)

    async def write(self, target: CacheTarget) -> CacheExportResult:
        """The cache to its place. Raises CacheTooSlow, PushFailed, OutputUnwritable, LayerLost, unless the target
        shrugs them off."""
        started = time.monotonic()
        name = target.ref or f"of type {target.type}"
        write = {"attached": self.attached.write, "steps": self.steps.write}.get(target.type, self._write)
        try:
            result = await in_time(self.seconds, self._without_what_is_lost(write, target))
        except _PROBLEMS as error:
            if not target.ignore_error:
                raise
            cause = f": {error.__cause__}" if isinstance(error, PushFailed) else ""
            reason = f"{error}{cause}"
            self.view.show(Notice(text=f"the cache {name} was not written: {reason}", warning=True))
            result = CacheExportResult(type=target.type, outcome="failed", ref=target.ref, reason=reason[:300])
        if result.outcome == "empty":
            self.view.show(Notice(text=f"the cache {name} was not written: no step has a result"))
        return msgspec.structs.replace(result, seconds=round(time.monotonic() - started, 3))

    async def _without_what_is_lost(
        self, write: Callable[[CacheTarget], Awaitable[CacheExportResult]], target: CacheTarget
    ) -> CacheExportResult:
        """A cached layer that turns out to be lost is left out, with the results that contain it."""
        for _ in range(_ROUNDS):
            try:
                return await write(target)
            except LayerLost:
                self._described.clear()
        return await write(target)

    async def _write(self, target: CacheTarget) -> CacheExportResult:
        assert target.type in ("registry", "local"), target.type
        if target.mode not in self._described:
            wanted = self.describer.all_there_are if target.mode == "max" else self.describer.none_but_the_image
            self._described[target.mode] = await self.describer.describe(wanted)
        cache = self._described[target.mode]
        if not cache.layers:
            return CacheExportResult(type=target.type, outcome="empty", ref=target.ref)
        artifact = cache_artifact(
            cache.data,
            cache.layers,
            image_manifest=target.image_manifest,
            oci_media_types=target.oci_media_types,
        )
        pushed = 0
        if target.type == "registry":
            reference = Reference.parse(target.ref)
            await push(self.uploads, [reference], artifact, cache.remote, self.names)
            pushed = self.uploads.pushed(reference, [layer for layer in cache.layers if layer.digest not in self.image])
        else:
            store = self.uploads.store
            await write_layout(Path(target.ref), store, artifact, list(cache.remote.values()), target.tag)
        self._tell(target, cache, artifact)
        return CacheExportResult(
            type=target.type,
            outcome="exported",
            ref=target.ref,
            digest=str(artifact.descriptor().digest),
            pushed=pushed,
        )

    def _tell(self, target: CacheTarget, cache: DescribedCache, artifact: Artifact) -> None:
        top = artifact.descriptor()
        text = f"cache {target.ref}: {len(cache.config.records)} records, {len(cache.layers)} layers, {top.digest}"
        self.view.show(Notice(text=text))
        if max(top.size, artifact.config.size) > _READABLE:
            text = f"the cache {target.ref} is too large for BuildKit, which reads manifests and configs up to 1 MiB"
            self.view.show(Notice(text=text, warning=True))
