"""Our keys and records are BuildKit's: the golden cases of the skeleton, record by record, as BuildKit HEAD made them.

Nothing runs. Where BuildKit had to run a step to learn what a stage holds (t11, t27), the test says what the step
writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from imagebuild_engine.core.cache import (
    CacheIndex,
    CacheResult,
    ContentRequest,
    DescribedTree,
    LayerResult,
    Record,
    normalized,
    root_key,
)
from imagebuild_engine.core.dockerfile import IgnorePatterns, parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, ImageRequest, Lowered, Pins, lower
from imagebuild_engine.core.graph import ExecOp, FileOp, ImageSource, LocalSource, Vertex, cache_map, walk
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.solver import Solve, Solved, solved_records

from tests.support.golden import (
    AMD64,
    Case,
    base_image,
    case,
    described,
    graph_of,
    graph_of_golden,
    records_of_golden,
)
from tests.support.records import unfound

CASES = [
    "t01",
    "t02",
    "t04",
    "t05",
    "t07",
    "t07b",
    "t08",
    "t09",
    "t09b",
    "t09d",
    "t09e",
    "t10",
    "t11",
    "t25",
    "t27",
    "t29",
    "t33",
    "t34",
    "t35",
    "t36",
]
# What the RUN steps of t11 and t27 leave behind, as far as a later COPY --from reads it.
WRITTEN = {
    "echo 1 > /o && mkdir /od && echo 2 > /od/f": {"o": "1\n"},
    "echo 1 > /o1": {"o1": "1\n"},
    "echo 2 > /o2": {"o2": "2\n"},
}


@dataclass
class Told:
    """A worker that knows what every step yields: the number of layers, and the files that somebody may read."""

    context: DescribedTree
    current_only: bool
    steps_run: int = 0

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> "Tree":
        assert isinstance(result, LayerResult)
        return Tree(result.layer + 1, DescribedTree([]))

    async def digests(self, vertex: Vertex, number: int, result: "Tree", request: ContentRequest) -> tuple[Digest, ...]:
        return (request.digest(result.files),) if self.current_only else request.digests(result.files)

    async def execute(self, vertex: Vertex, inputs: Sequence["Tree"]) -> "Tree":
        self.steps_run += bool(vertex.inputs)
        match vertex.op:
            case LocalSource():
                return Tree(0, self.context)
            case ImageSource(diff_ids=diff_ids):
                return Tree(len(diff_ids), DescribedTree([]))
            case ExecOp(args=args):
                texts = WRITTEN.get(args[-1], {})
                files = [described(path, {"mode": "0o644", "text": text}) for path, text in texts.items()]
                return Tree(inputs[0].layers + 1, DescribedTree(files))
            case FileOp(actions=actions):
                below = inputs[0].layers if actions[0].input == 0 else 0
                return Tree(below + 1, DescribedTree([]))


@dataclass(frozen=True)
class Tree:
    layers: int
    files: DescribedTree


def lowered(found: Case) -> Lowered:
    reference, image = base_image()
    options = BuildOptions(platform=AMD64, build_platform=AMD64, build_args=found.build_args)
    result = lower(parse_dockerfile(found.dockerfile), options, Pins(images={ImageRequest(reference, AMD64): image}))
    assert isinstance(result, Lowered)
    return result


def kept_by_dockerignore(found: Case) -> set[str]:
    """What .dockerignore leaves of the context, walked from the top as the client does."""
    context = found.data["context"]
    text = context.get(".dockerignore", {}).get("text", "")
    matcher = IgnorePatterns.parse(text).matcher
    kept: set[str] = set()
    for path in context:
        if not matcher.matches_or_parent_matches(path):
            kept.add(path)
            parents = path.split("/")[:-1]
            kept.update("/".join(parents[: number + 1]) for number in range(len(parents)))
    return kept


async def built(found: Case, *sources: CacheIndex, current_only: bool = False) -> tuple[Told, tuple[Record, ...]]:
    """The case solved with these caches, and the records that we would write. Without the keys of older versions, if
    only the current ones are asked for."""
    plan = lowered(found)
    told = Told(found.context(kept_by_dockerignore(found)), current_only)
    maps = {True: lambda vertex: replace(cache_map(vertex.op), older=()), False: lambda vertex: cache_map(vertex.op)}
    solve = Solve[Tree](told, sources, key=maps[current_only])
    assert plan.target is not None
    final = await solve.run(plan.target)

    def result_of(solved: Solved[Tree]) -> LayerResult | None:
        own = stage_layers(plan, solved.vertex)
        return LayerResult(own - 1, "t") if own is not None and solved.result and own <= final.layers else None

    return told, normalized(solved_records(solve, plan.target, sources, result_of))


@pytest.mark.parametrize("name", CASES)
async def test_the_records_are_those_of_buildkit(name: str) -> None:
    found = case(name)
    _, records = await built(found, current_only=True)
    assert graph_of(records) == graph_of_golden(found.records())


# v0.17 has a form of owners that we neither write nor know (see Dialect).
VERSIONS = [
    (name, version)
    for name in CASES
    for version in case(name).versions
    if not (version.startswith("v0.17") and name.startswith("t07"))
]


@pytest.mark.parametrize(("name", "version"), VERSIONS)
async def test_every_version_finds_all_its_steps_in_our_records(name: str, version: str) -> None:
    _, records = await built(case(name))
    if version.startswith("v0.8"):
        records = tuple(replace(record, chains=()) for record in records)  # it does not know them
    assert unfound(records, records_of_golden(case(name).records(version))) == []


@pytest.mark.parametrize(("name", "version"), VERSIONS)
async def test_the_records_of_every_version_are_full_hits_for_us(name: str, version: str) -> None:
    told, _ = await built(case(name), CacheIndex(records_of_golden(case(name).records(version))))
    assert told.steps_run == 0


@pytest.mark.parametrize("name", CASES)
async def test_no_two_records_have_the_same_result_in_the_eyes_of_v0_8(name: str) -> None:
    """It would take one for the other (LoadWithParents) and leave a layer out of its image."""
    _, records = await built(case(name))
    results = [result.layer for record in records for result in record.results]
    assert len(results) == len(set(results))


@pytest.mark.parametrize("name", CASES)
async def test_we_write_no_record_that_no_version_would(name: str) -> None:
    _, records = await built(case(name))
    known = {digest for version in case(name).versions for digest, *_ in case(name).records(version)}
    ours = {root_key(cache_map(op).older[0].digests[0], 0) for op in ops_with_normal_text(case(name))}
    assert {record.digest for record in records} <= known | ours


def ops_with_normal_text(found: Case) -> list[ExecOp]:
    """The steps that have one record more, under the normal form of their text."""
    target = lowered(found).target
    assert target is not None
    ops = [vertex.op for vertex in walk(target)]
    return [op for op in ops if isinstance(op, ExecOp) and op.normal_args is not None]


def stage_layers(plan: Lowered, vertex: Vertex) -> int | None:
    """How many layers the vertex's tree has, if the final tree is built on it."""
    assert plan.target is not None
    chain: list[Vertex] = []
    current: Vertex | None = plan.target.vertex
    while current is not None:
        chain.append(current)
        op = current.op
        on_input = isinstance(op, ExecOp) or (isinstance(op, FileOp) and op.actions[0].input == 0)
        current = current.inputs[0].vertex if on_input else None
    chain.reverse()
    if vertex not in chain:
        return None
    first = len(chain[0].op.diff_ids) if isinstance(chain[0].op, ImageSource) else 1
    return first + chain.index(vertex)


@pytest.mark.parametrize("name", CASES)
def test_the_history_is_that_of_buildkit(name: str) -> None:
    found = case(name)
    texts = [entry.created_by + (" [empty]" if entry.empty_layer else "") for entry in lowered(found).history]
    assert texts == found.history
