"""What is certain of a build that is only planned: whatever the steps that run are going to write, it comes true."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import CacheIndex, CacheResult, LayerResult
from imagebuild_engine.core.graph import CacheMap, ContentRequest, Edge, InputKey, LocalSource, Vertex
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.solver import Executed, Hit, Solve, Solved, solved_records

UNWRITTEN = "unwritten"
"""The files of a step that is planned."""


@dataclass(frozen=True)
class Step:
    """A vertex. `inputs` are places before it, with whether it reads them by content."""

    inputs: tuple[tuple[int, bool], ...]


@dataclass
class Build:
    """One build of a graph. Results are files: `files[place]` are of a step that runs; a `planned` one has none."""

    shape: tuple[Step, ...]
    seeds: tuple[str, ...]
    files: tuple[str, ...]
    caches: tuple["Cache", ...] = ()
    planned: bool = False
    maps: dict[Vertex, CacheMap] = field(default_factory=dict)
    vertices: list[Vertex] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place, (step, seed) in enumerate(zip(self.shape, self.seeds, strict=True)):
            inputs = tuple(Edge(self.vertices[number]) for number, _ in step.inputs)
            vertex = Vertex(op=LocalSource(name=str(place)), inputs=inputs, description=str(place))
            keys = tuple(
                InputKey(selector=None, content=ContentRequest() if reads else None) for _, reads in step.inputs
            )
            self.maps[vertex] = CacheMap(digests=(Digest.of(f"{place} {seed}".encode()),), inputs=keys)
            self.vertices.append(vertex)

    def solved(self, *, hope: bool = False) -> Solve[str]:
        solve = Solve[str](self, [cache.index for cache in self.caches], key=self.maps.__getitem__, hope=hope)
        asyncio.run(solve.run(Edge(self.vertices[-1])))
        return solve

    def outcomes(self, *, hope: bool = False) -> list[Hit | str | None]:
        solve = self.solved(hope=hope)
        found = [solve.solved[vertex].outcome if vertex in solve.solved else None for vertex in self.vertices]
        return ["run" if isinstance(outcome, Executed) else outcome for outcome in found]

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> str | None:
        assert isinstance(result, LayerResult)
        return self.caches[source].files[result.layer]

    async def digests(
        self, vertex: Vertex, input_number: int, result: str, request: ContentRequest
    ) -> Collection[Digest] | None:
        return None if result == UNWRITTEN else [Digest.of(result.encode())]

    async def execute(self, vertex: Vertex, inputs: Sequence[str]) -> str:
        return UNWRITTEN if self.planned and inputs else self.files[int(vertex.description)]

    def gone(self, result: str) -> bool:
        return False


@dataclass(frozen=True)
class Cache:
    """What a build left: records, of which some have results, and the files of those."""

    index: CacheIndex
    files: tuple[str, ...]


def cache_of(build: Build, kept: Collection[int]) -> Cache:
    solve = build.solved()

    def result_of(solved: Solved[str]) -> LayerResult | None:
        place = int(solved.vertex.description)
        return LayerResult(place, "2026-01-01T00:00:00Z") if place in kept and solved.vertex.inputs else None

    return Cache(CacheIndex(solved_records(solve, Edge(build.vertices[-1]), (), result_of)), build.files)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Build, Build]:
    """A build from up to two caches of its like: as it is planned, and as it comes."""
    count = draw(st.integers(2, 7))
    shape: list[Step] = [Step(()), Step(())]
    for place in range(2, count + 2):
        inputs = draw(st.lists(st.tuples(st.integers(0, place - 1), st.booleans()), min_size=1, max_size=2))
        shape.append(Step(((place - 1, False), *inputs) if draw(st.booleans()) else tuple(inputs)))
    places = range(len(shape))

    def variant() -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Equal steps on equal inputs write equal files; others may, all the same."""
        seeds = tuple(draw(st.sampled_from("aab")) for _ in places)
        files: list[str] = []
        for place, step in enumerate(shape):
            known = f"{place} {seeds[place]} {[files[number] for number, _ in step.inputs]}"
            files.append(written.setdefault(known, f"{place} {draw(st.sampled_from('xxy'))}"))
        return seeds, tuple(files)

    written: dict[str, str] = {}
    caches = []
    for _ in range(draw(st.integers(1, 2))):
        seeds, files = variant()
        kept = draw(st.sets(st.sampled_from(places)))
        caches.append(cache_of(Build(tuple(shape), seeds, files), kept))
    seeds, files = variant()
    plan = Build(tuple(shape), seeds, files, tuple(caches), planned=True)
    return plan, Build(tuple(shape), seeds, files, tuple(caches))


@given(situations())
def test_what_is_the_same_with_and_without_hope_comes_true(situation: tuple[Build, Build]) -> None:
    plan, build = situation
    least, most, came = plan.outcomes(), plan.outcomes(hope=True), build.outcomes()
    foretold = [one if one == other else "depends" for one, other in zip(least, most, strict=True)]
    wrong = [place for place, outcome in enumerate(foretold) if outcome not in ("depends", came[place])]
    assert not wrong, (foretold, came)
