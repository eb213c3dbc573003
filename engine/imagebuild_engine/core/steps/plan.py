"""Which names a step cache is asked for next, so that few requests, and fewer rounds of them, are enough.

A step that is found spares all steps below it: they need not run, and those whose layers it lies on have their results
by it. So the names of the last steps are asked for first, in rounds of requests side by side, each round twice as large
as the one before. Every name is asked for at most once: a build of N steps needs at most N requests; if all of them are
found one round, if none is, as many as N has binary digits. Nothing is assumed about what else is there: a record can
be pruned at any time, whatever rests on it.

A step found by content may have another name than was thought, and what follows it, too: that begins new rounds. A
hostile cache could make that go on for long: after four times as many requests as there are steps, no more are made.
"""

from collections.abc import Collection
from dataclasses import dataclass

from ..graph import Edge, Vertex, walk
from ..oci import Digest
from .names import Names
from .record import StepRecord

_FIRST_ROUND = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStep:
    """A step's result: the lowest `layers` layers of a record, its own or that of a step above it."""

    record: StepRecord
    layers: int
    content: tuple[tuple[Digest, ...], ...]
    """For each input the keys of the content that was read, as far as they are known."""
    seconds: float
    """How long the step took when it ran; 0 if nobody knows."""


class ProbePlan:
    """What was asked for and found in one step cache, for one build."""

    def __init__(self, names: Names, first_round: int = _FIRST_ROUND) -> None:
        self.names = names
        self._first_round = self._round = first_round
        self._most = 4 * len(names.order) + 64
        self._answers: dict[Digest, bool] = {}
        self._found: dict[Vertex, FoundStep] = {}
        self._implied: set[Vertex] = set()

    def asked(self, name: Digest) -> bool:
        return name in self._answers

    def has(self, name: Digest) -> bool:
        """Was it asked for, and there?"""
        return self._answers.get(name, False)

    @property
    def exhausted(self) -> bool:
        """Was so much asked that the cache must be up to no good?"""
        return len(self._answers) >= self._most

    @property
    def has_found(self) -> bool:
        """Is anything of use there?"""
        return bool(self._found)

    def found(self, vertex: Vertex) -> FoundStep | None:
        """The step's result, if it is known to be there."""
        return self._found.get(vertex)

    def implied(self, vertex: Vertex) -> bool:
        """Does something that was found rest on the step? Then it need not run for that."""
        return vertex in self._implied

    def settled(self, vertex: Vertex, *, result: bool) -> bool:
        """Is nothing left to be asked about it by definition? Where no result is wanted, implied will do."""
        if vertex in self._found or (not result and vertex in self._implied) or self.exhausted:
            return True
        name = self.names.wanted(vertex)
        return name is None or name in self._answers

    def round(self, vertices: Collection[Vertex], *, result: bool) -> tuple[Digest, ...]:
        """The next names to ask for, to settle these steps; none if they are settled."""
        names: dict[Digest, None] = {}
        for vertex in reversed(self.names.order):
            if len(names) == self._round:
                break
            if vertex in vertices and not self.settled(vertex, result=result):
                name = self.names.wanted(vertex)
                assert name is not None
                names[name] = None
        self._round *= 2
        return tuple(names)

    def needless(self, name: Digest, *, result: bool) -> bool:
        """Has a name of the round become needless by what else the round has found?"""
        return all(self.settled(vertex, result=result) for vertex in self._called(name))

    def answer(self, name: Digest, record: StepRecord | None) -> None:
        """What lies under a name that was asked for by definition."""
        self._answers[name] = record is not None
        if record is not None:
            for vertex in self._called(name):
                self._take(vertex, record)

    def answer_by_content(self, vertex: Vertex, name: Digest, record: StepRecord | None) -> None:
        """What lies under the name by content of a step."""
        self._answers[name] = record is not None
        if record is not None:
            self._take(vertex, record)

    def _called(self, name: Digest) -> list[Vertex]:
        return [vertex for vertex in self.names.order if self.names.wanted(vertex) == name]

    def _take(self, vertex: Vertex, record: StepRecord) -> None:
        content = tuple(known.content for known in record.identity.inputs)
        self._found[vertex] = FoundStep(
            record=record, layers=len(record.layers), content=content, seconds=record.seconds
        )
        if record.name != self.names.name(vertex):
            self.names.rename(vertex, record.name)
            self._round = self._first_round
        below = {step.name: step for step in record.below}
        for ancestor in walk(Edge(vertex)):
            if ancestor is vertex or not ancestor.inputs:
                continue
            self._implied.add(ancestor)
            name = self.names.name(ancestor)
            if name in below and ancestor not in self._found:
                step = below[name]
                self._found[ancestor] = FoundStep(
                    record=record, layers=step.layers, content=step.content, seconds=step.seconds
                )
