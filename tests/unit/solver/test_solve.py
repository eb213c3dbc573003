"""The solver, with strings for results and a count of every call: that is what to assert about a cache."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from imagebuild_engine.core.cache import CacheIndex, LayerResult, Link, Record, content_key, root_key
from imagebuild_engine.core.graph import (
    CacheMap,
    ContentRequest,
    Edge,
    InputKey,
    LocalSource,
    Vertex,
)
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.solver import Executed, Hit, ResultLost, Solve, Solved


def digest(seed: str) -> Digest:
    return Digest.of(seed.encode())


@dataclass
class World:
    """Vertices by name, their keys, and what the worker does."""

    maps: dict[Vertex, CacheMap] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    contents: dict[str, str] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    promised: set[str] = field(default_factory=set)
    """Results that a cache has until somebody wants to use them."""
    missing: set[str] = field(default_factory=set)

    def step(
        self, name: str, *inputs: Vertex, seed: str = "", reads: Sequence[int] = (), no_cache: bool = False
    ) -> Vertex:
        vertex = Vertex(
            op=LocalSource(name=name),
            inputs=tuple(Edge(item) for item in inputs),
            description=name,
            ignore_cache=no_cache,
        )
        request = ContentRequest()
        keys = tuple(
            InputKey(selector=None, content=request if position in reads else None) for position in range(len(inputs))
        )
        self.maps[vertex] = CacheMap(digests=(digest(seed or name),), inputs=keys)
        return vertex

    def local(self, name: str) -> Vertex:
        vertex = Vertex(op=LocalSource(name=name), description=name)
        self.maps[vertex] = CacheMap(digests=(), inputs=())
        return vertex

    def solve(self, *sources: CacheIndex) -> Solve[str]:
        return Solve[str](self, sources, key=lambda vertex: self.maps[vertex])

    async def load(self, vertex: Vertex, source: int, result: LayerResult) -> str | None:
        self.calls[f"load {vertex.description} from {source}"] += 1
        cached = f"cached {vertex.description} layer {result.layer}"
        return None if source in self.lost or cached in self.missing else cached

    def gone(self, result: str) -> bool:
        return result in self.missing

    def _use(self, *results: str) -> None:
        if found := self.promised.intersection(results):
            self.missing |= found
            raise ResultLost(*found)

    async def digests(
        self, vertex: Vertex, input_number: int, result: str, request: ContentRequest
    ) -> tuple[Digest, ...]:
        self.calls[f"digest {vertex.inputs[input_number].vertex.description}"] += 1
        await asyncio.sleep(0)
        self._use(result)
        name = vertex.inputs[input_number].vertex.description
        return (digest("content " + self.contents.get(name, name)),)

    async def execute(self, vertex: Vertex, inputs: Sequence[str]) -> str:
        self.calls[f"run {vertex.description}"] += 1
        await asyncio.sleep(0)
        self._use(*inputs)
        return f"{vertex.description}({', '.join(inputs)})"

    def ran(self) -> set[str]:
        return {name.removeprefix("run ") for name in self.calls if name.startswith("run ")}


def record(seed: str, *inputs: tuple[int, ...], layer: int | None = None, at: str = "2026-01-01T00:00:00Z") -> Record:
    return Record(
        digest=root_key(digest(seed), 0),
        inputs=tuple(tuple(Link(parent=parent) for parent in links) for links in inputs),
        results=() if layer is None else (LayerResult(layer=layer, created_at=at),),
    )


def content(seed: str) -> Record:
    return Record(digest=content_key(digest("content " + seed)))


async def test_without_a_cache_everything_runs_once() -> None:
    world = World()
    base = world.step("base")
    left, right = world.step("left", base), world.step("right", base)
    join = world.step("join", left, right)
    result = await world.solve().run(Edge(join))
    assert result == "join(left(base()), right(base()))"
    assert world.calls == Counter(["run base", "run left", "run right", "run join"])


async def test_a_full_hit_loads_the_last_step_and_nothing_else() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    two = world.step("two", one)
    cache = CacheIndex((record("base"), record("one", (0,), layer=1), record("two", (1,), layer=2)))
    solve = world.solve(cache)
    assert await solve.run(Edge(two)) == "cached two layer 2"
    assert world.calls == Counter(["load two from 0"])
    assert [solve.solved[vertex].outcome for vertex in (one, two)] == [Hit(0), Hit(0)]


async def test_what_follows_a_changed_step_runs_and_what_precedes_it_is_loaded() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    two = world.step("two changed", one)
    three = world.step("three", two)
    cache = CacheIndex(
        (record("base"), record("one", (0,), layer=1), record("two", (1,), layer=2), record("three", (2,), layer=3))
    )
    solve = world.solve(cache)
    assert await solve.run(Edge(three)) == "three(two changed(cached one layer 1))"
    assert world.ran() == {"two changed", "three"}
    assert solve.solved[three].outcome == Executed(matched=False, lost=0)


async def test_the_first_source_in_the_list_wins_even_if_another_is_newer() -> None:
    world = World()
    step = world.step("one", world.step("base"))
    old = CacheIndex((record("base"), record("one", (0,), layer=1, at="2020-01-01T00:00:00Z")))
    new = CacheIndex((record("base"), record("one", (0,), layer=7, at="2026-01-01T00:00:00Z")))
    solve = world.solve(old, new)
    assert await solve.run(Edge(step)) == "cached one layer 1"
    assert solve.solved[step].outcome == Hit(0)


async def test_inside_one_source_the_newest_record_wins() -> None:
    world = World()
    base = world.step("base")
    step = world.step("one", base, seed="one")
    cache = CacheIndex(
        (
            record("base"),
            Record(digest=root_key(digest("other base"), 0)),
            record("one", (0,), layer=1, at="2020-01-01T00:00:00Z"),
            record("one", (0, 1), layer=2, at="2021-01-01T00:00:00Z"),
        )
    )
    assert await world.solve(cache).run(Edge(step)) == "cached one layer 2"


async def test_a_lost_result_is_taken_from_the_next_source() -> None:
    world = World()
    step = world.step("one", world.step("base"))
    cache = CacheIndex((record("base"), record("one", (0,), layer=1)))
    world.lost = {0}
    assert await world.solve(cache, cache).run(Edge(step)) == "cached one layer 1"
    assert world.calls == Counter(["load one from 0", "load one from 1"])


async def test_a_result_lost_everywhere_is_made_again() -> None:
    world = World()
    step = world.step("one", world.step("base"))
    cache = CacheIndex((record("base"), record("one", (0,), layer=1)))
    world.lost = {0}
    solve = world.solve(cache)
    assert await solve.run(Edge(step)) == "one(base())"
    assert solve.solved[step].outcome == Executed(matched=True, lost=1)


async def test_records_of_different_sources_are_never_joined_to_one_chain() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    two = world.step("two", one)
    knows_one = CacheIndex((record("base"), record("one", (0,), layer=1)))
    knows_two_elsewhere = CacheIndex((record("other"), record("one", (0,), layer=8), record("two", (1,), layer=9)))
    assert await world.solve(knows_one, knows_two_elsewhere).run(Edge(two)) == "two(cached one layer 1)"


async def test_local_files_are_found_by_content_alone() -> None:
    world = World()
    copy = world.step("copy", world.step("base"), world.local("context"), reads=[1])
    cache = CacheIndex((record("base"), content("context"), record("copy", (0,), (1,), layer=1)))
    assert await world.solve(cache).run(Edge(copy)) == "cached copy layer 1"
    assert world.ran() == {"context"}


async def test_changed_files_miss() -> None:
    world = World(contents={"context": "changed"})
    copy = world.step("copy", world.step("base"), world.local("context"), reads=[1])
    cache = CacheIndex((record("base"), content("context"), record("copy", (0,), (1,), layer=1)))
    assert await world.solve(cache).run(Edge(copy)) == "copy(base(), context())"


async def test_a_matched_step_of_another_stage_without_a_result_does_not_run_when_its_copy_hits() -> None:
    world = World()
    base = world.step("base")
    make = world.step("make", base)
    copy = world.step("copy", base, make, reads=[1])
    cache = CacheIndex((record("base"), record("make", (0,)), record("copy", (0,), (1,), layer=1)))
    solve = world.solve(cache)
    assert await solve.run(Edge(copy)) == "cached copy layer 1"
    assert not world.ran()
    assert solve.solved[make].outcome == Hit(0)


async def test_a_step_of_another_stage_does_not_run_because_files_beside_it_are_found_by_content() -> None:
    """RUN with a mount of the context and one of a stage whose result no cache has: only the files have to be read."""
    world = World()
    other = world.step("other", world.step("base"))
    final = world.step("final", world.local("context"), other, reads=[0, 1])
    cache = CacheIndex(
        (record("base"), record("other", (0,)), content("context"), record("final", (2,), (1,), layer=3))
    )
    assert await world.solve(cache).run(Edge(final)) == "cached final layer 3"
    assert world.ran() == {"context"}
    assert world.calls["digest other"] == 0


async def test_a_changed_step_with_the_same_files_is_followed_by_hits() -> None:
    world = World(contents={"make changed": "same files"})
    base = world.step("base")
    make = world.step("make changed", base)
    copy = world.step("copy", base, make, reads=[1])
    after = world.step("after", copy)
    cache = CacheIndex(
        (
            record("base"),
            record("make", (0,)),
            content("same files"),
            record("copy", (0,), (1, 2), layer=1),
            record("after", (3,), layer=2),
        )
    )
    assert await world.solve(cache).run(Edge(after)) == "cached after layer 2"
    assert world.ran() == {"base", "make changed"}


async def test_no_cache_asks_no_source_and_runs_the_step() -> None:
    world = World()
    step = world.step("one", world.step("base"), no_cache=True)
    cache = CacheIndex((record("base"), record("one", (0,), layer=1)))
    assert await world.solve(cache).run(Edge(step)) == "one(base())"
    assert "load one from 0" not in world.calls


async def test_independent_steps_run_side_by_side() -> None:
    world = World()
    running, peak = 0, 0

    async def execute(vertex: Vertex, inputs: Sequence[str]) -> str:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.01)
        running -= 1
        return vertex.description

    world.execute = execute  # type: ignore[method-assign]
    await world.solve().run(Edge(world.step("join", world.step("left"), world.step("right"))))
    assert peak == 2


async def test_the_error_of_a_step_ends_the_run_and_is_raised_itself() -> None:
    world = World()
    cancelled = asyncio.Event()

    async def execute(vertex: Vertex, inputs: Sequence[str]) -> str:
        if vertex.description == "bad":
            await asyncio.sleep(0)
            raise LookupError("bad")
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ""

    world.execute = execute  # type: ignore[method-assign]
    with pytest.raises(LookupError, match="bad"):
        await world.solve().run(Edge(world.step("join", world.step("slow"), world.step("bad"))))
    assert cancelled.is_set()


async def test_a_chain_of_two_thousand_steps_needs_no_deep_stack() -> None:
    world = World()
    vertex = world.step("base")
    for number in range(2000):
        vertex = world.step(f"step {number}", vertex)
    await world.solve().run(Edge(vertex))
    assert world.calls.total() == 2001


def _lossy(world: World) -> tuple[Vertex, CacheIndex]:
    """base, one and two, of which the cache has one, and left and right on one, which it has not."""
    base = world.step("base")
    one = world.step("one", base)
    left, right = world.step("left", one), world.step("right", one)
    world.promised.add("cached one layer 1")
    return world.step("join", left, right), CacheIndex((record("base"), record("one", (0,), layer=1)))


async def test_a_result_that_is_lost_while_it_is_used_is_made_again_once() -> None:
    world = World()
    join, cache = _lossy(world)
    solve = world.solve(cache)
    assert await solve.run(Edge(join)) == "join(left(one(base())), right(one(base())))"
    assert world.calls["run one"] == 1
    one = join.inputs[0].vertex.inputs[0].vertex
    assert solve.solved[one].outcome == Executed(matched=True, lost=1)


async def test_a_result_that_is_lost_is_taken_from_the_next_source() -> None:
    world = World()
    join, cache = _lossy(world)
    other = CacheIndex((record("base"), record("one", (0,), layer=7)))
    solve = world.solve(cache, other)
    assert await solve.run(Edge(join)) == "join(left(cached one layer 7), right(cached one layer 7))"
    assert solve.solved[join.inputs[0].vertex.inputs[0].vertex].outcome == Hit(1)


async def test_a_result_that_is_lost_while_its_files_are_read() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    copy = world.step("copy", base, one, reads=[1])
    world.promised.add("cached one layer 1")
    cache = CacheIndex((record("base"), record("one", (0,), layer=1)))
    assert await world.solve(cache).run(Edge(copy)) == "copy(base(), one(base()))"
    assert world.calls["digest one"] == 2


async def test_what_cannot_be_had_in_another_way_stays_lost() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    world.promised.add("base()")
    with pytest.raises(ResultLost):
        await world.solve().run(Edge(one))


async def test_a_target_that_is_lost_after_the_solve_is_made_by_the_next_run() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    two = world.step("two", one)
    solve = world.solve(CacheIndex((record("base"), record("one", (0,), layer=1), record("two", (1,), layer=2))))
    assert await solve.run(Edge(two)) == "cached two layer 2"
    world.missing.add("cached two layer 2")
    assert await solve.run(Edge(two)) == "two(cached one layer 1)"
    assert await solve.run(Edge(two)) == "two(cached one layer 1)"
    assert world.calls["run two"] == 1


async def test_a_source_that_is_read_step_by_step_is_asked_where_the_others_have_nothing() -> None:
    world = World()
    base = world.step("base")
    one = world.step("one", base)
    two = world.step("two", one)
    known, remote = CacheIndex((record("base"), record("one", (0,), layer=1))), CacheIndex((record("x", layer=5),))
    asked = []

    async def discover(solved: Solved[str]) -> dict[int, frozenset[int]]:
        asked.append(solved.vertex.description)
        return {1: frozenset({0})}

    solve = Solve[str](world, [known, remote], key=lambda vertex: world.maps[vertex], discover=discover)
    assert await solve.run(Edge(two)) == "cached two layer 5"
    assert asked == ["two"]
    assert solve.solved[two].outcome == Hit(1)
