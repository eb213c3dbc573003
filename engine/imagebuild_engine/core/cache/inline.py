"""Records as text: the compact JSON array in the image config's `moby.buildkit.cache.v0`.

What comes from an image is hostile. A reader of BuildKit fails on an empty inner input list, on a layer that is
not there,
on loops and (v0.16) on duplicates; so we refuse the first three and never write any of them.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..oci import Digest, InvalidDigest, go_json
from .records import ChainResult, LayerResult, Link, Record

MAX_BYTES = 16 << 20
MAX_RECORDS = 50_000
MAX_LINKS = 500_000
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class InvalidRecords(ValueError):
    """The cache records of an image are broken; the text says how."""


def encode_records(records: Sequence[Record]) -> bytes:
    """The records' JSON, sorted as BuildKit does (utils.go, sortConfig) and free of duplicates."""
    return go_json([_record_json(record) for record in normalized(records)])


def normalized(records: Sequence[Record]) -> tuple[Record, ...]:
    """Equal records merged and all of them in a canonical order, whatever order they came in.

    By digest, then by number of inputs, then by the links with the digests that they lead to.
    """
    names = _canonical_names(records)
    merged: dict[str, tuple[Record, set[LayerResult], set[ChainResult], list[set[tuple[str, str]]]]] = {}
    for record, name in zip(records, names, strict=True):
        known = merged.setdefault(name, (record, set(), set(), [set() for _ in record.inputs]))
        known[1].update(record.results)
        known[2].update(record.chains)
        for links, own in zip(known[3], record.inputs, strict=True):
            links.update((link.selector, names[link.parent]) for link in own)
    digests = {name: record.digest for name, (record, *_) in merged.items()}

    def rank(name: str) -> tuple[Any, ...]:
        links = [sorted((selector, digests[parent]) for selector, parent in own) for own in merged[name][3]]
        return digests[name], len(links), [(len(own), own) for own in links], name

    order = sorted(merged, key=rank)
    position = {name: number for number, name in enumerate(order)}
    return tuple(
        Record(
            digest=merged[name][0].digest,
            inputs=tuple(
                tuple(sorted(Link(position[parent], selector) for selector, parent in links))
                for links in merged[name][3]
            ),
            results=_newest(merged[name][1]),
            chains=tuple(sorted(merged[name][2])),
        )
        for name in order
    )


def _newest(results: Iterable[LayerResult]) -> tuple[LayerResult, ...]:
    """One result: a record says one thing. The newest, and of equally new ones the lowest."""
    found = sorted(results, key=lambda item: (item.age, -item.layer), reverse=True)
    return tuple(found[:1])


def _canonical_names(records: Sequence[Record]) -> list[str]:
    """For each record a text that is equal for equal graphs: its digest over everything it rests on."""
    names: list[str] = [""] * len(records)
    for number in _parents_first(records):
        record = records[number]
        inputs = [sorted({(link.selector, names[link.parent]) for link in links}) for links in record.inputs]
        names[number] = Digest.of(json.dumps([record.digest, inputs]).encode())
    return names


def _parents_first(records: Sequence[Record]) -> list[int]:
    """Positions in an order in which every link leads backwards. Raises InvalidRecords for a loop."""
    order: list[int] = []
    state = [0] * len(records)  # 0 not seen, 1 on the way, 2 done
    for start in range(len(records)):
        stack = [(start, False)]
        while stack:
            number, parents_done = stack.pop()
            if parents_done:
                state[number] = 2
                order.append(number)
            elif state[number] == 0:
                state[number] = 1
                stack.append((number, True))
                for links in records[number].inputs:
                    for link in links:
                        if state[link.parent] == 1:
                            raise InvalidRecords("the cache records are linked in a loop")
                        if state[link.parent] == 0:
                            stack.append((link.parent, False))
    return order


def _record_json(record: Record) -> dict[str, Any]:
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


def decode_records(data: bytes, *, layers: int) -> tuple[Record, ...]:
    """The records in an image with that many layers. Raises InvalidRecords; unknown members are ignored."""
    if len(data) > MAX_BYTES:
        raise InvalidRecords(f"cache records of {len(data)} bytes are more than {MAX_BYTES}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRecords(f"the cache records are not JSON: {error}") from error
    items = _list(value, "the cache records", MAX_RECORDS)
    budget = _Budget(MAX_LINKS)
    records = tuple(_record(item, number, len(items), layers, budget) for number, item in enumerate(items))
    _parents_first(records)
    return records


class _Budget:
    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise InvalidRecords(f"the cache records have more than {MAX_LINKS} links")


def _record(value: Any, number: int, count: int, layers: int, budget: _Budget) -> Record:
    item = _object(value, f"cache record {number}")
    try:
        digest = Digest.parse(item.get("digest"))
    except InvalidDigest as error:
        raise InvalidRecords(f"cache record {number}: {error}") from error
    inputs = []
    for links in _list(_given(item, "inputs"), f"inputs of cache record {number}", MAX_RECORDS):
        found = _list(links, f"an input of cache record {number}", MAX_RECORDS)
        budget.take(len(found))
        if not found:
            raise InvalidRecords(f"cache record {number} has an input without links")
        inputs.append(tuple(_link(link, number, count) for link in found))
    results, chains = [], []
    for result in _list(_given(item, "layers"), f"layers of cache record {number}", 100):
        known = _object(result, f"a result of cache record {number}")
        results.append(LayerResult(_number(known.get("layer", 0), layers, number), _time(known)))
    for chain in _list(_given(item, "chains"), f"chains of cache record {number}", 100):
        known = _object(chain, f"a result of cache record {number}")
        numbers = _list(_given(known, "layers"), f"a chain of cache record {number}", layers)
        if numbers:  # a chain of nothing promises nothing
            chains.append(ChainResult(tuple(_number(layer, layers, number) for layer in numbers), _time(known)))
    return Record(digest=digest, inputs=tuple(inputs), results=tuple(results), chains=tuple(chains))


def _link(value: Any, number: int, count: int) -> Link:
    item = _object(value, f"a link of cache record {number}")
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
        raise InvalidRecords(f"cache record {number} names layer {value!r:.40}, but the image has {layers}")
    return value


def _time(value: dict[str, Any]) -> str:
    found = value.get("createdAt") or ""
    if not isinstance(found, str) or (found and not _TIME.fullmatch(found)):
        raise InvalidRecords("a cache record's createdAt is not a time")
    return found


def _given(item: dict[str, Any], name: str) -> Any:
    """Go reads an absent list and a null alike."""
    found = item.get(name)
    return [] if found is None else found


def _list(value: Any, what: str, limit: int) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidRecords(f"{what} are not a list")
    if len(value) > limit:
        raise InvalidRecords(f"{what}: {len(value)} are more than {limit}")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRecords(f"{what} is not an object")
    return value
