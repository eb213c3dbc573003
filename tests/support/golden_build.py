"""A golden case, solved: the records that we would write for it."""

from dataclasses import replace

import pytest
from imagebuild_engine.core.cache import CacheIndex, CacheResult, ChainResult, LayerResult, Record, normalized
from imagebuild_engine.core.frontend import Lowered
from imagebuild_engine.core.graph import ExecOp, FileOp, ImageSource, MergeOp, Vertex, cache_map
from imagebuild_engine.core.solver import Solve, Solved, solved_records

from .golden import Case
from .golden_world import NotKnown, Told, Tree, lowered


async def built(found: Case, *sources: CacheIndex, as_head: bool = False) -> tuple[Told, tuple[Record, ...]]:
    """The case solved with these caches, and the records that we would write.

    `as_head`: what HEAD writes, that is without the keys of older versions; and a merge has no result, since the golden
    base image was never unpacked.
    """
    plan = lowered(found)
    told = Told(found, current_only=as_head)
    maps = {True: lambda vertex: replace(cache_map(vertex.op), older=()), False: lambda vertex: cache_map(vertex.op)}
    solve = Solve[Tree](told, sources, key=maps[as_head])
    assert plan.target is not None
    try:
        await solve.run(plan.target)
    except NotKnown as error:
        pytest.skip(f"{found.name} reads what no test knows: {error}")
    places = layers_of(plan)

    def result_of(solved: Solved[Tree]) -> CacheResult | None:
        if not solved.result or (as_head and isinstance(solved.vertex.op, MergeOp)):
            return None
        return places.get(solved.vertex)

    return told, normalized(solved_records(solve, plan.target, sources, result_of))


def layers_of(plan: Lowered) -> dict[Vertex, CacheResult]:
    """Which layers of the image are a vertex's tree, as far as the final tree is built on it."""
    assert plan.target is not None
    chain = [plan.target.vertex]
    while (below := _built_on(chain[-1])) is not None:
        chain.append(below)
    found: dict[Vertex, CacheResult] = {}
    count = 0
    for vertex in reversed(chain):
        count += len(vertex.op.diff_ids) if isinstance(vertex.op, ImageSource) else 1
        found[vertex] = LayerResult(count - 1, "t")
        if isinstance(vertex.op, MergeOp):
            found[vertex.inputs[1].vertex] = ChainResult((count - 1,), "t")
    return found


def _built_on(vertex: Vertex) -> Vertex | None:
    op = vertex.op
    on_input = (isinstance(op, ExecOp) and op.mounts[0].input == 0) or (
        isinstance(op, FileOp) and op.actions[0].input == 0
    )
    return vertex.inputs[0].vertex if on_input or isinstance(op, MergeOp) else None
