"""Records as JSON values (cache/remotecache/v1/types/spec.go), the same in an image's config and in a cacheconfig.

What comes from an image is hostile. A reader of BuildKit fails on an empty inner input list, on a layer that is not
there, on loops and (v0.16) on duplicates; so we refuse the first three and never write any of them.
"""

import json
import re
from typing import Any

from ..oci import Digest, InvalidDigest
from .order import parents_first
from .records import ChainResult, InvalidRecords, LayerResult, Link, Record

MAX_BYTES = 16 << 20
MAX_RECORDS = 50_000
MAX_LINKS = 500_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def record_json(record: Record) -> dict[str, Any]:
    """The record's object with its members in BuildKit's order."""
    if not all(record.inputs):
        raise ValueError(f"record {record.digest} has an input without links: BuildKit would refuse all records")
    value: dict[str, Any] = {}
    if record.results:
        value["layers"] = [_dated({"layer": item.layer}, item.created_at) for item in record.results]
    if record.chains:
        value["chains"] = [_dated({"layers": list(item.layers)}, item.created_at) for item in record.chains]
    value["digest"] = str(record.digest)
    if record.inputs:
        value["inputs"] = [[_link_json(link) for link in links] for links in record.inputs]
    return value


def _dated(value: dict[str, Any], created_at: str) -> dict[str, Any]:
    return value | ({"createdAt": created_at} if created_at else {})


def _link_json(link: Link) -> dict[str, Any]:
    return ({"selector": link.selector} if link.selector else {}) | {"link": link.parent}


def records_from_json(value: Any, *, layers: int) -> tuple[Record, ...]:
    """The records in an array, with that many layers to name. Raises InvalidRecords; unknown members are ignored."""
    items = checked_list(value, "the cache records", MAX_RECORDS)
    budget = _Budget(MAX_LINKS)
    records = tuple(_record(item, number, len(items), layers, budget) for number, item in enumerate(items))
    parents_first(records)
    return records


def parsed(data: bytes) -> Any:
    """The JSON value of untrusted text that is not too long; raises InvalidRecords."""
    if len(data) > MAX_BYTES:
        raise InvalidRecords(f"cache records of {len(data)} bytes are more than {MAX_BYTES}")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRecords(f"the cache records are not JSON: {error}") from error


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise InvalidRecords(f"the cache records have more than {MAX_LINKS} links")


def _record(value: Any, number: int, count: int, layers: int, budget: _Budget) -> Record:
    item = checked_object(value, f"cache record {number}")
    try:
        digest = Digest.parse(item.get("digest"))
    except InvalidDigest as error:
        raise InvalidRecords(f"cache record {number}: {error}") from error
    inputs = []
    for links in checked_list(given(item, "inputs"), f"inputs of cache record {number}", MAX_RECORDS):
        found = checked_list(links, f"an input of cache record {number}", MAX_RECORDS)
        budget.take(len(found))
        if not found:
            raise InvalidRecords(f"cache record {number} has an input without links")
        inputs.append(tuple(_link(link, number, count) for link in found))
    results, chains = [], []
    for result in checked_list(given(item, "layers"), f"layers of cache record {number}", 100):
        known = checked_object(result, f"a result of cache record {number}")
        results.append(LayerResult(_number(known.get("layer", 0), layers, number), _time(known)))
    for chain in checked_list(given(item, "chains"), f"chains of cache record {number}", 100):
        known = checked_object(chain, f"a result of cache record {number}")
        numbers = checked_list(given(known, "layers"), f"a chain of cache record {number}", layers)
        if numbers:  # a chain of nothing promises nothing
            chains.append(ChainResult(tuple(_number(layer, layers, number) for layer in numbers), _time(known)))
    return Record(digest=digest, inputs=tuple(inputs), results=tuple(results), chains=tuple(chains))


def _link(value: Any, number: int, count: int) -> Link:
    item = checked_object(value, f"a link of cache record {number}")
    parent = item.get("link", 0)
    if not isinstance(parent, int) or isinstance(parent, bool) or not 0 <= parent < count:
        raise InvalidRecords(f"cache record {number} links to record {parent!r:.40}, which does not exist")
    selector = item.get("selector") or ""
    if selector:
        try:
            selector = str(Digest.parse(selector))
        except InvalidDigest as error:
            raise InvalidRecords(f"cache record {number}: {error}") from error
    return Link(parent, selector)


def _number(value: Any, layers: int, number: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < layers:
        raise InvalidRecords(f"cache record {number} names layer {value!r:.40}, but there are {layers}")
    return value


def _time(value: dict[str, Any]) -> str:
    found = value.get("createdAt") or ""
    if not isinstance(found, str) or (found and not is_time(found)):
        raise InvalidRecords("a cache record's createdAt is not a time")
    return found


def is_time(text: str) -> bool:
    """Is it a time as Go writes it (RFC 3339, up to nine fractional digits)?"""
    return bool(_TIME.fullmatch(text))


def given(item: dict[str, Any], name: str) -> Any:
    """Go reads an absent list and a null alike."""
    found = item.get(name)
    return [] if found is None else found


def checked_list(value: Any, what: str, limit: int) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRecords(f"{what} are not a list")
    if len(value) > limit:
        raise InvalidRecords(f"{what}: {len(value)} are more than {limit}")
    return value


def checked_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRecords(f"{what} is not an object")
    return value
