"""What became of every step, and as far as it is certain, why."""

from collections.abc import Sequence

from ..contract import StepResult
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve, Solved
from .imports import Imported
from .layers import Result
from .worker import BuildWorker

_SOURCE_REASONS = {
    "not_found": "SourceNotFound",
    "unauthorized": "SourceUnauthorized",
    "invalid": "MetadataInvalid",
    "timeout": "SourceUnavailable",
    "error": "SourceUnavailable",
}


def step_results(
    lowered: Lowered, solve: Solve[Result] | None, worker: BuildWorker | None, imported: Sequence[Imported]
) -> tuple[StepResult, ...]:
    """One entry per step that was decided on, in the order of the Dockerfile."""
    if solve is None or worker is None:
        return ()
    results = []
    for vertex in lowered.steps:
        solved = solve.solved.get(vertex)
        if solved is None or solved.outcome is None or vertex.origin is None:
            continue
        hit = isinstance(solved.outcome, Hit)
        results.append(
            StepResult(
                stage=vertex.origin.stage,
                line=vertex.origin.line,
                instruction=vertex.origin.instruction,
                outcome="hit" if hit else "miss",
                source=imported[solved.outcome.source].source.ref if isinstance(solved.outcome, Hit) else None,
                reason=None if hit else _reason(vertex, solved, solve, imported),
                seconds=round(worker.seconds.get(vertex, 0.0), 3),
            )
        )
    return tuple(results)


def _reason(vertex: Vertex, solved: Solved[Result], solve: Solve[Result], imported: Sequence[Imported]) -> str:
    """One of the API document's miss reasons. Which file, argument or text it was is not told apart yet: StepNew."""
    assert isinstance(solved.outcome, Executed)
    if vertex.ignore_cache:
        return "CacheDisabled"
    if not imported:
        return "NoCacheSource"
    if solved.outcome.lost:
        return "BlobMissing"
    if solved.outcome.matched:
        return "IntermediateStageNotExported"
    useful = [item for item in imported if len(item.index)]
    if not useful:
        return _SOURCE_REASONS.get(imported[0].outcome, "NoInlineMetadata")
    if any(_ran(solve, edge.vertex) for edge in vertex.inputs):
        return "ParentMissed"
    return "StepNew"


def _ran(solve: Solve[Result], vertex: Vertex) -> bool:
    """Did this input, a step and no source, have to run?"""
    solved = solve.solved.get(vertex)
    return vertex.origin is not None and solved is not None and isinstance(solved.outcome, Executed)
