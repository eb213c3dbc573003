"""What a step cache is asked: few requests, fewer rounds."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.graph import Edge, Vertex, walk
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.steps import Names, ProbePlan, StepRecord

from tests.support.step_graphs import Graph, digest, record_of


@dataclass
class Asked:
    """A plan carried out against what a cache has, round by round."""

    plan: ProbePlan
    has: Callable[[Vertex], bool]
    below: bool = True
    rounds: list[tuple[Digest, ...]] = field(default_factory=list)

    def settle(self, vertices: Sequence[Vertex], *, result: bool = False) -> None:
        while names := self.plan.round(set(vertices), result=result):
            self.rounds.append(names)
            for name in names:
                self.plan.answer(name, self._record(name))

    def _record(self, name: Digest) -> StepRecord | None:
        names = self.plan.names
        vertex = next(item for item in names.order if names.wanted(item) == name)
        return record_of(names, vertex, below=self.below) if self.has(vertex) else None

    @property
    def requests(self) -> int:
        return sum(map(len, self.rounds))


def nobody(_vertex: Vertex) -> bool:
    return False


def everybody(_vertex: Vertex) -> bool:
    return True


def chained(count: int) -> tuple[Graph, list[Vertex]]:
    graph = Graph()
    return graph, graph.chain(graph.source("base"), *(f"step {number}" for number in range(count)))


def plan_of(graph: Graph, target: Vertex) -> ProbePlan:
    return ProbePlan(Names(Edge(target), key=graph.key))


@pytest.mark.parametrize("count", [1, 2, 8, 9, 20, 100, 500])
def test_all_hits_need_one_round_and_no_hits_a_round_for_each_binary_digit(count: int) -> None:
    graph, steps = chained(count)
    full = Asked(plan_of(graph, steps[-1]), everybody)
    full.settle(steps)
    assert len(full.rounds) == 1
    assert full.requests <= 8
    empty = Asked(plan_of(graph, steps[-1]), nobody)
    empty.settle(steps)
    assert empty.requests == count
    assert len(empty.rounds) <= 1 + math.ceil(math.log2(count / 8 + 1))


def test_the_last_steps_are_asked_for_first() -> None:
    graph, steps = chained(20)
    asked = Asked(plan_of(graph, steps[-1]), everybody)
    asked.settle(steps)
    assert asked.rounds[0] == tuple(asked.plan.names.wanted(step) for step in steps[:-9:-1])


def test_a_found_step_has_the_results_of_those_whose_layers_it_lies_on() -> None:
    graph, steps = chained(20)
    asked = Asked(plan_of(graph, steps[-1]), lambda vertex: vertex is steps[14])
    asked.settle(steps)
    found = asked.plan.found(steps[3])
    assert found is not None
    assert [layer.digest for layer in found.record.layers[: found.layers]] == [digest(f"step {at}") for at in range(4)]
    assert [asked.plan.found(step) is not None for step in steps] == [True] * 15 + [False] * 5


def test_steps_of_other_stages_are_implied_and_asked_for_when_their_result_is_wanted() -> None:
    graph = Graph()
    base = graph.source("base")
    built = graph.chain(base, "one", "two")
    final = graph.step("copy", graph.step("first", base), built[-1])
    asked = Asked(ProbePlan(Names(Edge(final), key=graph.key), first_round=1), everybody)
    asked.settle([step for step in walk(Edge(final)) if step.inputs])
    assert asked.requests == 1
    assert all(asked.plan.implied(step) and asked.plan.found(step) is None for step in built)
    asked.settle(built, result=True)
    assert asked.rounds[1][0] == asked.plan.names.wanted(built[-1])
    assert all(asked.plan.found(step) for step in built)


def test_a_gap_below_a_record_hides_nothing() -> None:
    graph, steps = chained(30)
    there = {steps[29], steps[3]}
    asked = Asked(plan_of(graph, steps[-1]), there.__contains__, below=False)
    asked.settle(steps)
    asked.settle(steps, result=True)
    assert {step for step in steps if asked.plan.found(step)} == there
    assert asked.requests == len(steps)


def test_a_step_found_by_content_gives_what_follows_its_first_builders_names() -> None:
    graph = Graph()
    base = graph.source("base")
    mine, theirs = graph.step("my way", base), graph.step("their way", base)
    copy, their_copy = (graph.step("copy", base, maker, reads=[1]) for maker in (mine, theirs))
    after, their_after = graph.step("after", copy), graph.step("after", their_copy)
    content = {1: (digest("the same"),)}
    wrote = Names(Edge(their_after), {their_copy: content}, graph.key)
    plan = ProbePlan(Names(Edge(after), {copy: content}, graph.key))
    asked = Asked(plan, nobody)
    asked.settle([mine, copy, after])
    name = plan.names.wanted_by_content(copy)
    assert name is not None
    plan.answer_by_content(copy, name, record_of(wrote, their_copy))
    assert plan.found(copy)
    (wanted,) = plan.round({mine, copy, after}, result=False)
    assert wanted == wrote.wanted(their_after)


@settings(deadline=None)
@given(
    shape=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans(), st.booleans()), max_size=60),
    below=st.booleans(),
    first=st.integers(1, 10),
)
def test_whatever_is_there_no_name_is_asked_for_twice_and_rounds_are_few(
    shape: list[tuple[int, int, bool, bool]], below: bool, first: int
) -> None:
    graph = Graph()
    made = [graph.source("base")]
    has = set()
    for number, (lower, other, two, there) in enumerate(shape):
        inputs = [made[lower % len(made)], *([made[other % len(made)]] if two else [])]
        made.append(graph.step(f"step {number}", *inputs))
        has |= {made[-1]} if there else set()
    steps = [step for step in walk(Edge(made[-1])) if step.inputs]
    asked = Asked(ProbePlan(Names(Edge(made[-1]), key=graph.key), first), has.__contains__, below)
    asked.settle(steps)
    names = [name for names in asked.rounds for name in names]
    assert len(names) == len(set(names)) <= len(steps)
    assert len(asked.rounds) <= 1 + math.ceil(math.log2(len(steps) / first + 1))
    for step in steps:
        expected = step in has or any(step in walk(Edge(top)) for top in steps if top in has)
        assert (asked.plan.found(step) is not None or asked.plan.implied(step)) == expected
