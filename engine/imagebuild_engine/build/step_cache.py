"""Step caches read: asked for single steps while the build is being solved, only for those that no other source has.

One that was slow or failed once is not asked again in this build; all its waiting together has the deadline of a
source. A record that is broken is none.
"""

import asyncio
import time
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from ..contract import ImportOutcome
from ..core.cache import ChainResult, Link, Record, RecordId, content_key, root_key
from ..core.graph import Edge, LocalSource, Vertex, cache_map, walk
from ..core.oci import Descriptor, Digest, Reference
from ..core.patterns import BadPattern
from ..core.solver import Solved, Worker
from ..core.steps import (
    Contents,
    FoundStep,
    InvalidStep,
    Names,
    ProbePlan,
    StepRecord,
    decode_step,
    tag_of,
    written_at,
)
from ..host.registry import InvalidResponse, NotFound, RegistryClient, RegistryError
from .cache_source import CREATED, DIFF_ID, remote_layer
from .failures import StepRefused
from .imports import Imported, outcome_of
from .layers import RemoteLayer, Result
from .progress import Notice, View

_REQUESTS = 16
"""Side by side. None is larger than a manifest, of which a registry takes 4 MiB."""

Known = Mapping[Vertex, Solved[Result]]
"""What the solve has found out so far."""


async def local_contents(target: Edge, worker: Worker[Result]) -> dict[Vertex, Contents]:
    """What steps read of the contexts. They are hashed for the solve anyway; of a step whose files are missing nothing
    is known, and the solve will say so.
    """
    contents: dict[Vertex, Contents] = {}

    async def read(vertex: Vertex) -> None:
        found = {}
        for position, (edge, key) in enumerate(zip(vertex.inputs, cache_map(vertex.op).inputs, strict=True)):
            if key.content is not None and isinstance(edge.vertex.op, LocalSource):
                context = await worker.execute(edge.vertex, ())
                found[position] = tuple(await worker.digests(vertex, position, context, key.content))
        contents[vertex] = found

    async def tried(vertex: Vertex) -> None:
        with suppress(StepRefused, LookupError, BadPattern, OSError):
            await read(vertex)

    await asyncio.gather(*(tried(vertex) for vertex in walk(target) if vertex.inputs))
    return contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A step's result as a source's index has it, and what it is known from."""

    identity: RecordId
    found: FoundStep | None


@dataclass
class StepCache:
    """One step cache, read by one build. `max_age` is in seconds."""

    client: RegistryClient
    imported: Imported
    reference: Reference
    plan: ProbePlan
    view: View
    seconds: float
    max_age: float | None = None
    unusable: set[Digest] = field(default_factory=set)
    """Names under which something lies that cannot be used: it is broken, or too old."""
    _failed: bool = False
    _broken: bool = False
    _promises: dict[Vertex, Promise] = field(default_factory=dict)
    _layers: dict[int, RemoteLayer] = field(default_factory=dict)
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_REQUESTS))

    def __post_init__(self) -> None:
        self.imported.layers = self._layers

    async def discover(self, solved: Solved[Result], known: Known) -> frozenset[RecordId]:
        """The records of the step. Where it has some already, one with a result is wanted."""
        vertex, names = solved.vertex, self.plan.names
        async with self._lock:
            names.learn(vertex, solved.content)
            if any(solved.ids):
                await self._settle(vertex, set(walk(Edge(vertex))), result=True)
            else:
                elsewhere = {vertex for vertex, other in known.items() if any(other.ids)}
                await self._settle(vertex, set(names.order) - elsewhere, result=False)
            if self.plan.found(vertex) is None and (any(solved.ids) or not self.plan.implied(vertex)):
                name = names.wanted_by_content(vertex)
                if name is not None and not self.plan.asked(name):
                    await self._ask([name], vertex)
            return self._records(vertex)

    async def complete(self, vertices: Collection[Vertex]) -> Mapping[Vertex, frozenset[RecordId]]:
        """The records of those steps that are known only from what rests on them, with results if there are any."""
        async with self._lock:
            wanted = {vertex for vertex in vertices if self.plan.implied(vertex)}
            while (names := self.plan.round(wanted, result=True)) and not self._failed:
                await self._ask(names)
            return {vertex: self._records(vertex) for vertex in wanted}

    async def _settle(self, vertex: Vertex, vertices: set[Vertex], *, result: bool) -> None:
        while not self._failed and not self.plan.settled(vertex, result=result):
            await self._ask(self.plan.round(vertices, result=result))

    async def _ask(self, names: Sequence[Digest], by_content: Vertex | None = None) -> None:
        """One round of requests, side by side. What goes wrong ends the asking for good."""
        if self._failed:
            return
        started = time.monotonic()

        async def answered(name: Digest) -> None:
            record = await self._read(name)
            if by_content is None:
                self.plan.answer(name, record)
            else:
                self.plan.answer_by_content(by_content, name, record)

        try:
            async with asyncio.timeout(max(0.0, self.seconds - self.imported.seconds)):
                await _all(answered(name) for name in names)
        except TimeoutError:
            self._fail("timeout", f"no answers within {self.seconds:g} s")
        except RegistryError as error:
            self._fail(outcome_of(error), str(error)[:300])
        self.imported.seconds += time.monotonic() - started

    async def _read(self, name: Digest) -> StepRecord | None:
        reference = self.reference.with_tag(tag_of(name))
        try:
            async with self._slots:
                described, data = await self.client.manifest(reference)
            record = decode_step(data, name)
            if any(remote_layer(layer, reference) is None for layer in record.layers):
                raise InvalidStep("its layers do not say what they are unpacked")
        except NotFound:
            return None
        except (InvalidResponse, InvalidStep) as error:
            self.unusable.add(name)
            self._tell_broken(f"{reference.tag}: {error}"[:300])
            return None
        if self.max_age is not None and (datetime.now(UTC) - written_at(record.written)).total_seconds() > self.max_age:
            self.unusable.add(name)
            return None
        self._take_layers(record, reference.with_digest(described.digest))
        if self._broken and not self._failed:
            self.imported.outcome = "unused"
        return record

    def _records(self, vertex: Vertex) -> frozenset[RecordId]:
        """What the source's index has of the step now; of what it rests on, too, for records are linked."""
        if self.plan.found(vertex) is None and not self.plan.implied(vertex):
            return frozenset()
        for step in walk(Edge(vertex)):
            found = self.plan.found(step)
            promise = self._promises.get(step)
            if step.inputs and (promise is None or (promise.found is None and found is not None)):
                identity = self.imported.index.add(self._record(step, found))
                self._promises[step] = Promise(identity=identity, found=found)
        return frozenset({self._promises[vertex].identity})

    def _record(self, vertex: Vertex, found: FoundStep | None) -> Record:
        known = cache_map(vertex.op)
        identity = self.plan.names.identity(vertex)
        assert identity is not None
        inputs = []
        for position, (edge, key) in enumerate(zip(vertex.inputs, known.inputs, strict=True)):
            parents = self._parents(edge.vertex)
            content = identity.inputs[position].content
            if found is not None and found.content[position : position + 1] not in ((), ((),)):
                content = found.content[position]
            links = [Link(parent, key.selector or "") for parent in parents]
            links += [Link(self._root(content_key(digest))) for digest in content]
            inputs.append(tuple(links))
        record = Record(digest=root_key(known.digests[0], 0), inputs=tuple(inputs))
        if found is None:
            return record
        places = tuple(self._places[_layer_key(layer)] for layer in found.record.layers[: found.layers])
        return replace(record, chains=(ChainResult(places, self.imported.layers[places[-1]].created),))

    def _parents(self, vertex: Vertex) -> list[RecordId]:
        if vertex.inputs:
            return [self._promises[vertex].identity]
        return [self._root(root_key(digest, 0)) for digest in cache_map(vertex.op).digests]

    def _root(self, key: Digest) -> RecordId:
        index = self.imported.index
        found = next(iter(index.root(key)), None)
        return index.add(Record(digest=key)) if found is None else found

    def _take_layers(self, record: StepRecord, origin: Reference) -> None:
        for descriptor in record.layers:
            layer = remote_layer(descriptor, origin)
            assert layer is not None
            place = self._places.setdefault(_layer_key(descriptor), len(self._places))
            self._layers.setdefault(place, layer)

    def _fail(self, outcome: ImportOutcome, reason: str) -> None:
        self._failed = True
        self.imported.outcome, self.imported.reason = outcome, reason
        self._warn(reason)

    def _tell_broken(self, reason: str) -> None:
        """Once; the source is invalid as long as nothing else of it can be used."""
        if self._broken:
            return
        self._broken = True
        if not self._failed and not len(self.imported.index):
            self.imported.outcome, self.imported.reason = "invalid", reason
        self._warn(reason)

    def _warn(self, reason: str) -> None:
        self.view.show(Notice(text=f"cache source {self.imported.source.ref}: {reason}", warning=True))


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Side by side, to the first error: then the others are given up."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _layer_key(layer: Descriptor) -> tuple[str, ...]:
    """Equal for layers that are the same, with the same time."""
    return (layer.digest, layer.annotations.get(DIFF_ID, ""), layer.annotations.get(CREATED, ""))


class StepCaches:
    """All step caches that a build reads from, in the order given."""

    def __init__(self, caches: Mapping[int, StepCache]) -> None:
        self._caches = caches
        """By number of the source."""

    @classmethod
    async def opened(
        cls,
        client: RegistryClient,
        imported: Sequence[Imported],
        target: Edge | None,
        worker: Worker[Result],
        view: View,
        *,
        seconds: float,
        max_age: float | None,
    ) -> Self:
        """Those among the sources that may be read. Nothing is asked yet."""
        numbers = [number for number, item in enumerate(imported) if is_step_cache(item)]
        if target is None or not numbers:
            return cls({})
        contents = await local_contents(target, worker)
        return cls(
            {
                number: StepCache(
                    client=client,
                    imported=imported[number],
                    reference=Reference.parse(imported[number].source.ref),
                    plan=ProbePlan(Names(target, contents)),
                    view=view,
                    seconds=seconds,
                    max_age=max_age,
                )
                for number in numbers
            }
        )

    def reading(self, repository: str) -> StepCache | None:
        """The cache in a repository (registry/name), if it is read from."""
        return next((cache for cache in self._caches.values() if cache.reference.name == repository), None)

    async def discover(self, solved: Solved[Result], known: Known) -> Mapping[int, frozenset[RecordId]]:
        """As `core.solver.Discover` says. A later cache is asked only if no earlier one has the step."""
        found: dict[int, frozenset[RecordId]] = {}
        for number, cache in self._caches.items():
            found[number] = await cache.discover(solved, known)
            if found[number] - solved.ids[number]:
                break
        return found

    async def complete(self, known: Known) -> None:
        """What other stages made, as far as it is only known to be there: for caches that hold all stages."""
        for number, cache in self._caches.items():
            steps = [vertex for vertex, solved in known.items() if not _has_result(solved, cache, number)]
            for vertex, ids in (await cache.complete(steps)).items():
                solved = known[vertex]
                solved.ids = tuple(old | ids if number == at else old for at, old in enumerate(solved.ids))


def _has_result(solved: Solved[Result], cache: StepCache, number: int) -> bool:
    ids = solved.ids[number]
    return any(cache.imported.index.result(identity) is not None for identity in ids)


def is_step_cache(imported: Imported) -> bool:
    """Is it one, and not one that must not be read?"""
    return imported.source.type == "steps" and imported.outcome == "unused"
