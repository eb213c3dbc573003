"""What became of every step, and as far as it is certain, why."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..contract import MissReason, StepResult
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve, Solved
from .imports import Imported
from .layers import Result
from .worker import BuildWorker

_SOURCE_REASONS = {
    "not_found": MissReason.SOURCE_NOT_FOUND,
    "unauthorized": MissReason.SOURCE_UNAUTHORIZED,
    "untrusted": MissReason.SOURCE_UNTRUSTED,
    "invalid": MissReason.METADATA_INVALID,
    "timeout": MissReason.SOURCE_UNAVAILABLE,
    "error": MissReason.SOURCE_UNAVAILABLE,
}


def step_results(
    lowered: Lowered, solve: Solve[Result] | None, worker: BuildWorker | None, imported: Sequence[Imported]
) -> tuple[StepResult, ...]:
    """One entry per step that was decided on, in the order of the Dockerfile."""
    if solve is None or worker is None:
        return ()
    found = (step_result(vertex, solve, worker, imported) for vertex in lowered.steps)
    return tuple(result for result in found if result is not None)


def step_result(
    vertex: Vertex, solve: Solve[Result], worker: BuildWorker, imported: Sequence[Imported]
) -> StepResult | None:
    """What became of a step, or is becoming of one that has begun to run; None of one that was not decided on."""
    solved = solve.solved.get(vertex)
    if solved is None or solved.outcome is None or vertex.origin is None:
        return None
    hit = isinstance(solved.outcome, Hit)
    return StepResult(
        number=worker.numbers[vertex],
        inputs=steps_below(vertex, worker.numbers),
        stage=vertex.origin.stage,
        line=vertex.origin.line,
        instruction=vertex.origin.instruction,
        outcome="hit" if hit else "miss",
        source=imported[solved.outcome.source].source.ref if isinstance(solved.outcome, Hit) else None,
        reason=None if hit else _reason(vertex, solved, solve, imported),
        seconds=round(worker.seconds.get(vertex, 0.0), 3),
    )


def counts_by_reason(steps: Iterable[StepResult]) -> dict[str, int]:
    """How many steps missed for each reason, in the order in which the reasons first occur."""
    return dict(Counter(str(step.reason) for step in steps if step.reason is not None))


def steps_below(vertex: Vertex, numbers: Mapping[Vertex, int]) -> tuple[int, ...]:
    """The steps that it rests on directly; what lies between (a merge, a script's file) is no step of the user's."""
    found: dict[int, None] = {}
    pending = [edge.vertex for edge in reversed(vertex.inputs)]
    while pending:
        below = pending.pop()
        if below in numbers:
            found[numbers[below]] = None
        else:
            pending += [edge.vertex for edge in reversed(below.inputs)]
    return tuple(found)


def _reason(vertex: Vertex, solved: Solved[Result], solve: Solve[Result], imported: Sequence[Imported]) -> MissReason:
    """One of the API document's miss reasons. Which file, argument or text it was is not told apart yet: StepNew."""
    assert isinstance(solved.outcome, Executed)
    if vertex.ignore_cache:
        return MissReason.CACHE_DISABLED
    if not imported:
        return MissReason.NO_CACHE_SOURCE
    if solved.outcome.lost:
        return MissReason.BLOB_MISSING
    if any(key in item.expired for item in imported for key in solved.keys):
        return MissReason.EXPIRED
    if solved.outcome.matched:
        return MissReason.INTERMEDIATE_STAGE_NOT_EXPORTED
    useful = [item for item in imported if len(item.index)]
    if not useful:
        return _SOURCE_REASONS.get(imported[0].outcome, MissReason.NO_INLINE_METADATA)
    if any(_ran(solve, edge.vertex) for edge in vertex.inputs):
        return MissReason.PARENT_MISSED
    return MissReason.STEP_NEW


def _ran(solve: Solve[Result], vertex: Vertex) -> bool:
    """Did this input, a step and no source, have to run?"""
    solved = solve.solved.get(vertex)
    return vertex.origin is not None and solved is not None and isinstance(solved.outcome, Executed)
