"""What became of every step, and why."""

from collections import Counter
from collections.abc import Iterable

from ..contract import StepResult
from ..core.graph import Vertex
from ..core.solver import Executed, Hit, Solve, Solved
from .explained import Explainer, steps_below
from .layers import LocalLayer, Result
from .results import known_results
from .store import TreeStore


def step_results(solve: Solve[Result] | None, explainer: Explainer, store: TreeStore) -> tuple[StepResult, ...]:
    """One entry per step that was decided on, in the order of the Dockerfile."""
    if solve is None:
        return ()
    found = (step_result(vertex, solve, explainer, store) for vertex in explainer.lowered.steps)
    return tuple(result for result in found if result is not None)


def step_result(vertex: Vertex, solve: Solve[Result], explainer: Explainer, store: TreeStore) -> StepResult | None:
    """What became of a step, or is becoming of one that has begun to run; None of one that was not decided on."""
    solved = solve.solved.get(vertex)
    if solved is None or solved.outcome is None or vertex.origin is None:
        return None
    hit = solved.outcome if isinstance(solved.outcome, Hit) else None
    miss = explainer.miss(vertex, solve) if isinstance(solved.outcome, Executed) else None
    return StepResult(
        number=explainer.numbers[vertex],
        inputs=steps_below(vertex, explainer.numbers),
        stage=vertex.origin.stage,
        line=vertex.origin.line,
        instruction=vertex.origin.instruction,
        outcome="hit" if hit else "miss",
        source=explainer.imported[hit.source].source.ref if hit else None,
        reason=miss.reason if miss else None,
        detail=miss.detail if miss else (),
        more=miss.more if miss else 0,
        compared_with=miss.compared_with if miss else "",
        seconds=round(explainer.worker.seconds.get(vertex, 0.0), 3),
        saved_seconds=explainer.saved(solved),
        bytes=_size(solved, explainer, store),
    )


def _size(solved: Solved[Result], explainer: Explainer, store: TreeStore) -> int:
    """Of the layer, as far as it is known: one that was made here has no compressed size before it is packed."""
    tree = next((tree for tree, _ in known_results(solved, explainer.imported) if tree.layers), None)
    if tree is None:
        return 0
    top = tree.layers[-1]
    return store.packed_size(top) if isinstance(top, LocalLayer) else top.descriptor.size


def counts_by_reason(steps: Iterable[StepResult]) -> dict[str, int]:
    """How many steps missed for each reason, in the order in which the reasons first occur."""
    return dict(Counter(str(step.reason) for step in steps if step.reason is not None))
