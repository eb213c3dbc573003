"""What the steps of this build were made of."""

from collections.abc import Mapping, Sequence

from ..core.explain import Components, StepComponents
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Hit, Solve
from .imports import Imported
from .layers import Result


def components_of(lowered: Lowered, solve: Solve[Result], seconds: Mapping[Vertex, float]) -> Components:
    """The components of every step that was decided on. `seconds` is how long those took that ran."""
    steps = []
    for vertex in lowered.steps:
        solved = solve.solved.get(vertex)
        if solved is None or vertex.origin is None:
            continue
        steps.append(
            StepComponents(
                stage=vertex.origin.stage,
                instruction=vertex.origin.instruction,
                keys=solved.spellings[0].digests,
                seconds=round(seconds.get(vertex, 0.0), 3),
            )
        )
    return Components(steps=tuple(steps))


def step_seconds(
    solve: Solve[Result], imported: Sequence[Imported], ran: Mapping[Vertex, float]
) -> dict[Vertex, float]:
    """How long each step takes: those that ran, as they did; hits, as the caches say that they once did."""
    seconds = dict(ran)
    told = {
        key: step.seconds
        for item in reversed(imported)
        for cache in reversed(item.caches)
        if cache.components is not None
        for step in cache.components.steps
        if step.seconds > 0
        for key in step.keys
    }
    for vertex, solved in solve.solved.items():
        if isinstance(solved.outcome, Hit) and vertex not in seconds:
            known = next((told[key] for key in solved.spellings[0].digests if key in told), None)
            if known is not None:
                seconds[vertex] = known
    return seconds
