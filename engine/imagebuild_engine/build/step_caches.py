"""All step caches that a build reads from, and what can be known of its steps before anything is asked."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from ..core.cache import RecordId
from ..core.graph import Edge, LocalSource, Vertex, cache_map, walk
from ..core.oci import Reference
from ..core.patterns import BadPattern
from ..core.solver import Solved, Worker
from ..core.steps import Contents, Names, ProbePlan
from ..host.registry import RegistryClient
from .failures import StepRefused
from .imports import Imported, ImportPolicy
from .layers import Result
from .progress import View
from .step_cache import Known, StepCache
from .step_requests import StepRequests


async def local_contents(target: Edge, worker: Worker[Result]) -> dict[Vertex, Contents]:
    """What steps read of the contexts. They are hashed for the solve anyway; of a step whose files are missing nothing
    is known, and the solve will say so.
    """
    contents: dict[Vertex, Contents] = {}

    async def read(vertex: Vertex) -> None:
        found = {}
        for position, (edge, key) in enumerate(zip(vertex.inputs, cache_map(vertex.op).inputs, strict=True)):
            if key.content is not None and isinstance(edge.vertex.op, LocalSource):
                context = await worker.execute(edge.vertex, ())
                found[position] = tuple(await worker.digests(vertex, position, context, key.content) or ())
        contents[vertex] = found

    async def tried(vertex: Vertex) -> None:
        with suppress(StepRefused, LookupError, BadPattern, OSError):
            await read(vertex)

    await asyncio.gather(*(tried(vertex) for vertex in walk(target) if vertex.inputs))
    return contents


class StepCaches:
    """All step caches that a build reads from, in the order given."""

    def __init__(self, imported: Sequence[Imported], caches: Mapping[int, StepCache]) -> None:
        self._imported = imported
        self._caches = caches
        """By number of the source."""

    @classmethod
    async def opened(
        cls,
        client: RegistryClient,
        imported: Sequence[Imported],
        target: Edge | None,
        worker: Worker[Result],
        view: View,
        policy: ImportPolicy,
    ) -> Self:
        """Those among the sources that may be read. Nothing is asked yet."""
        numbers = [number for number, item in enumerate(imported) if is_step_cache(item)]
        if target is None or not numbers:
            return cls(imported, {})
        contents = await local_contents(target, worker)
        return cls(
            imported,
            {
                number: StepCache(
                    requests=StepRequests(
                        client=client,
                        reference=Reference.parse(imported[number].source.ref),
                        plan=ProbePlan(Names(target, contents)),
                        oldest=policy.oldest,
                        tags_at_home=policy.trust is not None,
                    ),
                    imported=imported[number],
                    view=view,
                )
                for number in numbers
            },
        )

    def __bool__(self) -> bool:
        return bool(self._caches)

    def reading(self, repository: str) -> StepRequests | None:
        """What was asked of a repository (registry/name), if it is read from."""
        return next(
            (cache.requests for cache in self._caches.values() if cache.requests.reference.name == repository), None
        )

    async def discover(self, solved: Solved[Result], known: Known) -> Mapping[int, frozenset[RecordId]]:
        """As `core.solver.Discover` says. A later cache is asked only if no earlier one has the step."""
        found: dict[int, frozenset[RecordId]] = {}
        for number, cache in self._caches.items():
            found[number] = await cache.discover(solved, known)
            if found[number] - solved.ids[number]:
                break
        return found

    async def complete(self, known: Known) -> None:
        """What other stages made, as far as it is only known to be there: for caches that hold all stages."""
        for number, cache in self._caches.items():
            steps = [vertex for vertex, solved in known.items() if not self._has_result(solved)]
            for vertex, ids in (await cache.complete(steps)).items():
                solved = known[vertex]
                solved.ids = tuple(old | ids if number == at else old for at, old in enumerate(solved.ids))

    def _has_result(self, solved: Solved[Result]) -> bool:
        if solved.result is not None:
            return True
        promised = zip(self._imported, solved.ids, strict=True)
        return any(item.index.result(identity) is not None for item, ids in promised for identity in ids)


def is_step_cache(imported: Imported) -> bool:
    """Is it one, and not one that must not be read?"""
    return imported.source.type == "steps" and imported.answered == "unused"
