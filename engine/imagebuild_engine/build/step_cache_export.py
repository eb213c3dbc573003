"""The steps of a build → records in a step cache, so that any builder finds them by their names.

Any number of builders write at the same time and none waits for another. First come a step's layers, then the manifest
that lists them, under a tag made of the step's name: a record is there as a whole or not at all, whenever the builder
is killed. A record that is there is left alone; so is the first of two that are written at the same time of no
consequence. Only what lies under a name and is no use (it is broken, or its layers are gone) is written over.

All results that ran are written, also those of steps that were to run whatever is known (--no-cache), unless there is
a record already. Results that other caches had are written as far as their layers need not be pulled for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..contract import CacheExportResult, CacheTarget, ExportOutcome
from ..core.graph import Edge, Vertex, walk
from ..core.oci import Digest, Reference
from ..core.solver import Executed, Solve
from ..core.steps import Names, ProbePlan
from .imports import Imported
from .layers import Result, Tree
from .packing import Packer
from .progress import Notice, View
from .push import Uploads
from .results import known_results
from .step_caches import StepCaches
from .step_requests import StepRequests, side_by_side
from .step_writing import StepWriting


@dataclass
class StepCacheExporter:
    """One build's records. `names` is where the image was pushed to: its layers can be had from there."""

    packer: Packer
    uploads: Uploads
    solve: Solve[Result]
    target: Edge
    imported: Sequence[Imported]
    reading: StepCaches
    names: Sequence[Reference]
    seconds: Mapping[Vertex, float]
    """How long the steps took that ran."""
    limit: float
    """Seconds for all of it."""
    view: View

    async def write(self, target: CacheTarget) -> CacheExportResult:
        """Raises RegistryError, and what packing a layer raises. What has been written until then is of use."""
        reference = Reference.parse(target.ref)
        requests = self.reading.reading(reference.name) or self._unread(reference)
        for vertex, solved in self.solve.solved.items():
            requests.plan.names.learn(vertex, solved.content)
        results = {vertex: tree for vertex in walk(self.target) if (tree := self._result(vertex)) is not None}
        if not results:
            return CacheExportResult(type="steps", outcome="empty", ref=target.ref)
        missing = await self._missing(requests, results)
        writing = StepWriting(
            packer=self.packer,
            uploads=self.uploads,
            requests=requests,
            solved=self.solve.solved,
            sources=tuple(item.index for item in self.imported),
            results=results,
            missing=missing,
            names=self.names,
            seconds=self.seconds,
            written=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        if missing:
            await writing.run()
            self.view.show(Notice(text=f"step cache {target.ref}: {writing.records} of {len(results)} steps written"))
        outcome: ExportOutcome = "exported" if writing.records else "unchanged"
        return CacheExportResult(type="steps", outcome=outcome, ref=target.ref, pushed=writing.pushed)

    def _unread(self, reference: Reference) -> StepRequests:
        """A cache that is written only. Steps on the context's files have names because their content is known."""
        contents = {vertex: solved.content for vertex, solved in self.solve.solved.items()}
        return StepRequests(self.packer.store.client, reference, ProbePlan(Names(self.target, contents)))

    def _result(self, vertex: Vertex) -> Tree | None:
        if not vertex.inputs:
            return None
        found = (tree for tree, _ in known_results(self.solve.solved[vertex], self.imported))
        return next((tree for tree in found if tree.layers and not self.packer.store.gone(tree)), None)

    async def _missing(self, requests: StepRequests, results: Mapping[Vertex, Tree]) -> dict[Vertex, set[Digest]]:
        """The steps that are to be written, inputs before their users, each with the names that it shall have.

        A step that was found by its content gets its name by definition, for those who make it in the same way.
        """
        plan, names = requests.plan, requests.plan.names
        # There was a record, and the step ran all the same: its layers are gone.
        lost = {vertex for vertex in results if plan.found(vertex) and self._ran(vertex) and not vertex.ignore_cache}
        while asked := plan.round(set(results), result=True):
            await requests.ask(asked, seconds=self.limit)
        wanted: dict[Vertex, list[Digest]] = {}
        useless = set(requests.unusable)
        for vertex in results:
            identity = names.identity(vertex)
            if identity is None or identity.definition is None:
                continue
            own = [identity.definition]
            if vertex in lost or plan.found(vertex) is None:
                own += [name for name in (names.by_content(vertex),) if name is not None]
            elif identity.definition == names.name(vertex):
                continue
            wanted[vertex] = own
            useless |= set(own) if vertex in lost else set()
        every = {name for own in wanted.values() for name in own}
        free = useless & every

        async def check(name: Digest) -> None:
            if await requests.is_free(name):
                free.add(name)

        await side_by_side(check(name) for name in every - free)
        return {vertex: missing for vertex, own in wanted.items() if (missing := free.intersection(own))}

    def _ran(self, vertex: Vertex) -> bool:
        return isinstance(self.solve.solved[vertex].outcome, Executed)
