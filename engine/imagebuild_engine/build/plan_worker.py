"""What a build would do, noted down instead of done."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..core.cache import ChainResult, LayerResult
from ..core.graph import SCRATCH, ContentRequest, ExecOp, FileOp, MergeOp, Vertex, cache_map
from ..core.oci import Digest
from ..core.solver import Solved
from .layers import LocalLayer, RemoteLayer, Result, Tree, stacked
from .mounts import root_input
from .prepare import Ready
from .worker import BuildWorker


@dataclass(frozen=True, slots=True)
class Pulled:
    """A layer that has to be here, and for which vertices."""

    size: int
    needed_by: list[Vertex]


@dataclass
class PlanWorker:
    """Another worker's hands bound: steps are not run, and layers are pulled only where a cache can be asked no other
    way than by their files.

    A step that would run leaves a layer without files. What is in a tree with such a layer, nobody can know.
    """

    worker: BuildWorker
    asked_by_content: bool
    """May sources that are read step by step have something that only content tells?"""
    pulls: dict[Digest, Pulled] = field(default_factory=dict)
    makers: dict[str, Vertex] = field(default_factory=dict)
    """The vertices that would have run, by the names of their layers."""
    guesses: bool = False
    """Was anything asked for that nobody can know?"""
    _loads: dict[tuple[int, LayerResult | ChainResult], asyncio.Task[Result | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, ready: Ready) -> "PlanWorker":
        return cls(ready.worker, asked_by_content=bool(ready.steps))

    def again(self) -> "PlanWorker":
        """For another look at the same graph; what has been found out about the world stays true."""
        return PlanWorker(self.worker, self.asked_by_content, _loads=self._loads)

    async def load(self, vertex: Vertex, source: int, result: LayerResult | ChainResult) -> Result | None:
        """As the build does: blobs are asked for, not pulled."""
        key = (source, result)
        if key not in self._loads:
            self._loads[key] = asyncio.create_task(self.worker.load(vertex, source, result))
        return await asyncio.shield(self._loads[key])

    async def digests(
        self, vertex: Vertex, input_number: int, result: Result, request: ContentRequest
    ) -> Sequence[Digest] | None:
        if isinstance(result, Tree):
            self._needs(vertex, result)
            if self.makers_of(result):
                self.guesses = True
                return None
            if not self._can_be_found(vertex):
                return None
        return await self.worker.digests(vertex, input_number, result, request)

    async def execute(self, vertex: Vertex, inputs: Sequence[Result]) -> Result:
        match vertex.op:
            case MergeOp():
                return stacked([self._layered(vertex, result) for result in inputs])
            case ExecOp() as op:
                below = root_input(op)
            case FileOp() as op if inputs:
                below = op.actions[0].input
            case _:
                return await self.worker.execute(vertex, inputs)
        for result in inputs:
            if isinstance(result, Tree):
                self._needs(vertex, result)
        return self._planned(vertex, Tree() if below == SCRATCH else self._layered(vertex, inputs[below]))

    def gone(self, result: Result) -> bool:
        return self.worker.gone(result)

    def makers_of(self, tree: Tree) -> list[Vertex]:
        """The steps that would have to run before the tree is there, the lowest first."""
        names = (layer.name for layer in tree.layers if isinstance(layer, LocalLayer))
        return [self.makers[name] for name in names if name in self.makers]

    def _can_be_found(self, vertex: Vertex) -> bool:
        """If no source has a record of the step on any input, files need not be read to know that they have none."""
        keys = Solved(vertex=vertex, cache_map=cache_map(vertex.op), ids=()).keys
        return self.asked_by_content or any(item.index.knows(key) for item in self.worker.imported for key in keys)

    def _layered(self, vertex: Vertex, result: Result) -> Tree:
        """A directory becomes a layer of the step that needs it as one."""
        return result if isinstance(result, Tree) else self._planned(vertex, Tree())

    def _planned(self, vertex: Vertex, parent: Tree) -> Tree:
        name = f"planned-{len(self.makers)}"
        self.makers[name] = vertex
        return parent.plus(LocalLayer(name=name, created="", parent=parent.name()))

    def _needs(self, vertex: Vertex, tree: Tree) -> None:
        for layer in tree.layers:
            if isinstance(layer, RemoteLayer) and layer.repository:
                pulled = self.pulls.setdefault(layer.descriptor.digest, Pulled(layer.descriptor.size, []))
                pulled.needed_by.append(vertex)
