"""The solved target → caches that are no image: a cacheconfig with its layers, at a registry or in a directory."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..contract import CacheTarget
from ..core.cache import NO_PARENT, CacheConfig, LayerPlaces, LayerResult, encode_config
from ..core.graph import Edge, Vertex, walk
from ..core.oci import Descriptor, Reference
from ..core.solver import Solve, solved_records
from ..host.content import ContentError
from ..host.registry import RegistryError
from .artifact import Artifact, cache_artifact
from .cache_source import CREATED, DESCRIPTION, DIFF_ID
from .failures import LayerLost, OutputUnwritable, PushFailed
from .imports import Imported
from .layers import Layer, RemoteLayer, Result, Tree
from .oci_layout import write_layout
from .packing import ListedLayer, Packer
from .progress import Notice, View
from .push import Moved, push
from .results import known_results, position

_READABLE = 1 << 20
"""BuildKit reads no larger manifest or config (remotecache/import.go, readBlob)."""


@dataclass
class CacheExporter:
    """One build's caches. `image` is the tree that was asked for, `names` where its layers have been pushed to."""

    packer: Packer
    solve: Solve[Result]
    target: Edge
    imported: Sequence[Imported]
    image: Tree
    names: Sequence[Reference]
    view: View
    _described: dict[str, "_Cache"] = field(default_factory=dict)

    async def write(self, target: CacheTarget) -> Moved:
        """The cache to its place. Raises PushFailed, OutputUnwritable, LayerLost, unless the target shrugs them off."""
        try:
            return await self._write(target)
        except (PushFailed, OutputUnwritable, LayerLost, RegistryError, ContentError) as error:
            if not target.ignore_error:
                raise
            cause = f": {error.__cause__}" if isinstance(error, PushFailed) else ""
            self.view.show(Notice(text=f"the cache {target.ref} was not written: {error}{cause}", warning=True))
            return Moved()

    async def _write(self, target: CacheTarget) -> Moved:
        if target.mode not in self._described:
            self._described[target.mode] = await self._describe(target.mode)
        cache = self._described[target.mode]
        if not cache.layers:
            self.view.show(Notice(text=f"the cache {target.ref} was not written: no step has a result"))
            return Moved()
        artifact = cache_artifact(
            cache.config,
            cache.layers,
            image_manifest=target.image_manifest,
            oci_media_types=target.oci_media_types,
        )
        moved = Moved()
        if target.type == "registry":
            reference = Reference.parse(target.ref)
            store = self.packer.store
            moved = await push(store.client, store, [reference], artifact, cache.remote, self.names)
        else:
            await write_layout(Path(target.ref), self.packer.store, artifact, list(cache.remote.values()), target.tag)
        self._tell(target, cache, artifact)
        return moved

    def _tell(self, target: CacheTarget, cache: "_Cache", artifact: Artifact) -> None:
        top = artifact.descriptor()
        text = f"cache {target.ref}: {cache.records} records, {len(cache.layers)} layers, {top.digest}"
        self.view.show(Notice(text=text))
        if max(top.size, artifact.config.size) > _READABLE:
            text = f"the cache {target.ref} is too large for BuildKit, which reads manifests and configs up to 1 MiB"
            self.view.show(Notice(text=text, warning=True))

    async def _describe(self, mode: str) -> "_Cache":
        """The layers of the mode's results, packed, and the records that name them."""
        results = await self._results(mode)
        layers: dict[Vertex, Sequence[Layer]] = {vertex: tree.layers for vertex, (tree, _) in results.items()}
        packed = dict(
            zip(layers, await asyncio.gather(*(self.packer.pack(found) for found in layers.values())), strict=True)
        )
        places = LayerPlaces()
        at: dict[int, ListedLayer] = {}
        texts: dict[int, str] = {}
        tops: dict[Vertex, LayerResult] = {}
        for vertex, chain in packed.items():
            below = NO_PARENT
            for layer in chain:
                below = places.place_on(below, layer.descriptor.digest)
                at.setdefault(below, layer)
            texts.setdefault(below, vertex.origin.instruction if vertex.origin else vertex.description)
            tops[vertex] = LayerResult(below, results[vertex][1])
        sources = tuple(item.index for item in self.imported)
        records = solved_records(
            self.solve, self.target, sources, lambda solved: tops.get(solved.vertex), table=places.table
        )
        config, order = CacheConfig(blobs=tuple(places.blobs), table=places.table, records=records).normalized()
        return _Cache(
            config=encode_config(config),
            records=len(config.records),
            layers=tuple(annotated(at[place], texts.get(place, "")) for place in order),
            remote={layer.descriptor.digest: layer.remote for layer in at.values() if layer.remote},
        )

    async def _results(self, mode: str) -> dict[Vertex, tuple[Tree, str]]:
        """The result of every step, but for mode min only those that are made of the image's layers."""
        results: dict[Vertex, tuple[Tree, str]] = {}
        for vertex in walk(self.target):
            if not vertex.inputs:
                continue
            for tree, created in known_results(self.solve.solved[vertex], self.imported):
                if await self._wanted(mode, tree):
                    results[vertex] = tree, created
                    break
        return results

    async def _wanted(self, mode: str, tree: Tree) -> bool:
        if position(self.image, tree, "") is not None:
            return True
        if mode == "min":
            return False
        with contextlib.suppress(RegistryError):
            return await self.packer.store.has(tree)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cache:
    """A cacheconfig's bytes, and its layers by place; `remote` by digest."""

    config: bytes
    records: int
    layers: tuple[Descriptor, ...]
    remote: dict[str, RemoteLayer]


def annotated(layer: ListedLayer, text: str) -> Descriptor:
    """The layer as a cache lists it: there is no image config that would tell the rest."""
    annotations = {CREATED: layer.created, DIFF_ID: str(layer.diff_id), DESCRIPTION: text}
    return Descriptor(
        media_type=layer.descriptor.media_type,
        digest=layer.descriptor.digest,
        size=layer.descriptor.size,
        annotations={name: value for name, value in annotations.items() if value},
    )
