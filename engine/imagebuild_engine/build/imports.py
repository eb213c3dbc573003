"""Cache sources → indexes. Each is asked at the same time, has its own deadline and ends in exactly one outcome."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from ..contract import BuildRequest, CacheSource, CacheSourceResult, ImportOutcome, matches_any
from ..core.cache import CacheIndex, CacheResult, LayerTable, RecordId, cutoff, joined, without_expired
from ..core.frontend import PinnedImage
from ..core.oci import Digest, Reference
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
from .cache_place import place_of
from .cache_source import FoundCache, read_caches
from .layers import RemoteLayer, Tree, image_layers
from .supplier import Patience, Supplier

_ATTACHED_SHARE = 0.75
"""Of a source's time, after which what the image itself says has to do."""


@dataclass(slots=True, kw_only=True)
class Imported:
    """One cache source after it was asked. Sources that brought nothing have an empty index.

    `layers` are by their place in the table: those of all its manifests. Those of a step cache, and its index, grow
    while the build is being solved.
    """

    source: CacheSource
    answered: ImportOutcome
    """What came of asking it: unused for one that may be used."""
    why: str = ""
    """Why it brought nothing."""
    digest: Digest | None = None
    index: CacheIndex = field(default_factory=lambda: CacheIndex(()))
    table: LayerTable = field(default_factory=LayerTable)
    layers: Mapping[int, RemoteLayer] = field(default_factory=dict)
    caches: tuple[FoundCache, ...] = ()
    """What was found there, manifest by manifest, also what has no records."""
    took: dict[RecordId, float] = field(default_factory=dict)
    """Of a step cache: the seconds that steps took when they ran, as far as its records say so."""
    expired: frozenset[Digest] = frozenset()
    """Keys of records that were left out, because their results are too old."""
    supplier: Supplier | None = None
    """Of a source that has records: how it does while its layers are used."""
    seconds: float = 0.0
    matched: int = 0

    @property
    def given_up(self) -> bool:
        """Did it turn out, while it was used, that it costs more time than it saves?"""
        return self.supplier is not None and self.supplier.given_up

    @property
    def outcome(self) -> ImportOutcome:
        if self.supplier is not None and self.supplier.outcome is not None:
            return self.supplier.outcome
        return "used" if self.matched and self.answered == "unused" else self.answered

    @property
    def reason(self) -> str:
        """Why it brought nothing, or no more; a short text for people."""
        return self.supplier.reason if self.supplier is not None and self.supplier.given_up else self.why

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPolicy:
    """What a build allows its cache sources. `patience` is also for the time after the import."""

    patience: Patience
    trust: tuple[str, ...] | None = None
    """Patterns of repositories that may be believed; None is all."""
    oldest: str = ""
    """The time (RFC 3339, UTC) before which results count as expired; "" is none."""

    @classmethod
    def of(cls, request: BuildRequest, now: datetime) -> Self:
        age = request.cache_max_age_seconds
        return cls(
            patience=Patience(request.cache_import_timeout_seconds),
            trust=request.cache_trust,
            oldest=cutoff(now, age) if age is not None else "",
        )


async def import_caches(
    client: RegistryClient, sources: Sequence[CacheSource], policy: ImportPolicy
) -> tuple[Imported, ...]:
    """All sources in the order given. Never raises for what a source did: that is its outcome.

    They are asked at the same time, but for one: a `previous` after another one stands in for it where that is gone.
    """
    asked: list[asyncio.Task[Imported]] = []
    for number, source in enumerate(sources):
        stands_in = number > 0 and source.kind == sources[number - 1].kind == "previous"
        asked.append(asyncio.create_task(_import(client, source, policy, asked[-1] if stands_in else None)))
    return tuple(await asyncio.gather(*asked))


async def _import(
    client: RegistryClient, source: CacheSource, policy: ImportPolicy, wanted: "asyncio.Task[Imported] | None"
) -> Imported:
    started = time.monotonic()
    seconds = policy.patience.deadline
    # Another try that would end after the deadline is not waited for: then the error is what there is to say.
    bounded = client.until(client.now() + seconds, tags_at_home=policy.trust is not None)
    try:
        if not _trusted(source, policy.trust):
            return Imported(source=source, answered="untrusted", why="its repository is not among the trusted ones")
        async with asyncio.timeout(seconds):
            if wanted is not None:
                await asyncio.wait({wanted})
                if wanted.result().answered != "not_found":
                    return Imported(source=source, answered="unused", why="not asked: the source before it is not gone")
            until = asyncio.get_running_loop().time() + seconds * _ATTACHED_SHARE
            imported = await _ask(bounded, source, policy, until)
    except TimeoutError:
        imported = Imported(source=source, answered="timeout", why=f"no answer within {seconds:g} s")
    except (RegistryError, ContentError, OSError) as error:
        imported = Imported(source=source, answered=outcome_of(error), why=str(error)[:300])
    except ValueError as error:  # manifests, configs, digests and records that are not what they should be
        imported = Imported(source=source, answered="invalid", why=str(error)[:300])
    imported.seconds = time.monotonic() - started
    return imported


def _trusted(source: CacheSource, trust: tuple[str, ...] | None) -> bool:
    """A directory is the caller's own. Raises InvalidReference."""
    if trust is None or source.type == "local":
        return True
    return matches_any(Reference.parse(source.ref).name, trust)


async def _ask(client: RegistryClient, source: CacheSource, policy: ImportPolicy, attached_until: float) -> Imported:
    if source.type == "steps":  # read while the build is being solved
        Reference.parse(source.ref)
        return Imported(source=source, answered="unused", supplier=Supplier(policy.patience))
    found = await read_caches(place_of(client, source), attached_until)
    useful = [cache for cache in found.caches if cache.records]
    problem = next((cache.problem for cache in found.caches if cache.problem), "")
    if not useful:
        nothing = "the image has no cache records" if found.caches else "there is neither an image nor a cache"
        why = "; ".join(filter(None, (nothing, problem)))
        return Imported(source=source, answered="unused", why=why, digest=found.digest, caches=found.caches)
    records, table = joined([(cache.records, cache.table) for cache in useful])
    supplier = Supplier(policy.patience)
    layers = _joined_layers(useful, supplier)
    expired: frozenset[Digest] = frozenset()
    if policy.oldest:
        records, expired = without_expired(records, policy.oldest, lambda place: layers[place].created)
    return Imported(
        source=source,
        answered="unused",
        why="all its results are too old" if expired and not records else problem,
        digest=found.digest,
        index=CacheIndex(records),
        table=table,
        layers=layers,
        caches=found.caches,
        expired=expired,
        supplier=supplier,
    )


def _joined_layers(caches: Sequence[FoundCache], supplier: Supplier) -> dict[int, RemoteLayer]:
    """By place in the joined table."""
    layers: dict[int, RemoteLayer] = {}
    below = 0
    for cache in caches:
        layers |= {place + below: replace(layer, supplier=supplier) for place, layer in cache.layers.items()}
        below += len(cache.table)
    return layers


def remote_layers_of(image: PinnedImage) -> tuple[RemoteLayer, ...]:
    """The layers of a base image."""
    return image_layers(image.reference, image.layers, image.config)


def outcome_of(error: RegistryError | ContentError | OSError) -> ImportOutcome:
    """What a source's trouble is called."""
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
