"""The solved target → a cacheconfig with its layers, before it goes anywhere."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..core.cache import NO_PARENT, CacheConfig, LayerPlaces, LayerResult, encode_config
from ..core.graph import Edge, Vertex, walk
from ..core.oci import Descriptor
from ..core.solver import Solve, solved_records
from ..host.registry import RegistryError
from .cache_source import CREATED, DESCRIPTION, DIFF_ID
from .imports import Imported
from .layers import Layer, RemoteLayer, Result, Tree
from .packing import ListedLayer, Packer
from .results import known_results, layer_makers, position

Wanted = Callable[[Tree], Awaitable[bool]]
"""Is that tree, which has layers that the image has not, to be a result in the cache?"""
Packed = Mapping[Vertex, Sequence[ListedLayer]]
Keep = Callable[[Packed], Collection[Vertex]]
"""Which of the results stay, by what they have come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedCache:
    """A cacheconfig, its bytes, and its layers by place. `remote`, by digest, are those that need not be here."""

    config: CacheConfig
    data: bytes
    layers: tuple[Descriptor, ...]
    remote: dict[str, RemoteLayer]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheDescriber:
    """One build's steps. `image` is the tree that was asked for."""

    packer: Packer
    solve: Solve[Result]
    target: Edge
    imported: Sequence[Imported]
    image: Tree

    async def describe(self, wanted: Wanted, keep: Keep = lambda packed: packed) -> DescribedCache:
        """The layers of all results that are wanted and kept, packed, and the records that name them. The image's are
        wanted anyway. Raises LayerLost."""
        results = await self._results(wanted)
        layers: dict[Vertex, Sequence[Layer]] = {vertex: tree.layers for vertex, (tree, _) in results.items()}
        packed = dict(
            zip(layers, await asyncio.gather(*(self.packer.pack(found) for found in layers.values())), strict=True)
        )
        packed = {vertex: packed[vertex] for vertex in keep(packed)}
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
        return DescribedCache(
            config=config,
            data=encode_config(config),
            layers=tuple(annotated(at[place], texts.get(place, "")) for place in order),
            remote={layer.descriptor.digest: layer.remote for layer in at.values() if layer.remote},
        )

    async def _results(self, wanted: Wanted) -> dict[Vertex, tuple[Tree, str]]:
        """The best result of every step that has one."""
        makers = layer_makers(self.target)
        results: dict[Vertex, tuple[Tree, str]] = {}
        for vertex in walk(self.target):
            if not vertex.inputs:
                continue
            for tree, created in known_results(self.solve.solved[vertex], self.imported):
                if self.packer.store.gone(tree):
                    continue
                of_the_image = vertex in makers and position(self.image, tree, "") is not None
                if of_the_image or await wanted(tree):
                    results[vertex] = tree, created
                    break
        return results

    async def none_but_the_image(self, _tree: Tree) -> bool:
        """Mode min."""
        return False

    async def all_there_are(self, tree: Tree) -> bool:
        """Mode max: every result whose layers still exist."""
        with contextlib.suppress(RegistryError):
            return await self.packer.store.has(tree)
        return False


def annotated(layer: ListedLayer, text: str) -> Descriptor:
    """The layer as a cache lists it: there is no image config that would tell the rest."""
    annotations = {CREATED: layer.created, DIFF_ID: str(layer.diff_id), DESCRIPTION: text}
    return Descriptor(
        media_type=layer.descriptor.media_type,
        digest=layer.descriptor.digest,
        size=layer.descriptor.size,
        annotations={name: value for name, value in annotations.items() if value},
    )
