"""Which step is a hit, from where; which must run.

Theory of operation. Every vertex goes through two stages, each a task that is started once and awaited by whoever
needs it:

*matched*: which records of each cache source describe this very step on these very inputs. First by definition:
the op's
key, with links to records that match its inputs. If that finds nothing and the op reads content (COPY), by content:
the input's result is asked for, what is read of it is hashed, and that key is tried too. First the files of a context:
they have no other key. Then the inputs that no record describes: they can be found in no other way, the others still by
definition, and need not run for it. Nothing is wasted by that: a step that is not found would need its inputs anyway.

*result*: the tree behind it. The cache sources are tried in the order given; the first one that has a result for a
matched record and can still deliver it wins. If none can, content is tried (if it was not before); then the step runs.

A matched record without a result (a step of another stage) is no hit by itself, but its children can match through it,
so it need not run as long as nobody asks for its tree. That is what keeps hits lazy: the target's result is asked for,
and everything else only as far as something needs it.

The solver knows no op: keys come from a CacheMap, effects from a Worker. It never mixes sources in one chain: a
record of
source 2 can only be reached through records of source 2, but each step may take its result from another source.

Some sources cannot be read in whole before the work begins. They are asked for one step at a time (`discover`), when no
other source has it: as soon as the files of contexts are known, and again whenever more content is.

Of a build that is only planned, what steps would write is not known (`digests` gives None). Solved without hope, what
reads such an input is not found by its content; with hope, whatever the sources have of it is taken for it. More
records found never make more steps run, nor a step come from a later source. So what is the same in both is certain.

A cache may lose what it promised while the work goes on. Whoever finds that out raises ResultLost: the results that are
gone are then obtained anew, from another source or by running, and the work is tried again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Generic, TypeVar

from ..cache import CacheIndex, RecordId, Spelling, content_key, root_key
from ..graph import CacheMap, Edge, Vertex, cache_map
from ..oci import Digest
from .worker import R, ResultLost, Worker

Ids = tuple[frozenset[RecordId], ...]
"""Matched records, one set per cache source."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hit:
    """The result came from cache source number `source`, or nobody asked for it because what follows is a hit."""

    source: int


@dataclass(frozen=True, slots=True)
class Executed:
    """The step ran. `lost` counts cache results that were promised and could not be delivered."""

    matched: bool
    lost: int


@dataclass(slots=True)
class Solved(Generic[R]):
    """What is known about one vertex.

    `content` maps input numbers to the content digests that describe what was read, the current form's first.
    """

    vertex: Vertex
    cache_map: CacheMap
    ids: Ids
    content: dict[int, tuple[Digest, ...]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    """Inputs whose content nobody can know."""
    outcome: Hit | Executed | None = None
    result: R | None = None

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """The keys of the vertex's records and what they select, as the current and the older versions write them."""
        return tuple(
            replace(spelling, digests=tuple(root_key(digest, 0) for digest in spelling.digests))
            for spelling in self.cache_map.spellings
        )

    @property
    def keys(self) -> tuple[Digest, ...]:
        """All keys by which the vertex may be found; none for a local directory."""
        return tuple(dict.fromkeys(key for spelling in self.spellings for key in spelling.digests))


Discover = Callable[[Solved[R]], Awaitable[Mapping[int, frozenset[RecordId]]]]
"""Asks the sources that are read step by step; says, by source number, which records of their indexes are the step's.

It may be asked more than once for a step, as more becomes known of it: its content digests. As long as the step has no
`ids`, any record of it will do; if it has some, they are without a result that can be had, and one is wanted."""


async def _nothing(_solved: Solved[R]) -> Mapping[int, frozenset[RecordId]]:
    return {}


class Solve(Generic[R]):
    """One run over one graph: ask for `run(target)`, then read `solved`.

    Asked for again after a ResultLost, `run` obtains anew what is gone, and nothing else.
    """

    def __init__(
        self,
        worker: Worker[R],
        sources: Sequence[CacheIndex],
        *,
        key: Callable[[Vertex], CacheMap] = lambda vertex: cache_map(vertex.op),
        observe: Callable[[Vertex, Hit | Executed | None], None] = lambda _vertex, _outcome: None,
        discover: Discover[R] = _nothing,
        hope: bool = False,
    ) -> None:
        self._worker = worker
        self._sources = sources
        self._key = key
        self._observe = observe
        self._discover = discover
        self._hope = hope
        self._tasks: dict[tuple[str, Vertex], asyncio.Task[Any]] = {}
        self._group: asyncio.TaskGroup | None = None
        self.solved: dict[Vertex, Solved[R]] = {}

    def __repr__(self) -> str:
        done = [item for item in self.solved.values() if item.outcome]
        return f"<Solve {len(done)}/{len(self.solved)} done>"

    async def run(self, target: Edge) -> R:
        """The target's result. The first error of any step ends the run and cancels what still works."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                result: R = await self._result(target.vertex)
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        finally:
            self._group = None
        for solved in self.solved.values():
            if solved.outcome is None:
                source = next((number for number, ids in enumerate(solved.ids) if ids), None)
                if source is not None:
                    self._conclude(solved, Hit(source))
        return result

    # Each stage is one task per vertex, shared by all who wait for it.

    async def _matched(self, vertex: Vertex) -> Solved[R]:
        found: Solved[R] = await self._once("match", vertex, self._match)
        return found

    async def _result(self, vertex: Vertex) -> R:
        result: R = await self._once("result", vertex, self._obtain)
        if vertex.inputs and self._worker.gone(result):
            lost = self._tasks["result", vertex]
            if lost.done() and lost.result() is result:  # and nobody else has begun anew
                del self._tasks["result", vertex]
            result = await self._once("result", vertex, self._obtain)
        return result

    async def _with_results(self, edges: Sequence[Edge], work: Callable[[Sequence[R]], Awaitable[T]]) -> T:
        """What the work makes of the edges' results; if some are lost, of those that can be had instead."""
        results = await asyncio.gather(*(self._result(edge.vertex) for edge in edges))
        while True:
            try:
                return await work(results)
            except ResultLost:
                before = results
                results = await asyncio.gather(*(self._result(edge.vertex) for edge in edges))
                if all(one is other for one, other in zip(before, results, strict=True)):
                    raise

    async def _once(self, stage: str, vertex: Vertex, work: Callable[[Vertex], Coroutine[Any, Any, Any]]) -> Any:
        task = self._tasks.get((stage, vertex))
        if task is None:
            assert self._group is not None
            task = self._tasks[stage, vertex] = self._group.create_task(work(vertex))
        # Shielded by being a task of the group: a waiter that is cancelled must not cancel the others' work.
        return await asyncio.shield(task)

    async def _match(self, vertex: Vertex) -> Solved[R]:
        inputs = await asyncio.gather(*(self._matched(edge.vertex) for edge in vertex.inputs))
        known = self._key(vertex)
        solved = Solved[R](vertex=vertex, cache_map=known, ids=self._none())
        if not vertex.inputs:
            solved.ids = tuple(self._roots(index, solved.keys) for index in self._sources)
        elif not vertex.ignore_cache:
            solved.ids = self._lookup(solved, inputs)
            await self._find(solved, inputs)
        self.solved[vertex] = solved
        return solved

    async def _find(self, solved: Solved[R], inputs: Sequence[Solved[R]]) -> None:
        """Looks for records until there are some, with what costs least first: see the theory of operation."""
        local = {position for position, known in enumerate(inputs) if not known.keys and not known.vertex.inputs}
        unknown = {position for position, known in enumerate(inputs) if not any(known.ids)}
        for number, wanted in enumerate((local, unknown, range(len(inputs)))):
            positions = [] if any(solved.ids) else [item for item in self._unread(solved) if item in wanted]
            if positions:
                await self._read_content(solved, positions)
                solved.ids = self._lookup(solved, inputs)
            if not any(solved.ids) and (positions or not number):
                await self._discovered(solved)

    async def _obtain(self, vertex: Vertex) -> R:
        solved = await self._matched(vertex)
        lost = 0
        if vertex.inputs and not vertex.ignore_cache:
            tried: set[tuple[int, RecordId]] = set()
            loaded, lost = await self._load(solved, tried)
            for more_known in (self._discovered, self._known_by_content):
                if loaded is None and any(solved.ids) and await more_known(solved):
                    loaded, more = await self._load(solved, tried)
                    lost += more
            if loaded is not None:
                return loaded
        await asyncio.gather(*(self._result(edge.vertex) for edge in vertex.inputs))
        # Nothing left to find with it, but the records that we write shall be found by content, too.
        await self._read_content(solved, self._unread(solved))
        # Of a step that fails it is known, too, why it had to run.
        solved.outcome = Executed(matched=any(solved.ids), lost=lost)
        self._observe(vertex, None)
        solved.result = await self._with_results(vertex.inputs, partial(self._worker.execute, vertex))
        self._conclude(solved, solved.outcome)
        return solved.result

    async def _load(self, solved: Solved[R], tried: set[tuple[int, RecordId]]) -> tuple[R | None, int]:
        """The first result that a source can deliver, in the sources' order, the newest of a source first."""
        lost = 0
        for number, (index, ids) in enumerate(zip(self._sources, solved.ids, strict=True)):
            promised = [(identity, found) for identity in ids if (found := index.result(identity)) is not None]
            for identity, found in sorted(promised, key=lambda item: item[1].age, reverse=True):
                if (number, identity) in tried:
                    continue
                tried.add((number, identity))
                result = await self._worker.load(solved.vertex, number, found)
                if result is not None:
                    solved.result = result
                    self._conclude(solved, Hit(number))
                    return result, lost
                lost += 1
        return None, lost

    async def _discovered(self, solved: Solved[R]) -> bool:
        """Whether sources that are read step by step have records of it that were not known."""
        before = solved.ids
        found = await self._discover(solved)
        solved.ids = tuple(ids | found.get(number, frozenset()) for number, ids in enumerate(before))
        return solved.ids != before

    async def _known_by_content(self, solved: Solved[R]) -> bool:
        """Whether there was content to be read, which may find more records than the definition did."""
        if not self._unread(solved):
            return False
        await self._read_content(solved, self._unread(solved))
        found = self._lookup(solved, [self.solved[edge.vertex] for edge in solved.vertex.inputs])
        solved.ids = tuple(ids | more for ids, more in zip(solved.ids, found, strict=True))
        await self._discovered(solved)
        return True

    def _lookup(self, solved: Solved[R], inputs: Sequence[Solved[R]]) -> Ids:
        found = []
        spellings, keys = solved.spellings, solved.keys
        for number, index in enumerate(self._sources):
            links: list[set[tuple[str, RecordId]]] = []
            for position, parent in enumerate(inputs):
                # Whatever version wrote the record: its key and its links mean this step on these inputs.
                selectors = {spelling.selectors[position] for spelling in spellings}
                usable = {(selector, identity) for selector in selectors for identity in parent.ids[number]}
                for digest in solved.content.get(position, ()):
                    usable |= {("", identity) for identity in index.root(content_key(digest))}
                if self._hope and position in solved.unknown:
                    usable |= {("", identity) for key in keys for identity in index.contents(key, position)}
                links.append(usable)
            matches: set[RecordId] = set()
            if all(links):
                for key in keys:
                    matches |= index.match(key, links)
            found.append(frozenset(matches))
        return tuple(found)

    async def _read_content(self, solved: Solved[R], positions: Sequence[int]) -> None:
        async def read(position: int) -> None:
            request = solved.cache_map.inputs[position].content
            assert request is not None

            async def hashed(results: Sequence[R]) -> Collection[Digest] | None:
                return await self._worker.digests(solved.vertex, position, results[0], request)

            digests = await self._with_results(solved.vertex.inputs[position : position + 1], hashed)
            solved.content[position] = tuple(digests or ())
            if digests is None:
                solved.unknown.add(position)

        await asyncio.gather(*(read(position) for position in positions))

    @staticmethod
    def _unread(solved: Solved[R]) -> list[int]:
        keys = enumerate(solved.cache_map.inputs)
        return [position for position, key in keys if key.content is not None and position not in solved.content]

    @staticmethod
    def _roots(index: CacheIndex, keys: Sequence[Digest]) -> frozenset[RecordId]:
        return frozenset(identity for key in keys for identity in index.root(key))

    def _none(self) -> Ids:
        return tuple(frozenset() for _ in self._sources)

    def _conclude(self, solved: Solved[R], outcome: Hit | Executed) -> None:
        solved.outcome = outcome
        self._observe(solved.vertex, outcome)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that a person should see: the first that is not a mere echo of the cancellation it caused."""
    for error in errors.exceptions:
        found = _first(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(found, asyncio.CancelledError):
            return found
    return errors
