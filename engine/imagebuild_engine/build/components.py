"""What the steps of this build were made of."""

from collections.abc import Mapping

from ..core.explain import Components, StepComponents
from ..core.frontend import Lowered
from ..core.graph import Vertex
from ..core.solver import Solve
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
