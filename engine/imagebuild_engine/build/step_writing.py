"""Records on their way into a step cache: their layers, then one manifest for each name."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from ..core.cache import CacheIndex
from ..core.graph import Edge, Vertex, cache_map, walk
from ..core.oci import Digest, MediaType, Reference
from ..core.solver import Executed, Solved, known_content
from ..core.steps import EMPTY_CONFIG, KnownInput, StepBelow, StepIdentity, StepRecord, empty_config, encode_step
from ..host.registry import RegistryError
from .cache_description import annotated
from .failures import LayerLost
from .layers import Result, Tree
from .packing import ListedLayer, Packer, identity
from .push import Uploads
from .step_requests import StepRequests, side_by_side

_WRITES = 8


@dataclass(kw_only=True)
class StepWriting:
    """One go at one repository. `results` are all that are known, `missing` the names that steps shall get."""

    packer: Packer
    uploads: Uploads
    requests: StepRequests
    solved: Mapping[Vertex, Solved[Result]]
    sources: Sequence[CacheIndex]
    results: Mapping[Vertex, Tree]
    missing: Mapping[Vertex, Set[Digest]]
    names: Sequence[Reference]
    """Other repositories that may have the layers."""
    seconds: Mapping[Vertex, float]
    written: str
    pushed: int = 0
    """Bytes of layers that had to be sent."""
    records: int = 0
    """How many steps have been written."""
    _unavailable: set[Digest] = field(default_factory=set)

    async def run(self) -> None:
        """Writes what can be written. The first trouble ends it: raises RegistryError, and what packing raises."""
        chains = await self._chains()
        await self._bring_layers(chains)
        whole = {vertex: chain for vertex, chain in chains.items() if self._unavailable.isdisjoint(_digests(chain))}
        if whole:
            await self.requests.client.push_blob(self.requests.reference, empty_config(), EMPTY_CONFIG)
        slots = asyncio.Semaphore(_WRITES)

        async def write(vertex: Vertex, chain: Sequence[ListedLayer]) -> None:
            async with slots:
                await self._write(vertex, chain)

        await side_by_side(write(vertex, chain) for vertex, chain in whole.items())

    async def _chains(self) -> dict[Vertex, list[ListedLayer]]:
        packed = await asyncio.gather(*(self.packer.pack(self.results[vertex].layers) for vertex in self.missing))
        return dict(zip(self.missing, packed, strict=True))

    async def _bring_layers(self, chains: Mapping[Vertex, Sequence[ListedLayer]]) -> None:
        """Each once. Only what a step that ran here lies on is worth being pulled for it."""
        ran = {vertex for vertex in chains if isinstance(self.solved[vertex].outcome, Executed)}
        worth = {digest for vertex in ran for digest in _digests(chains[vertex])}
        layers = {layer.descriptor.digest: layer for chain in chains.values() for layer in chain}

        async def bring(layer: ListedLayer) -> None:
            if not await self._bring(layer, travel=layer.descriptor.digest in worth):
                self._unavailable.add(layer.descriptor.digest)

        await side_by_side(bring(layer) for layer in layers.values())
        described = [layer.descriptor for layer in layers.values()]
        self.pushed = self.uploads.pushed(self.requests.reference, described)

    async def _bring(self, layer: ListedLayer, *, travel: bool) -> bool:
        reference, descriptor = self.requests.reference, layer.descriptor
        try:
            sent = await self.uploads.layer(reference, descriptor, layer.remote, self.names, travel=travel)
        except LayerLost:
            return False
        return sent is not None

    async def _write(self, vertex: Vertex, chain: Sequence[ListedLayer]) -> None:
        manifest = encode_step(self._record(vertex, chain))
        for name in sorted(self.missing[vertex]):
            try:
                await self.requests.client.push_manifest(self.requests.tagged(name), manifest, MediaType.OCI_MANIFEST)
            except RegistryError:
                # Where tags do not move, the second of two who write it is refused: then it is there.
                if await self.requests.is_free(name):
                    raise
        self.records += 1

    def _record(self, vertex: Vertex, chain: Sequence[ListedLayer]) -> StepRecord:
        names = self.requests.plan.names
        made_of, name = names.identity(vertex), names.name(vertex)
        assert made_of is not None
        return StepRecord(
            identity=StepIdentity(key=made_of.key, inputs=self._inputs(vertex)),
            layers=tuple(annotated(layer, "") for layer in chain),
            written=self.written,
            follows=name if name != made_of.definition else None,
            below=tuple(self._below(vertex)),
            instruction=vertex.origin.instruction if vertex.origin else vertex.description,
            seconds=round(self.seconds.get(vertex, 0.0), 3),
        )

    def _below(self, vertex: Vertex) -> Iterator[StepBelow]:
        """The steps whose results are the lowest layers of this one's."""
        names, own = self.requests.plan.names, [identity(layer) for layer in self.results[vertex].layers]
        for below in walk(Edge(vertex)):
            tree, name = self.results.get(below), names.name(below)
            if below is vertex or tree is None or name is None:
                continue
            if [identity(layer) for layer in tree.layers] == own[: len(tree.layers)]:
                content = tuple(known.content for known in self._inputs(below))
                seconds = round(self.seconds.get(below, 0.0), 3)
                yield StepBelow(name=name, layers=len(tree.layers), content=content, seconds=seconds)

    def _inputs(self, vertex: Vertex) -> tuple[KnownInput, ...]:
        """With what others know of the content that nobody had to read here."""
        made_of = self.requests.plan.names.identity(vertex)
        assert made_of is not None
        inputs = []
        for position, (known, key) in enumerate(zip(made_of.inputs, cache_map(vertex.op).inputs, strict=True)):
            more = known_content(self.solved[vertex], position, self.sources) if key.content is not None else ()
            inputs.append(known if known.content else replace(known, content=tuple(sorted(more))))
        return tuple(inputs)


def _digests(chain: Sequence[ListedLayer]) -> set[Digest]:
    return {layer.descriptor.digest for layer in chain}
