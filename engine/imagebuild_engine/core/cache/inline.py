"""Records as text: the compact JSON array in the image config's `moby.buildkit.cache.v0`."""

from collections.abc import Sequence

from ..oci import go_json
from .order import normalized
from .record_json import parsed, record_json, records_from_json
from .records import Record


def encode_records(records: Sequence[Record]) -> bytes:
    """The records' JSON, sorted as BuildKit does (utils.go, sortConfig) and free of duplicates."""
    return go_json([record_json(record) for record in normalized(records)])


def decode_records(data: bytes, *, layers: int) -> tuple[Record, ...]:
    """The records in an image with that many layers. Raises InvalidRecords; unknown members are ignored."""
    return records_from_json(parsed(data), layers=layers)
