"""A RUN that differs from a cached one in comments and blanks only: a hit for us, and no other key for BuildKit."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from imagebuild_engine.core.cache import CacheIndex, CacheResult, ContentRequest, LayerResult, Record, normalized
from imagebuild_engine.core.graph import CacheMap, ExecOp, ImageSource, LocalSource, Vertex, cache_map
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.core.solver import Hit, Solve, Solved, solved_records

from tests.support.lowering import lowered
from tests.support.records import unfound

SCRIPT = """FROM base
RUN a &&   b  # first
COPY x /y
RUN c   'd  e' # second
RUN f g
"""
COMMENTED_OTHERWISE = SCRIPT.replace("&&   b  # first", "\\\n  && b").replace("# second", "# ' other")
NORMAL = "FROM base\nRUN a && b\nCOPY x /y\nRUN c 'd  e'\nRUN f g\n"


@dataclass
class Machine:
    """Runs steps by noting their texts. A tree is the number of its layers."""

    ran: list[str] = field(default_factory=list)

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> int:
        assert not isinstance(result, LayerResult) or result.layer >= 0
        return result.layer + 1 if isinstance(result, LayerResult) else len(result.layers)

    def gone(self, result: int) -> bool:
        return False

    async def digests(self, vertex: Vertex, number: int, tree: int, request: ContentRequest) -> tuple[Digest, ...]:
        return (Digest.of(b"content"),)

    async def execute(self, vertex: Vertex, inputs: Sequence[int]) -> int:
        match vertex.op:
            case LocalSource():
                return 0
            case ImageSource(diff_ids=diff_ids):
                return len(diff_ids)
            case ExecOp(args=args):
                self.ran.append(args[-1])
            case _:
                self.ran.append("COPY")
        return inputs[0] + 1


@dataclass(frozen=True)
class Built:
    ran: list[str]
    records: tuple[Record, ...]

    @property
    def cache(self) -> CacheIndex:
        return CacheIndex(self.records)


async def build(text: str, *sources: CacheIndex, as_buildkit: bool = False) -> Built:
    """As we build it, or as a current BuildKit does, which knows exact texts only."""
    plan = lowered(text)
    assert plan.target is not None
    machine = Machine()

    def key(vertex: Vertex) -> CacheMap:
        known = cache_map(vertex.op)
        return replace(known, older=()) if as_buildkit else known

    solve = Solve[int](machine, sources, key=key)
    await solve.run(plan.target)
    layers = {vertex: number for number, vertex in enumerate(plan.steps, start=1)}

    def result_of(solved: Solved[int]) -> LayerResult | None:
        known = solved.vertex in layers and (solved.result is not None or isinstance(solved.outcome, Hit))
        return LayerResult(layers[solved.vertex], "t") if known else None

    return Built(machine.ran, normalized(solved_records(solve, plan.target, sources, result_of)))


@pytest.mark.parametrize("first", [SCRIPT, COMMENTED_OTHERWISE, NORMAL])
@pytest.mark.parametrize("second", [SCRIPT, COMMENTED_OTHERWISE, NORMAL])
async def test_comments_and_blanks_are_full_hits(first: str, second: str) -> None:
    assert (await build(second, (await build(first)).cache)).ran == []


async def test_one_changed_comment_leaves_the_other_steps_hits() -> None:
    first = await build(SCRIPT)
    for change in ("# first", "# second"):
        assert (await build(SCRIPT.replace(change, "# new"), first.cache)).ran == []


async def test_blanks_that_count_are_a_miss() -> None:
    changed = SCRIPT.replace("'d  e'", "'d e'")
    assert (await build(changed, (await build(SCRIPT)).cache)).ran == ["c   'd e' # second", "f g"]


async def test_buildkit_finds_its_own_records_in_ours() -> None:
    ours, theirs = await build(SCRIPT), await build(SCRIPT, as_buildkit=True)
    assert unfound(ours.records, theirs.records) == []
    assert (await build(SCRIPT, ours.cache, as_buildkit=True)).ran == []


async def test_buildkit_takes_a_normal_text_s_record_for_that_very_text_only() -> None:
    ours = await build("FROM base\nRUN a   b")
    assert (await build("FROM base\nRUN a b", ours.cache, as_buildkit=True)).ran == []
    assert (await build("FROM base\nRUN a  b", ours.cache, as_buildkit=True)).ran == ["a  b"]


async def test_what_buildkit_built_is_a_hit_for_texts_that_it_is_the_normal_form_of() -> None:
    theirs = await build(NORMAL, as_buildkit=True)
    assert (await build(SCRIPT, theirs.cache)).ran == []


async def test_a_hit_s_records_are_those_of_a_build() -> None:
    """So a comment changed and changed back is two hits, and a rebuild from the own cache is a fixed point."""
    first = await build(SCRIPT)
    second = await build(COMMENTED_OTHERWISE, first.cache)
    third = await build(SCRIPT, second.cache)
    assert second.records == (await build(COMMENTED_OTHERWISE)).records
    assert third.records == first.records


async def test_each_layer_has_one_record_that_names_it_alone() -> None:
    """v0.8 takes any such record for the one that it found; the others name the layers as a chain."""
    records = (await build(SCRIPT)).records
    results = [result.layer for record in records for result in record.results]
    assert sorted(results) == [1, 2, 3, 4]


async def test_a_text_in_normal_form_has_no_record_more() -> None:
    digests = [record.digest for record in (await build(NORMAL)).records]
    commented = [record.digest for record in (await build(SCRIPT)).records]
    assert len(commented) == len(digests) + 2  # one for each of two steps
