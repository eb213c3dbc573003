"""The cases of the speed table: what changes between the cached build and the measured one, and what must run then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from . import workload
from .workload import Lines

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`executed` says for each contestant which steps may and must run; its first one is measured against the others.

    `remade`: how many of the image's top layers are new; with none it is the same image.
    `targets`: the ratio of medians, ours to the other's, that the engine is to reach.
    """

    name: str
    title: str
    change: Callable[[int], Lines]
    remade: int
    executed: Mapping[str, Callable[[Lines], frozenset[str]]]
    targets: Mapping[str, float]

    @property
    def contestants(self) -> tuple[str, ...]:
        return tuple(self.executed)


def _nothing(_lines: Lines) -> frozenset[str]:
    return NOTHING


def _with_builder_stage(lines: Lines) -> frozenset[str]:
    """An inline cache has no layers of the builder stage: what copies from it needs that stage run again."""
    return workload.BUILDER_STEPS | workload.from_notice(lines)


CASES = (
    Case(
        name="full-hit",
        title="Fully cached rebuild from inline cache",
        change=lambda _round: Lines(),
        remade=0,
        executed={"ours": _nothing, "buildkit": _nothing},
        targets={"buildkit": 0.8},
    ),
    Case(
        name="last-step",
        title="One line changed in the last step",
        change=lambda number: Lines(release=f"changed {number}"),
        remade=1,
        executed={"ours": workload.last_step, "buildkit": workload.last_step},
        targets={"buildkit": 0.8},
    ),
    Case(
        name="final-stage",
        title="Change in the final stage of a multi-stage build",
        change=lambda number: Lines(notice=f"changed {number}"),
        remade=4,
        executed={
            "ours": workload.from_notice,
            "buildkit": _with_builder_stage,
            "buildkit-max": workload.from_notice,
        },
        targets={"buildkit": 0.1, "buildkit-max": 0.8},
    ),
)
