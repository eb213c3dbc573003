"""Cache sources → indexes. Each is asked at the same time, has its own deadline and ends in exactly one outcome."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..contract import CacheSource, CacheSourceResult, ImportOutcome
from ..core.cache import CacheIndex, CacheResult, LayerTable, joined
from ..core.frontend import PinnedImage
from ..core.oci import Digest
from ..host.content import BlobMissing, ContentError, LayoutMissing
from ..host.registry import (
    Denied,
    InvalidResponse,
    NotFound,
    RegistryClient,
    RegistryError,
    RegistryTimeout,
    Unauthorized,
)
from .cache_source import FoundCache, place_of, read_caches
from .layers import RemoteLayer, Tree, image_layers


@dataclass(slots=True, kw_only=True)
class Imported:
    """One cache source after it was asked. Sources that brought nothing have an empty index.

    `layers` are by their place in the table: those of all its manifests.
    """

    source: CacheSource
    outcome: ImportOutcome
    reason: str = ""
    digest: Digest | None = None
    index: CacheIndex = field(default_factory=lambda: CacheIndex(()))
    table: LayerTable = field(default_factory=LayerTable)
    layers: Mapping[int, RemoteLayer] = field(default_factory=dict)
    caches: tuple[FoundCache, ...] = ()
    """What was found there, manifest by manifest, also what has no records."""
    seconds: float = 0.0
    matched: int = 0

    def tree(self, result: CacheResult) -> Tree:
        """The layers that a record's result stands for."""
        return Tree(tuple(self.layers[place] for place in self.table.layers(result)))

    def told(self) -> CacheSourceResult:
        """For the result."""
        return CacheSourceResult(
            ref=self.source.ref,
            kind=self.source.kind,
            outcome=self.outcome,
            digest=str(self.digest) if self.digest else None,
            reason=self.reason,
            matched=self.matched,
            seconds=round(self.seconds, 3),
        )


async def import_caches(client: RegistryClient, sources: Sequence[CacheSource], seconds: float) -> tuple[Imported, ...]:
    """All sources in the order given. Never raises for what a source did: that is its outcome."""
    return tuple(await asyncio.gather(*(_import(client, source, seconds) for source in sources)))


async def _import(client: RegistryClient, source: CacheSource, seconds: float) -> Imported:
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            imported = await _ask(client, source)
    except TimeoutError:
        imported = Imported(source=source, outcome="timeout", reason=f"no answer within {seconds:g} s")
    except (RegistryError, ContentError, OSError) as error:
        imported = Imported(source=source, outcome=_outcome(error), reason=str(error)[:300])
    except ValueError as error:  # manifests, configs, digests and records that are not what they should be
        imported = Imported(source=source, outcome="invalid", reason=str(error)[:300])
    imported.seconds = time.monotonic() - started
    return imported


async def _ask(client: RegistryClient, source: CacheSource) -> Imported:
    found = await read_caches(place_of(client, source))
    useful = [cache for cache in found.caches if cache.records]
    if not useful:
        reason = "the image has no cache records" if found.caches else "there is neither an image nor a cache"
        return Imported(source=source, outcome="unused", reason=reason, digest=found.digest, caches=found.caches)
    records, table = joined([(cache.records, cache.table) for cache in useful])
    return Imported(
        source=source,
        outcome="unused",
        digest=found.digest,
        index=CacheIndex(records),
        table=table,
        layers=_joined_layers(useful),
        caches=found.caches,
    )


def _joined_layers(caches: Sequence[FoundCache]) -> dict[int, RemoteLayer]:
    """By place in the joined table."""
    layers: dict[int, RemoteLayer] = {}
    below = 0
    for cache in caches:
        layers |= {place + below: layer for place, layer in cache.layers.items()}
        below += len(cache.table)
    return layers


def remote_layers_of(image: PinnedImage) -> tuple[RemoteLayer, ...]:
    """The layers of a base image."""
    return image_layers(image.reference, image.layers, image.config)


def _outcome(error: RegistryError | ContentError | OSError) -> ImportOutcome:
    match error:
        case NotFound() | LayoutMissing() | BlobMissing():
            return "not_found"
        case Unauthorized() | Denied():
            return "unauthorized"
        case RegistryTimeout():
            return "timeout"
        case InvalidResponse() | ContentError():
            return "invalid"
        case _:
            return "error"
