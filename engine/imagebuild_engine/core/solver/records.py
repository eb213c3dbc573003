"""From a finished solve to the records that an image or a cache carries."""

from collections.abc import Callable, Sequence

from ..cache import CacheIndex, CacheResult, InputKeys, LayerTable, Record, StepKeys, build_records, content_key
from ..graph import Edge, walk
from ..oci import Digest
from .solve import Solve, Solved
from .worker import R


def solved_records(
    solve: Solve[R],
    target: Edge,
    sources: tuple[CacheIndex, ...],
    result_of: Callable[[Solved[R]], CacheResult | None],
    table: LayerTable | None = None,
) -> tuple[Record, ...]:
    """The records of everything the target rests on.

    `result_of` says which layers of the table, or of the image at hand, are a vertex's result, if any. What a hit's
    record knew about the content of its inputs is kept, though nobody hashed it this time: so a rebuild from our own
    cache writes the same records again.
    """
    vertices = list(walk(target))
    positions = {vertex: number for number, vertex in enumerate(vertices)}
    steps = []
    for vertex in vertices:
        solved = solve.solved[vertex]
        inputs = tuple(
            InputKeys(
                step=positions[edge.vertex],
                selector=key.selector or "",
                content=known_content(solved, number, sources) if key.content else frozenset(),
            )
            for number, (edge, key) in enumerate(zip(vertex.inputs, solved.cache_map.inputs, strict=True))
        )
        current, *older = solved.spellings
        steps.append(StepKeys(keys=current.digests, inputs=inputs, result=result_of(solved), older=tuple(older)))
    return build_records(steps, positions[target.vertex], table)


def known_content(solved: Solved[R], number: int, sources: Sequence[CacheIndex]) -> frozenset[Digest]:
    """The content keys of an input: of what was read, else those that records of the step know."""
    keys = {content_key(digest) for digest in solved.content.get(number, ())}
    if not keys:
        for index, ids in zip(sources, solved.ids, strict=True):
            for identity in ids:
                keys |= index.content_keys(identity, number)
    return frozenset(keys)
