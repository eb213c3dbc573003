"""A step cache read: asked for single steps while the build is being solved, only for those that no other source has.

One that failed once is not asked again in this build; how long it is waited for is its supplier's to decide. A record
that is broken is none.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..core.cache import ChainResult, Link, Record, RecordId, root_key
from ..core.graph import Edge, Vertex, cache_map, walk
from ..core.oci import Digest
from ..core.solver import Solved
from ..core.steps import FoundStep, ProbePlan
from ..host.registry import RegistryError
from .cache_source import remote_layer
from .imports import Imported, outcome_of
from .layers import RemoteLayer, Result
from .progress import Notice, View
from .step_requests import StepRequests
from .supplier import GivenUp, Supplier

Known = Mapping[Vertex, Solved[Result]]
"""What the solve has found out so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Promise:
    """A record of the source's index, and the result that it has."""

    identity: RecordId
    found: FoundStep | None


@dataclass
class StepCache:
    """One step cache, read by one build."""

    requests: StepRequests
    imported: Imported
    view: View
    _failed: bool = False
    _told: bool = False
    _promises: dict[Vertex, _Promise] = field(default_factory=dict)
    _layers: dict[int, RemoteLayer] = field(default_factory=dict)
    _places: dict[tuple[str, ...], int] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.imported.layers = self._layers

    @property
    def _supplier(self) -> Supplier:
        supplier = self.imported.supplier
        assert supplier is not None
        return supplier

    @property
    def plan(self) -> ProbePlan:
        return self.requests.plan

    async def discover(self, solved: Solved[Result], known: Known) -> frozenset[RecordId]:
        """The records of the step. Where it has some already, one with a result is wanted."""
        vertex, names = solved.vertex, self.plan.names
        async with self._lock:
            names.learn(vertex, solved.content)
            if any(solved.ids):
                await self._settle(vertex, set(walk(Edge(vertex))), result=True)
            else:
                elsewhere = {other for other, found in known.items() if any(found.ids)}
                await self._settle(vertex, set(names.order) - elsewhere, result=False)
            if self.plan.found(vertex) is None and (any(solved.ids) or not self.plan.implied(vertex)):
                name = names.wanted_by_content(vertex)
                if name is not None and not self.plan.asked(name) and not self.plan.exhausted:
                    await self._ask([name], vertex)
            return self._records(vertex)

    async def complete(self, vertices: Collection[Vertex]) -> Mapping[Vertex, frozenset[RecordId]]:
        """The records of those steps that are known only from what rests on them, with results if there are any."""
        async with self._lock:
            wanted = {vertex for vertex in vertices if self.plan.implied(vertex)}
            while not self._failed and (names := self.plan.round(wanted, result=True)):
                await self._ask(names)
            return {vertex: self._records(vertex) for vertex in wanted}

    async def _settle(self, vertex: Vertex, vertices: set[Vertex], *, result: bool) -> None:
        while not self._failed and not self.plan.settled(vertex, result=result):
            await self._ask(self.plan.round(vertices, result=result), result=result)

    async def _ask(self, names: Sequence[Digest], by_content: Vertex | None = None, *, result: bool = True) -> None:
        """One round. What goes wrong ends the asking for good."""
        if self._failed:
            return
        started = time.monotonic()
        supplier, requests = self._supplier, self.requests
        try:
            await supplier.wait(requests.ask(names, by_content, result=result, seconds=supplier.left))
        except GivenUp:
            self._fail(supplier.reason)
        except RegistryError as error:
            self.imported.answered, self.imported.why = outcome_of(error), str(error)[:300]
            self._fail(self.imported.why)
        self.imported.seconds += time.monotonic() - started
        self.imported.expired |= requests.expired
        if requests.broken and not self._told:
            self._told = True
            self._warn(requests.broken)
        if requests.broken and not self._failed:
            # What else is there can be used all the same.
            useful = self.plan.has_found
            self.imported.answered = "unused" if useful else "invalid"
            self.imported.why = "" if useful else requests.broken

    def _records(self, vertex: Vertex) -> frozenset[RecordId]:
        """What the source's index has of the step now; of what it rests on, too, for records are linked."""
        if self.plan.found(vertex) is None and not self.plan.implied(vertex):
            return frozenset()
        for step in walk(Edge(vertex)):
            found = self.plan.found(step)
            promise = self._promises.get(step)
            if step.inputs and (promise is None or (promise.found is None and found is not None)):
                identity = self.imported.index.add(self._record(step, found))
                self._promises[step] = _Promise(identity=identity, found=found)
                if found is not None:
                    self.imported.took[identity] = found.seconds
        return frozenset({self._promises[vertex].identity})

    def _record(self, vertex: Vertex, found: FoundStep | None) -> Record:
        known = cache_map(vertex.op)
        identity = self.plan.names.identity(vertex)
        assert identity is not None
        inputs = []
        for position, (edge, of_input) in enumerate(zip(vertex.inputs, known.inputs, strict=True)):
            parents = self._parents(edge.vertex)
            content = identity.inputs[position].content
            if found is not None and found.content[position : position + 1] not in ((), ((),)):
                content = found.content[position]
            links = [Link(parent, of_input.selector or "") for parent in parents]
            links += [Link(self._root(key)) for key in content]
            inputs.append(tuple(links))
        record = Record(digest=root_key(known.digests[0], 0), inputs=tuple(inputs))
        if found is None:
            return record
        places = self._place(found)
        return replace(record, chains=(ChainResult(places, self._layers[places[-1]].created),))

    def _place(self, found: FoundStep) -> tuple[int, ...]:
        """The places of a result's layers among all that are known of the source."""
        origin = self.requests.tagged(found.record.names[0])
        places = []
        for descriptor in found.record.layers[: found.layers]:
            layer = remote_layer(descriptor, origin)
            assert layer is not None, "such records are refused"
            key = (layer.descriptor.digest, layer.diff_id, layer.created)
            place = self._places.setdefault(key, len(self._places))
            self._layers.setdefault(place, replace(layer, supplier=self._supplier))
            places.append(place)
        return tuple(places)

    def _parents(self, vertex: Vertex) -> list[RecordId]:
        if vertex.inputs:
            return [self._promises[vertex].identity]
        return [self._root(root_key(digest, 0)) for digest in cache_map(vertex.op).digests]

    def _root(self, key: Digest) -> RecordId:
        index = self.imported.index
        found = next(iter(index.root(key)), None)
        return index.add(Record(digest=key)) if found is None else found

    def _fail(self, reason: str) -> None:
        self._failed = True
        self._warn(reason)

    def _warn(self, reason: str) -> None:
        self.view.show(Notice(text=f"cache source {self.imported.source.ref}: {reason}", warning=True))
