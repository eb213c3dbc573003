"""What a step cache is asked, one round of requests side by side; shared by reading and writing."""

import asyncio
from collections.abc import Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..core.graph import Vertex
from ..core.oci import Digest, Reference
from ..core.steps import InvalidStep, ProbePlan, StepRecord, decode_step, tag_of
from ..host.registry import InvalidResponse, NotFound, RegistryClient
from .cache_source import CREATED, remote_layer

_SIDE_BY_SIDE = 16
_RECORD_BYTES = 1 << 20
_ALL_BYTES = 16 << 20
"""Of the records that one build takes from a cache. What rests on each other is not read: these are few."""


@dataclass
class StepRequests:
    """One repository and what is known of it."""

    client: RegistryClient
    reference: Reference
    plan: ProbePlan
    oldest: str = ""
    """The time (RFC 3339, UTC) before which results count as expired; "" is none."""
    tags_at_home: bool = False
    """Does only the registry itself say what a tag stands for? See RegistryClient.until."""
    unusable: set[Digest] = field(default_factory=set)
    """Names under which something lies that is no use: it is broken, or too old."""
    expired: frozenset[Digest] = frozenset()
    """The keys of steps whose records are too old."""
    broken: str = ""
    """What was wrong with the first record that was broken."""
    _bytes: int = 0
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_SIDE_BY_SIDE))

    async def ask(
        self, names: Collection[Digest], by_content: Vertex | None = None, *, result: bool = True, seconds: float
    ) -> None:
        """What lies under the names (of a step by its content, or of steps by definition) gets into the plan.

        After so many seconds nothing is tried again. Raises RegistryError; what was answered until then is known.
        """
        client = self.client.until(self.client.now() + seconds, tags_at_home=self.tags_at_home)

        async def ask_for(name: Digest) -> None:
            async with self._slots:
                if by_content is not None:
                    self.plan.answer_by_content(by_content, name, await self._read(client, name))
                elif not self.plan.needless(name, result=result):
                    self.plan.answer(name, await self._read(client, name))

        await side_by_side(ask_for(name) for name in names)

    async def _read(self, client: RegistryClient, name: Digest) -> StepRecord | None:
        reference = self.tagged(name)
        try:
            _, data = await client.manifest(reference, limit=_RECORD_BYTES)
            record = decode_step(data, name)
            if any(remote_layer(layer, reference) is None for layer in record.layers):
                raise InvalidStep("its layers do not say what they are when they are unpacked")
        except NotFound:
            return None
        except (InvalidResponse, InvalidStep) as error:
            self.unusable.add(name)
            self.broken = self.broken or f"{reference.tag} cannot be used: {error}"[:300]
            return None
        self._bytes += len(data)
        if self._bytes > _ALL_BYTES:
            raise InvalidResponse(reference.registry, f"the records of the steps are larger than {_ALL_BYTES} bytes")
        if self.oldest and min(_times(record)) < self.oldest.removesuffix("Z"):
            self.unusable.add(name)
            self.expired |= {record.identity.key}
            return None
        return record

    async def is_free(self, name: Digest) -> bool:
        """Is there nothing under the name even now? Others may have written it since it was asked for."""
        if self.plan.has(name):
            return False
        try:
            async with self._slots:
                await self.client.resolve(self.tagged(name))
        except NotFound:
            return True
        return False

    def tagged(self, name: Digest) -> Reference:
        """Where the record of that name lies."""
        return self.reference.with_tag(tag_of(name))


async def side_by_side(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """To the first error: then the others are given up."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _times(record: StepRecord) -> Iterable[str]:
    """When the step was made, and those whose layers it lies on; "" where nobody knows. They sort without their Z."""
    tops = {step.layers for step in record.below} | {len(record.layers)}
    return (record.layers[top - 1].annotations.get(CREATED, "").removesuffix("Z") for top in tops)
