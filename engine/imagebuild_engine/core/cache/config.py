"""BuildKit's cacheconfig: the records of a cache that is no image, with the table of layers that they name.

    {"layers":[{"blob":"sha256:…","parent":-1},{"blob":"sha256:…"}],"records":[…]}

A layer's `parent` is a place in the same table: left out for 0, -1 for none. One blob may stand there several times, on
different layers. What the blobs are is said by the manifest that the config belongs to (remotecache/export.go).
"""

from dataclasses import dataclass, field, replace
from typing import Any

from ..oci import Digest, InvalidDigest, go_json
from .order import normalized
from .record_json import checked_list, checked_object, given, parsed, record_json, records_from_json
from .records import InvalidRecords, Record
from .table import NO_PARENT, LayerTable

CONFIG_MEDIA_TYPE = "application/vnd.buildkit.cacheconfig.v0"
MAX_LAYERS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """`blobs` are the layers of the table, by place."""

    blobs: tuple[Digest, ...] = ()
    table: LayerTable = field(default_factory=LayerTable)
    records: tuple[Record, ...] = ()

    def normalized(self) -> tuple["CacheConfig", tuple[int, ...]]:
        """In a canonical order, and for each layer its old place.

        Layers by blob, then by what they lie on (BuildKit: by their parent's old place, which is anybody's guess);
        records as in an image.
        """
        chains = [
            [self.blobs[position], *(self.blobs[below] for below in self.table.chain(position)[:-1])]
            for position in range(len(self.blobs))
        ]
        order = sorted(range(len(self.blobs)), key=lambda position: chains[position])
        place = {old: new for new, old in enumerate(order)}
        parents = (self.table.parents[old] for old in order)
        moved = [
            replace(
                record,
                results=tuple(replace(result, layer=place[result.layer]) for result in record.results),
                chains=tuple(
                    replace(chain, layers=tuple(place[layer] for layer in chain.layers)) for chain in record.chains
                ),
            )
            for record in self.records
        ]
        config = CacheConfig(
            blobs=tuple(self.blobs[old] for old in order),
            table=LayerTable(tuple(parent if parent == NO_PARENT else place[parent] for parent in parents)),
            records=normalized(moved),
        )
        return config, tuple(order)


class LayerPlaces:
    """A table that grows as layers are placed on each other, each pair once."""

    def __init__(self) -> None:
        self.blobs: list[Digest] = []
        self._parents: list[int] = []
        self._places: dict[tuple[Digest, int], int] = {}

    def place_on(self, parent: int, blob: Digest) -> int:
        """The place of a layer that lies on another one, or on none (NO_PARENT)."""
        position = self._places.setdefault((blob, parent), len(self.blobs))
        if position == len(self.blobs):
            self.blobs.append(blob)
            self._parents.append(parent)
        return position

    @property
    def table(self) -> LayerTable:
        return LayerTable(tuple(self._parents))


def encode_config(config: CacheConfig) -> bytes:
    """The config's JSON with its members in BuildKit's order. Empty lists are left out. Write what is normalized."""
    layers = [_layer_json(blob, parent) for blob, parent in zip(config.blobs, config.table.parents, strict=True)]
    records = [record_json(record) for record in config.records]
    return go_json(({"layers": layers} if layers else {}) | ({"records": records} if records else {}))


def decode_config(data: bytes) -> CacheConfig:
    """The config in untrusted text. Raises InvalidRecords; unknown members are ignored, among them the annotations
    that layers have in caches without manifests (GitHub's, S3's)."""
    value = checked_object(parsed(data), "the cache config")
    layers = checked_list(given(value, "layers"), "the layers of the cache", MAX_LAYERS)
    blobs, parents = [], []
    for position, layer in enumerate(layers):
        item = checked_object(layer, f"layer {position} of the cache")
        blobs.append(_blob(item, position))
        parents.append(_parent(item, position))
    table = LayerTable(tuple(parents))
    table.depths()  # refuses what is no forest
    records = records_from_json(given(value, "records"), layers=len(layers))
    return CacheConfig(blobs=tuple(blobs), table=table, records=records)


def _layer_json(blob: Digest, parent: int) -> dict[str, Any]:
    return {"blob": str(blob)} | ({"parent": parent} if parent else {})


def _blob(item: dict[str, Any], position: int) -> Digest:
    try:
        return Digest.parse(item.get("blob"))
    except InvalidDigest as error:
        raise InvalidRecords(f"layer {position} of the cache: {error}") from error


def _parent(item: dict[str, Any], position: int) -> int:
    parent = item.get("parent", 0)
    if not isinstance(parent, int) or isinstance(parent, bool):
        raise InvalidRecords(f"layer {position} of the cache lies on {parent!r:.40}, which is no place")
    return parent
