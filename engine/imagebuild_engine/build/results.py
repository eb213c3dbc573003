"""Which layers are a vertex's result, and where they are in the image."""

from collections.abc import Iterable, Iterator, Sequence

from ..core.cache import ZERO_TIME, CacheResult, ChainResult, LayerResult
from ..core.graph import SCRATCH, Edge, ExecOp, FileOp, MergeOp, Vertex
from ..core.solver import Hit, Solved
from .imports import Imported
from .layers import Result, Tree
from .mounts import root_input
from .packing import identity


def known_results(solved: Solved[Result], imported: Sequence[Imported]) -> Iterator[tuple[Tree, str]]:
    """The trees that are the vertex's result with their times, the best first: what ran here, else what the caches say.

    Caches in their order, of one the newest result first, as the solver asks them. A step that nobody had to look at is
    asked of them, too; whether its layers still exist is for the caller to find out.
    """
    if isinstance(solved.result, Tree) and not isinstance(solved.outcome, Hit) and solved.result.layers:
        yield solved.result, solved.result.layers[-1].created
    for item, ids in zip(imported, solved.ids, strict=True):
        found = [result for record in sorted(ids) if (result := item.index.result(record)) is not None]
        for result in sorted(found, key=lambda result: result.age, reverse=True):
            yield item.tree(result), result.created_at


def layer_makers(target: Edge) -> frozenset[Vertex]:
    """The vertices whose layers are the target's: those that it lies on, and what is merged into it.

    Only they can be results in an image. A step of another stage may have made the very same layer as one of them; but
    that is known of layers from a cache only, and the same build shall give the same image with a cache and without.
    """
    found: set[Vertex] = set()
    pending = [target.vertex]
    while pending:
        vertex = pending.pop()
        if vertex in found:
            continue
        found.add(vertex)
        pending += [vertex.inputs[number].vertex for number in _lies_on(vertex) if number != SCRATCH]
    return frozenset(found)


def _lies_on(vertex: Vertex) -> Iterable[int]:
    match vertex.op:
        case ExecOp() as op:
            return (root_input(op),)
        case FileOp() as op:
            return (op.actions[0].input,)
        case MergeOp():
            return range(len(vertex.inputs))
        case _:
            return ()


def position(image: Tree, part: Tree, created: str) -> CacheResult | None:
    """The part as layers of the image: as its lowest ones, else (`COPY --link`) as any of them; None if it has others.

    A result of the second kind has no time, as BuildKit writes it (inline.go, ExportForLayers).
    """
    places = {identity(layer): place for place, layer in reversed(list(enumerate(image.layers)))}
    own = [identity(layer) for layer in part.layers]
    if not own:
        return None
    if own == [identity(layer) for layer in image.layers[: len(own)]]:
        return LayerResult(len(own) - 1, created)
    if all(name in places for name in own):
        return ChainResult(tuple(places[name] for name in own), ZERO_TIME)
    return None
