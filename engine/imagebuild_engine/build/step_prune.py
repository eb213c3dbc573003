"""A step cache made smaller: all its records looked at, those deleted that are too old or too many.

Only tags of our form are looked at, and only what is a record under its own name is deleted. Builders and others who
prune may work at the same time: what is gone already is not missed, and who finds a record just before it goes makes
the step anew.
"""

import asyncio
from collections.abc import Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..contract import FAILURES, Reason
from ..core.oci import Digest, Reference
from ..core.steps import InvalidStep, Keeping, KeptRecord, Pruning, decode_step, name_of_tag, prune, tag_of, written_at
from ..host.registry import (
    DeletionRefused,
    Denied,
    DockerCredentials,
    InvalidResponse,
    NotFound,
    RegistryClient,
    RegistryError,
    RegistryTimeout,
    Unauthorized,
)
from .step_requests import side_by_side

_READS = 8
_DELETIONS = 4


class PruneFailed(Exception):
    """What ended it before it was complete. `deleted` records are gone all the same."""

    def __init__(self, repository: str, error: RegistryError, deleted: int) -> None:
        super().__init__(repository, str(error))
        self.repository = repository
        self.error = error
        self.deleted = deleted

    @property
    def exit_code(self) -> int:
        """As of a build that ends for the same reason."""
        return FAILURES[_reason(self.error)].exit_code or 1

    def __str__(self) -> str:
        text = f"{self.repository}: {self.error}"
        if isinstance(self.error, DeletionRefused):
            text = (
                f"{self.repository}: the registry does not delete manifests ({self.error.status}); allow it there: "
                "docker-registry has `storage: delete: enabled: true` (REGISTRY_STORAGE_DELETE_ENABLED=true)"
            )
        return f"{text}; {self.deleted} records have been deleted" if self.deleted else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was found and what was done. `foreign` are tags of our form under which something else lies."""

    repository: str
    dry_run: bool
    pruning: Pruning
    foreign: int

    def to_json(self) -> dict[str, Any]:
        """As plain data. Sizes are bytes of layers, each counted once."""
        gone = [
            {
                "digest": str(record.digest),
                "tags": list(record.tags),
                "written": record.written.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "instruction": record.instruction,
            }
            for record in self.pruning.gone
        ]
        return {
            "repository": self.repository,
            "dry_run": self.dry_run,
            "records": self.pruning.kept + len(gone),
            "kept": self.pruning.kept,
            "deleted": len(gone),
            "size_before": self.pruning.size_before,
            "size_after": self.pruning.size_after,
            "foreign": self.foreign,
            "gone": gone,
        }


async def prune_steps(
    reference: Reference, keeping: Keeping, *, dry_run: bool, insecure: Collection[str], now: datetime
) -> Pruned:
    """Deletes what may not stay, unless it is a dry run. Raises PruneFailed."""
    deleted: set[Digest] = set()
    try:
        async with RegistryClient(DockerCredentials(), insecure=insecure) as client:
            found = _Found(client, reference)
            await found.read()
            pruning = prune(found.records, found.sizes, keeping, now)
            if not dry_run:
                slots = asyncio.Semaphore(_DELETIONS)
                await side_by_side(_delete(client, reference, record, slots, deleted) for record in pruning.gone)
    except RegistryError as error:
        raise PruneFailed(reference.name, error, len(deleted)) from error
    return Pruned(repository=reference.name, dry_run=dry_run, pruning=pruning, foreign=found.foreign)


@dataclass
class _Found:
    """All records of a repository. A digest is kept once, for there are many of each."""

    client: RegistryClient
    reference: Reference
    sizes: dict[Digest, int] = field(default_factory=dict)
    foreign: int = 0
    _records: dict[Digest, KeptRecord] = field(default_factory=dict)
    _digests: dict[Digest, Digest] = field(default_factory=dict)

    async def read(self) -> None:
        names = await self._names()
        for start in range(0, len(names), _READS):
            await side_by_side(self._take(name) for name in names[start : start + _READS])

    async def _names(self) -> list[Digest]:
        """None if there is no such repository: nobody has written to it yet."""
        names: dict[Digest, None] = {}
        try:
            async with aclosing(self.client.tags(self.reference)) as tags:
                async for tag in tags:
                    if (name := name_of_tag(tag)) is not None:
                        names[name] = None
        except NotFound:
            return []
        return list(names)

    async def _take(self, name: Digest) -> None:
        tag = tag_of(name)
        try:
            described, data = await self.client.manifest(self.reference.with_tag(tag))
            record = decode_step(data, name)
        except NotFound:
            return  # somebody else deletes, too
        except (InvalidResponse, InvalidStep):
            self.foreign += 1
            return
        for layer in record.layers:
            self.sizes[layer.digest] = max(layer.size, self.sizes.get(layer.digest, 0))
        known = self._records.get(described.digest)
        self._records[described.digest] = KeptRecord(
            digest=described.digest,
            tags=(*(known.tags if known else ()), tag),
            written=written_at(record.written),
            layers=tuple(self._digests.setdefault(layer.digest, layer.digest) for layer in record.layers),
            instruction=record.instruction,
        )

    @property
    def records(self) -> Collection[KeptRecord]:
        """One for each manifest, whatever its tags."""
        return self._records.values()


async def _delete(
    client: RegistryClient, reference: Reference, record: KeptRecord, slots: asyncio.Semaphore, deleted: set[Digest]
) -> None:
    async with slots:
        with suppress(NotFound):
            await client.delete_manifest(reference.with_digest(record.digest))
            deleted.add(record.digest)


def _reason(error: RegistryError) -> Reason:
    match error:
        case DeletionRefused():
            return Reason.NOT_SUPPORTED
        case Unauthorized():
            return Reason.SOURCE_UNAUTHORIZED
        case Denied():
            return Reason.PUSH_DENIED
        case RegistryTimeout():
            return Reason.NETWORK_TIMEOUT
        case _:
            return Reason.REGISTRY_UNAVAILABLE
