"""Which records of a step cache go: all that are too old, then the oldest until the rest is small enough."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..oci import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """One manifest. Deleting it takes all its tags away."""

    digest: Digest
    tags: tuple[str, ...]
    written: datetime
    layers: tuple[Digest, ...]
    instruction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What may stay: seconds since it was written, and bytes of all layers together, each counted once."""

    older_than: float | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What goes, oldest first, how many records stay, and the bytes of all layers before and after."""

    gone: tuple[KeptRecord, ...]
    kept: int
    size_before: int
    size_after: int


def prune(records: Iterable[KeptRecord], sizes: Mapping[Digest, int], keeping: Keeping, now: datetime) -> Pruning:
    """The oldest go first; of those written at the same time the ones with most layers, for nothing lies on them.

    `sizes` are those of the layers.
    """
    left = sorted(records, key=lambda item: (min(item.written, now), -len(item.layers), item.digest))
    uses = Counter(digest for record in left for digest in set(record.layers))
    size_before = size = sum(sizes[digest] for digest in uses)
    gone = []
    for record in left:
        too_old = keeping.older_than is not None and (now - record.written).total_seconds() > keeping.older_than
        too_large = keeping.max_size is not None and size > keeping.max_size
        if not (too_old or too_large):
            continue
        gone.append(record)
        for digest in set(record.layers):
            uses[digest] -= 1
            if not uses[digest]:
                size -= sizes[digest]
    return Pruning(gone=tuple(gone), kept=len(left) - len(gone), size_before=size_before, size_after=size)


def written_at(text: str) -> datetime:
    """The time of a record, of which only whole seconds count."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
