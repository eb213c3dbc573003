"""A build foretold: the same preparation and the same solve as the build's, with hands that do nothing.

What steps would write is not known. So the graph is solved twice, without hope that what reads such files is found, and
with it; what is the same in both is certain (`core.solver.solve` says why), the rest depends.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from .. import __version__
from ..contract import BuildRequest, PlannedBytes, PlannedCache, PlannedStep, PlanResult, StepResult
from ..core.graph import Vertex, walk
from ..core.oci import Digest
from ..core.solver import Executed, Hit, Solve
from .explained import steps_below
from .failures import failure_of
from .layers import Result, Tree
from .losses import check_sources, until_nothing_is_lost
from .plan_export import export_pulls
from .plan_worker import PlanWorker
from .prepare import Preparation, Ready
from .progress import View
from .report import step_results
from .settings import Settings


async def plan(request: BuildRequest, settings: Settings, view: View) -> PlanResult:
    """What `run` would do with the request. Never raises for what can go wrong: that is a failure in the result.

    Nothing runs and nothing is written but to temporary files. Layers are pulled only as far as their files decide
    whether a step is a hit; the build would pull them, too.
    """
    preparation = Preparation(request, settings, view)
    try:
        async with asyncio.timeout(request.timeout_seconds), preparation.prepared() as ready:
            found = await until_nothing_is_lost(ready.imported, partial(_Plan.made, request, ready))
            if request.fail_on_import_error:
                check_sources(ready.imported)
            ready.credit(found.without_hope, (vertex for vertex in ready.lowered.steps if found.certain(vertex)))
            return _told(preparation, found)
    except BaseException as error:
        if isinstance(error, SystemExit | GeneratorExit):
            raise
        return PlanResult(
            failure=failure_of(error),
            source_revision=preparation.revision,
            cache=PlannedCache(sources=tuple(imported.told() for imported in preparation.imported)),
            seconds=round(preparation.phases.total, 3),
            builder_version=__version__,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The graph solved without and with hope; both are the same where nothing has to be guessed."""

    ready: Ready
    without_hope: Solve[Result]
    with_hope: Solve[Result]
    worker: PlanWorker
    pulls_without: dict[Digest, int]
    pulls_with: dict[Digest, int]
    """Compressed sizes of all that would be downloaded."""
    open: frozenset[Vertex]
    """What step caches may have, were it known what to ask them for: hope does not reach there."""

    @classmethod
    async def made(cls, request: BuildRequest, ready: Ready) -> "_Plan":
        worker = PlanWorker.of(ready)
        without_hope = with_hope = ready.solve(worker, _ignore)
        pulls_without = pulls_with = await _solved(request, ready, without_hope, worker)
        if worker.guesses:
            hopeful = worker.again()
            with_hope = ready.solve(hopeful, _ignore, hope=True)
            pulls_with = await _solved(request, ready, with_hope, hopeful)
        return cls(
            ready=ready,
            without_hope=without_hope,
            with_hope=with_hope,
            worker=worker,
            pulls_without=pulls_without,
            pulls_with=pulls_with,
            open=_open(ready, without_hope),
        )

    def certain(self, vertex: Vertex) -> bool:
        return vertex not in self.open and _kind(self.without_hope, vertex) == _kind(self.with_hope, vertex)

    def certain_pulls(self) -> set[Digest]:
        """Layers that are downloaded however the rest turns out."""
        both = self.pulls_without.keys() & self.pulls_with.keys()
        return {
            digest
            for digest in both
            if (pulled := self.worker.pulls.get(digest)) is None or not self.open.issuperset(pulled.needed_by)
        }

    def deciders(self) -> dict[Vertex, tuple[Vertex, ...]]:
        """Of each vertex that is not certain, the steps whose files decide: those that are read, before they are
        there, by it or by something below it; failing that, by something above it that may not need it.
        """
        target = self.ready.lowered.target
        if target is None:
            return {}
        order = [vertex for vertex in walk(target) if not self.certain(vertex)]
        found: dict[Vertex, dict[Vertex, None]] = {vertex: dict.fromkeys(self._unwritten(vertex)) for vertex in order}
        for vertex in order:
            for edge in vertex.inputs:
                found[vertex] |= found.get(edge.vertex, {})
        lacking = {vertex for vertex in order if not found[vertex]}
        for vertex in reversed(order):
            for edge in vertex.inputs:
                if edge.vertex in lacking:
                    found[edge.vertex] |= found[vertex]
        return {vertex: tuple(makers) for vertex, makers in found.items()}

    def _unwritten(self, vertex: Vertex) -> list[Vertex]:
        """The steps whose files the vertex would be recognised by."""
        solved = self.without_hope.solved.get(vertex)
        makers = []
        for position in sorted(solved.unknown) if solved else ():
            below = self.without_hope.solved[vertex.inputs[position].vertex].result
            makers += self.worker.makers_of(below)[-1:] if isinstance(below, Tree) else []
        return makers


async def _solved(request: BuildRequest, ready: Ready, solve: Solve[Result], worker: PlanWorker) -> dict[Digest, int]:
    """Runs the solve; what would be downloaded for it and for the export."""
    target = ready.lowered.target
    result = await solve.run(target) if target else Tree()
    exported = await export_pulls(request, ready.store.client, result) if isinstance(result, Tree) else {}
    return {digest: pulled.size for digest, pulled in worker.pulls.items()} | exported


def _open(ready: Ready, without_hope: Solve[Result]) -> frozenset[Vertex]:
    """What reads files that are not there yet, what rests on it, and what only those need: all that would run."""
    target = ready.lowered.target
    if target is None or not ready.steps:
        return frozenset()
    found: set[Vertex] = set()
    order = [vertex for vertex in walk(target) if isinstance(without_hope.solved[vertex].outcome, Executed)]
    for vertex in order:
        solved = without_hope.solved[vertex]
        if not vertex.ignore_cache and (solved.unknown or any(edge.vertex in found for edge in vertex.inputs)):
            found.add(vertex)
    for vertex in reversed(order):
        for below in (edge.vertex for edge in vertex.inputs if vertex in found):
            outcome = without_hope.solved[below].outcome
            if isinstance(outcome, Executed) and outcome.matched:
                found.add(below)
    return frozenset(found)


def _told(preparation: Preparation, found: _Plan) -> PlanResult:
    ready = found.ready
    certain = found.certain_pulls()
    possible = found.pulls_without | found.pulls_with
    numbers = ready.worker.numbers
    pulled: Counter[int] = Counter()
    for digest in certain & found.worker.pulls.keys():
        layer = found.worker.pulls[digest]
        pulled[min(number for vertex in layer.needed_by for number in _numbers(vertex, numbers))] += layer.size
    depends = {
        numbers[vertex]: sorted({number for maker in makers for number in _numbers(maker, numbers)})
        for vertex, makers in found.deciders().items()
        if vertex in numbers
    }
    steps = tuple(
        _planned(step, pulled[step.number], tuple(depends[step.number]) if step.number in depends else None)
        for step in step_results(found.without_hope, ready.explainer, ready.store)
    )
    outcomes = [step.outcome for step in steps]
    return PlanResult(
        source_revision=preparation.revision,
        steps=steps,
        cache=PlannedCache(
            total=len(steps),
            hits=outcomes.count("hit"),
            misses=outcomes.count("miss"),
            depends=outcomes.count("depends"),
            sources=tuple(imported.told() for imported in ready.imported),
        ),
        bytes=PlannedBytes(
            pulled=sum(possible[digest] for digest in certain),
            at_most=None if found.open else sum(possible.values()),
        ),
        seconds=round(preparation.phases.total, 3),
        builder_version=__version__,
    )


def _planned(step: StepResult, pulled: int, depends_on: tuple[int, ...] | None) -> PlannedStep:
    if step.outcome == "uncacheable":
        raise AssertionError("no solve gives that")
    planned = PlannedStep(
        number=step.number,
        inputs=step.inputs,
        stage=step.stage,
        line=step.line,
        instruction=step.instruction,
        outcome=step.outcome,
        source=step.source,
        reason=step.reason,
        detail=step.detail,
        more=step.more,
        compared_with=step.compared_with,
        saved_seconds=step.saved_seconds,
        bytes=step.bytes,
        pulled=pulled,
    )
    if depends_on is None:
        return planned
    return replace(
        planned,
        outcome="depends",
        source=None,
        reason=None,
        detail=(),
        more=0,
        compared_with="",
        saved_seconds=0.0,
        bytes=0,
        depends_on=depends_on,
    )


def _numbers(vertex: Vertex, numbers: Mapping[Vertex, int]) -> tuple[int, ...]:
    """The vertex's own; of one that is no step those of the steps below it, and 0 if there are none."""
    return (numbers[vertex],) if vertex in numbers else steps_below(vertex, numbers) or (0,)


def _kind(solve: Solve[Result], vertex: Vertex) -> tuple[str, int] | None:
    """What became of it, as far as it tells two solves apart."""
    solved = solve.solved.get(vertex)
    match solved.outcome if solved else None:
        case Hit(source=source):
            return "hit", source
        case Executed():
            return "miss", 0
        case _:
            return None


def _ignore(_vertex: Vertex, _outcome: Hit | Executed | None) -> None:
    """Nothing happens that a view could show."""
