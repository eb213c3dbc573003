"""Why the steps of a build run, or would run: a solve, put as the question that `core.explain` answers."""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from functools import cached_property
from typing import Protocol

from msgspec.structs import replace as changed

from ..core.cache import DescribedTree, content_key, root_key
from ..core.explain import (
    AskedSource,
    AskedStep,
    Candidate,
    Components,
    Explanation,
    History,
    Miss,
    StepComponents,
    describe_step,
    file_changes,
)
from ..core.frontend import Lowered
from ..core.graph import ExecOp, ImageSource, Vertex, cache_map
from ..core.oci import Digest, Platform
from ..core.solver import Executed, Hit, Solve, Solved
from .cache_source import FoundCache
from .imports import Imported
from .layers import Result


class Work(Protocol):
    """What a worker notes down while it works (`BuildWorker` says more)."""

    numbers: dict[Vertex, int]
    seconds: dict[Vertex, float]
    read: dict[tuple[Vertex, int], DescribedTree]
    lost: dict[tuple[Vertex, int, str | None], str]


class Explainer:
    """One build's. Costs nothing until it is asked."""

    def __init__(self, lowered: Lowered, worker: Work, imported: Sequence[Imported]) -> None:
        self.lowered = lowered
        self.worker = worker
        self.imported = imported
        self._made_of: dict[tuple[Vertex, frozenset[int]], StepComponents] = {}
        """By the inputs whose files are told."""

    @property
    def numbers(self) -> Mapping[Vertex, int]:
        return self.worker.numbers

    def miss(self, vertex: Vertex, solve: Solve[Result]) -> Miss:
        """Why the step runs. Its outcome is known."""
        solved = solve.solved[vertex]
        outcome = solved.outcome
        assert isinstance(outcome, Executed)
        runs = {number for step, number in self.numbers.items() if _runs(solve, step)}
        beside_it = self._beside_the_point(vertex, runs)
        contents = (digests for number, digests in solved.content.items() if number not in beside_it)
        asked = replace(
            self._steps[self.numbers[vertex] - 1],
            made_of=self.made_of(vertex, beside_it) if self._is_compared else self._static[vertex],
            known=outcome.matched,
            lost=self._lost(vertex) if outcome.lost else "",
            contents=tuple(frozenset(map(content_key, digests)) for digests in contents),
        )
        return self._explanation.why(self.numbers[vertex], asked, runs)

    def _beside_the_point(self, vertex: Vertex, runs: Set[int]) -> frozenset[int]:
        """The inputs whose files do not count: a step that runs has written them, and the step would run without that,
        too, as it lies on another one that runs. So a plan, which cannot know such files, says the same as the build.
        """
        keys = cache_map(vertex.op).inputs
        running = [
            number
            for number, edge in enumerate(vertex.inputs)
            if runs
            & (
                {self.numbers[edge.vertex]}
                if edge.vertex in self.numbers
                else {*steps_below(edge.vertex, self.numbers)}
            )
        ]
        lies_on_one = any(keys[number].content is None for number in running)
        return frozenset(running) if lies_on_one else frozenset()

    def made_of(self, vertex: Vertex, left_out: Collection[int] = ()) -> StepComponents:
        """The step's components, with the files that have been read by now, but for those of some inputs."""
        numbers = [number for number in range(len(vertex.inputs)) if number not in left_out]
        read = {number: self.worker.read[vertex, number] for number in numbers if (vertex, number) in self.worker.read}
        key = vertex, frozenset(read)
        if key not in self._made_of:
            keys = self._keys(vertex)
            self._made_of[key] = describe_step(vertex, self.numbers, keys=keys, read=read)
        return self._made_of[key]

    def cached(self, solved: Solved[Result]) -> StepComponents | None:
        """What the cache that a hit came from says of the step, with its files and its time."""
        vertex = solved.vertex
        if not isinstance(solved.outcome, Hit) or vertex not in self.numbers:
            return None
        now = self._static[vertex]
        first = solved.outcome.source
        order = [first, *(number for number in range(len(self.imported)) if number != first)]
        known = [
            step
            for number in order
            for key in now.keys
            for step in self._known[number].get(key, ())
            if len(step.inputs) == len(now.inputs)
        ]
        nearest = max((_nearness(step, now) for step in known), default=None)
        found = [step for step in known if _nearness(step, now) == nearest]
        if len(found) < 2:
            return found[0] if found else None
        read = self.made_of(vertex)
        return next((step for step in found if _reads_the_same(step, read)), None)

    def saved(self, solved: Solved[Result]) -> float:
        """How long the step of a hit took when it ran; 0 if no cache says so."""
        if not isinstance(solved.outcome, Hit):
            return 0.0
        if (step := self.cached(solved)) is not None:
            return step.seconds
        took = self.imported[solved.outcome.source].took
        return max((took.get(identity, 0.0) for identity in solved.ids[solved.outcome.source]), default=0.0)

    def seconds(self, solve: Solve[Result]) -> dict[Vertex, float]:
        """How long each step takes, as far as that is known: those that ran, as they did; hits, as they once did."""
        found = dict(self.worker.seconds)
        for vertex, solved in solve.solved.items():
            if vertex not in found and (saved := self.saved(solved)) > 0:
                found[vertex] = saved
        return found

    def components(self, solve: Solve[Result]) -> Components:
        """Of every step that was decided on. What the cache of a hit knows of files and times is kept as it is there,
        so that a build from our own cache says the same again."""
        solved = [solve.solved[vertex] for vertex in self.lowered.steps if vertex in solve.solved]
        return Components(steps=tuple(map(self._component, solved)))

    def _component(self, solved: Solved[Result]) -> StepComponents:
        now, before = self._static[solved.vertex], self.cached(solved)
        told = {number for number, item in enumerate(before.inputs if before else ()) if item.files is not None}
        if any(vertex is solved.vertex and number not in told for vertex, number in self.worker.read):
            now = self.made_of(solved.vertex)
        if before is None:
            seconds = self.worker.seconds.get(solved.vertex, 0.0) or self.saved(solved)
            return changed(now, seconds=round(seconds, 3))
        inputs = tuple(
            item if known.files is None else changed(item, files=known.files)
            for item, known in zip(now.inputs, before.inputs, strict=True)
        )
        return changed(now, inputs=inputs, seconds=before.seconds)

    # What does not change while the build goes on.

    @cached_property
    def _explanation(self) -> Explanation:
        return Explanation.of(self._steps, self._sources, platform=_name(self.lowered.platform))

    @property
    def _is_compared(self) -> bool:
        best = self._explanation.best
        return best is not None and best.components is not None

    @cached_property
    def _static(self) -> Mapping[Vertex, StepComponents]:
        return {
            vertex: describe_step(vertex, self.numbers, keys=self._keys(vertex), read={}) for vertex in self.numbers
        }

    @cached_property
    def _steps(self) -> Sequence[AskedStep]:
        return [self._step(vertex) for vertex in self.numbers]

    def _step(self, vertex: Vertex) -> AskedStep:
        op = vertex.op
        keys = Solved[Result](vertex=vertex, cache_map=cache_map(op), ids=()).keys
        roots = [root_key(key, 0) for edge in vertex.inputs for key in _image_keys(edge.vertex)]
        return AskedStep(
            made_of=self._static[vertex],
            alone=not vertex.inputs,
            disabled=vertex.ignore_cache,
            keys=frozenset(keys),
            roots=frozenset(roots),
            command=" ".join(op.args) if isinstance(op, ExecOp) else "",
            values=dict(item.partition("=")[::2] for item in op.env) if isinstance(op, ExecOp) else {},
        )

    @staticmethod
    def _keys(vertex: Vertex) -> tuple[Digest, ...]:
        return tuple(root_key(digest, 0) for digest in cache_map(vertex.op).digests)

    @cached_property
    def _sources(self) -> Sequence[AskedSource]:
        return [
            AskedSource(
                ref=item.source.ref,
                outcome=item.outcome,
                candidates=tuple(_candidate(item, cache) for cache in item.caches),
                by_step=item.source.type == "steps",
                expired=item.expired,
            )
            for item in self.imported
        ]

    @cached_property
    def _known(self) -> Sequence[Mapping[Digest, Sequence[StepComponents]]]:
        """Of each source the steps whose components it has, by their keys."""
        found = []
        for item in self.imported:
            by_key: dict[Digest, list[StepComponents]] = {}
            for step in (step for cache in item.caches if cache.components for step in cache.components.steps):
                for key in step.keys:
                    by_key.setdefault(key, []).append(step)
            found.append(by_key)
        return found

    def _lost(self, vertex: Vertex) -> str:
        why = dict.fromkeys(text for (step, _, _), text in self.worker.lost.items() if step is vertex)
        return ", ".join(why) or "a result that the cache promised is gone"


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


def _reads_the_same(step: StepComponents, now: StepComponents) -> bool:
    """As far as both are known."""
    return not any(
        one.files is not None and other.files is not None and file_changes(one.files, other.files)
        for one, other in zip(step.inputs, now.inputs, strict=True)
    )


def _nearness(step: StepComponents, now: StepComponents) -> tuple[bool, bool, bool]:
    return step.stage == now.stage, step.position == now.position, step.instruction == now.instruction


def _runs(solve: Solve[Result], vertex: Vertex) -> bool:
    solved = solve.solved.get(vertex)
    return solved is not None and isinstance(solved.outcome, Executed)


def _image_keys(vertex: Vertex) -> tuple[Digest, ...]:
    return cache_map(vertex.op).digests if isinstance(vertex.op, ImageSource) else ()


def _candidate(item: Imported, cache: FoundCache) -> Candidate:
    config = cache.config
    history = None
    if config is not None:
        history = History(
            texts=tuple(entry.created_by for entry in config.history if not entry.empty_layer),
            variables=dict(text.partition("=")[::2] for text in config.config.env),
        )
    return Candidate(
        name=f"{item.source.ref.partition('@')[0]}@{cache.digest or item.digest}",
        keys=frozenset(record.digest for record in cache.records),
        components=cache.components,
        platform=_name(cache.platform) if cache.platform else "",
        history=history,
    )


def _name(platform: Platform) -> str:
    return str(platform.normalized())
