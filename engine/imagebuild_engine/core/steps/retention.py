"""Which records of a step cache go: all that are too old, then the oldest until the rest is small enough."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..oci import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """One manifest. Deleting it takes all its tags away. `layers` are sizes by digest, in bytes."""

    digest: Digest
    tags: tuple[str, ...]
    written: datetime
    layers: Mapping[Digest, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What may stay: seconds since it was written, and bytes of all layers together, each counted once."""

    older_than: float | None = None
    max_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruning:
    """What goes, oldest first, and the sizes of all layers before and after."""

    gone: tuple[KeptRecord, ...]
    kept: int
    size_before: int
    size_after: int


def prune(records: Iterable[KeptRecord], keeping: Keeping, now: datetime) -> Pruning:
    """The oldest go first; of those written at the same time the ones with most layers, for nothing lies on them."""
    left = sorted(records, key=lambda item: (min(item.written, now), -len(item.layers), item.digest))
    uses = Counter(digest for record in left for digest in record.layers)
    sizes = {digest: size for record in left for digest, size in record.layers.items()}
    size_before = size = sum(sizes.values())
    gone = []
    for record in left:
        too_old = keeping.older_than is not None and (now - record.written).total_seconds() > keeping.older_than
        too_large = keeping.max_size is not None and size > keeping.max_size
        if not (too_old or too_large):
            continue
        gone.append(record)
        for digest in record.layers:
            uses[digest] -= 1
            if not uses[digest]:
                size -= sizes[digest]
    return Pruning(gone=tuple(gone), kept=len(left) - len(gone), size_before=size_before, size_after=size)


def written_at(text: str) -> datetime:
    """The time of a record, of which only whole seconds count."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
