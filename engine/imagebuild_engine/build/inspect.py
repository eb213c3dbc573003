"""What a cache says, as data for people and programs; and two of them beside each other."""

import platform as machine
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ..contract import CacheSource
from ..core.cache import CachedStep, CachedSteps, Comparison, Stacks, compare, steps_of
from ..core.oci import Digest, InvalidPlatform, Platform
from ..host.content import ContentError
from ..host.registry import DockerCredentials, RegistryClient, RegistryError, acceptable
from .cache_place import Place, place_of
from .cache_source import FoundCache, FoundCaches, read_caches


class CacheUnreadable(Exception):
    """There is nothing to show; the text says why."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """One cache: of an image, or one that is no image."""

    ref: str
    digest: Digest
    cache: FoundCache
    stacks: Stacks
    steps: CachedSteps

    @property
    def layers(self) -> int:
        """How many there are: one that lies on several others, or in the image and in its attached cache, is one."""
        return len({layer.descriptor.digest for layer in self.cache.layers.values()})

    def text(self, step: CachedStep) -> str:
        """What made the step, as its top layer's history has it; "" if nobody says."""
        return self.cache.made_by.get(step.result.top, "") if step.result else ""

    def layer(self, step: CachedStep) -> tuple[str, int]:
        """The digest of the step's top layer, and how many layers there are with it; "" and 0 without a result."""
        if step.result is None:
            return "", 0
        return str(self.cache.layers[step.result.top].descriptor.digest), self.stacks.depth(step.result)

    def key(self, record: int) -> Digest:
        return self.cache.records[record].digest


async def inspect_cache(source: CacheSource, platform: str, insecure: Collection[str]) -> Inspected:
    """What is there, of several images the one for the platform ("" for this machine's). Raises CacheUnreadable."""
    async with opened_cache(source, platform, insecure) as (_, inspected):
        return inspected


@asynccontextmanager
async def opened_cache(
    source: CacheSource, platform: str, insecure: Collection[str]
) -> AsyncIterator[tuple[Place, Inspected]]:
    """The same with the place that it was read from, for as long as that is open."""
    async with RegistryClient(DockerCredentials(), insecure=insecure) as client:
        try:
            place = place_of(client, source)
            found = await read_caches(place)
            inspected = _inspected(source, found, _choose(found, platform))
        except (RegistryError, ContentError, OSError, ValueError) as error:
            raise CacheUnreadable(f"{source.ref}: {error}") from error
        yield place, inspected


def _inspected(source: CacheSource, found: FoundCaches, cache: FoundCache) -> Inspected:
    blobs = [_blob(cache, place) for place in range(len(cache.table))]
    stacks = Stacks(cache.table, blobs)
    return Inspected(source.ref, found.digest, cache, stacks, steps_of(cache.records, stacks))


def _blob(cache: FoundCache, place: int) -> str:
    layer = cache.layers.get(place)
    return layer.descriptor.digest if layer else ""


def compare_caches(first: Inspected, second: Inspected) -> Comparison:
    return compare(first.cache.records, first.steps, second.cache.records, second.steps)


def _choose(found: FoundCaches, text: str) -> FoundCache:
    if not found.caches:
        raise ValueError("there is neither an image nor a cache")
    try:
        wanted = Platform.parse(text) if text else Platform("linux", machine.machine()).normalized()
    except InvalidPlatform as error:
        raise ValueError(str(error)) from error
    for platform in acceptable(wanted):
        for cache in found.caches:
            if cache.platform in (None, platform):
                return cache
    if len(found.caches) == 1 and not text:
        return found.caches[0]
    there = sorted(str(cache.platform) for cache in found.caches)
    raise ValueError(f"there is no image for {wanted}, but for {', '.join(there)}")


def inspected_json(inspected: Inspected) -> dict[str, Any]:
    """The cache as plain data. Steps count from 1, records and layers from 0, as in the cache itself."""
    cache = inspected.cache
    aliases = {record: step.records[0] for step in inspected.steps.steps for record in step.records[1:]}
    numbers = inspected.steps.step_of
    return {
        "ref": inspected.ref,
        "digest": str(inspected.digest),
        "platform": str(cache.platform) if cache.platform else None,
        "attached": str(cache.attached.digest) if cache.attached else None,
        "problem": cache.problem or None,
        "layers": len(cache.table),
        "steps": [step_json(inspected, number) for number in range(len(inspected.steps.steps))],
        "stages": [[number + 1 for number in stage] for stage in inspected.steps.stages],
        "records": [
            {
                "digest": str(record.digest),
                "step": numbers[position] + 1 if position in numbers else None,
                "alias_of": aliases.get(position),
                "layers": [result.layer for result in record.results],
                "chains": [list(result.layers) for result in record.chains],
                "inputs": [
                    [{"selector": str(link.selector), "link": link.parent} for link in links] for links in record.inputs
                ],
            }
            for position, record in enumerate(cache.records)
        ],
    }


def step_json(inspected: Inspected, number: int) -> dict[str, Any]:
    step = inspected.steps.steps[number]
    blob, depth = inspected.layer(step)
    return {
        "number": number + 1,
        "created_by": inspected.text(step),
        "created_at": step.result.created_at if step.result else "",
        "key": str(inspected.key(step.records[0])),
        "aliases": [str(inspected.key(record)) for record in step.records[1:]],
        "records": list(step.records),
        "base": step.base + 1 if step.base is not None else None,
        "layer": blob or None,
        "depth": depth,
        "inputs": [
            {
                "step": known.step + 1 if known.step is not None else None,
                "sources": [str(digest) for digest in known.sources],
                "contents": [str(digest) for digest in known.contents],
                "selectors": list(known.selects),
            }
            for known in step.inputs
        ],
    }


def other_layers(first: Inspected, second: Inspected, comparison: Comparison) -> tuple[int, ...]:
    """Steps of the first cache that the second has as well, but with another result."""
    return tuple(
        one
        for one, other in sorted(comparison.both.items())
        if first.steps.steps[one].stack != second.steps.steps[other].stack
    )


def comparison_json(first: Inspected, second: Inspected, comparison: Comparison) -> dict[str, Any]:
    """Which steps both caches have, and which only one; `equal` means that not even layers differ."""
    changed = other_layers(first, second, comparison)
    parting = comparison.parting
    return {
        "equal": parting is None and not changed,
        "first": {"ref": first.ref, "digest": str(first.digest)},
        "second": {"ref": second.ref, "digest": str(second.digest)},
        "both": [
            {"first": one + 1, "second": other + 1, "same_layers": one not in changed}
            for one, other in sorted(comparison.both.items())
        ],
        "only_first": [step_json(first, number) for number in comparison.only_first],
        "only_second": [step_json(second, number) for number in comparison.only_second],
        "parting": {
            "first": parting.first + 1 if parting.first is not None else None,
            "second": parting.second + 1 if parting.second is not None else None,
            "why": parting.why,
        }
        if parting
        else None,
    }
