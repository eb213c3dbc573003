"""What lies at a cache source: records and the layers that they name, whatever shape they come in.

    a cache        an OCI manifest whose config is a cacheconfig, or an index that lists its layers and then the config
    an image       records in its config, and in its attached cache (attached.py) if it has one
    several images an index: each image has records of its own; BuildKit reads those of all platforms, and so do we

Everything here is hostile: sizes, numbers and depths are bounded, and what is broken raises ValueError.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..core.cache import (
    CONFIG_MEDIA_TYPE,
    CacheConfig,
    LayerTable,
    Record,
    decode_config,
    decode_records,
    is_time,
    joined,
    normalized,
    without_layers,
)
from ..core.explain import Components
from ..core.oci import (
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    InvalidDigest,
    Manifest,
    MediaType,
    Platform,
    Reference,
    parse_manifest,
)
from ..core.oci.config import MAX_BYTES as CONFIG_BYTES
from ..host.content import BlobMissing, ContentError, OciLayout
from ..host.registry import IMAGE_CONFIG_TYPES, NotFound, RegistryError, is_attestation
from .attached import CONFIG_BYTES as CACHE_CONFIG_BYTES
from .attached import Attached, find_attached
from .bounded_place import BoundedPlace
from .cache_place import Place
from .layers import RemoteLayer, image_layers

DIFF_ID = "containerd.io/uncompressed"
CREATED = "buildkit/createdat"
DESCRIPTION = "buildkit/description"
"""Annotations of a cache's layers. The first is needed; the last is not written by BuildKit, but understood."""

MAX_IMAGES = 100
MAX_NESTING = 3
"""Indexes in indexes."""
_READS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCache:
    """The records of one manifest. `layers` and `made_by` (what a layer is the result of) are by place in the table."""

    records: tuple[Record, ...] = ()
    table: LayerTable = field(default_factory=LayerTable)
    layers: Mapping[int, RemoteLayer] = field(default_factory=dict)
    made_by: Mapping[int, str] = field(default_factory=dict)
    platform: Platform | None = None
    """None for a cache that is no image."""
    digest: Digest | None = None
    """Of the manifest, or of the index that is a cache."""
    config: ImageConfig | None = None
    """Of an image."""
    components: Components | None = None
    """What its steps were made of, if that came with it."""
    attached: Attached | None = None
    """The attached cache of an image: its records and layers are among those above, after the inline ones."""
    problem: str = ""
    """Why an attached cache that may be there was not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCaches:
    """What a source had: one cache, or one for each image."""

    digest: Digest
    caches: tuple[FoundCache, ...]


async def read_caches(source: Place, attached_until: float | None = None) -> FoundCaches:
    """All that the source has. Raises what its place raises, and ValueError for what is broken.

    Attached caches come besides: what is wrong with them is told, not raised, and they are not waited for any longer
    than `attached_until` (the event loop's time).
    """
    place = BoundedPlace(source)
    top, data = await place.top()
    parsed = parse_manifest(data, top.media_type)
    origin = place.origin(top.digest)
    config = _cache_config(parsed)
    if config is not None:
        layers = parsed.layers if isinstance(parsed, Manifest) else parsed.manifests
        decoded = await place.decoded(decode_config, await place.blob(config, CACHE_CONFIG_BYTES))
        return FoundCaches(digest=top.digest, caches=(_cache(top.digest, decoded, layers, origin),))
    slots = asyncio.Semaphore(_READS)
    manifests = await _manifests(place, top.digest, parsed, slots, MAX_NESTING)
    if len(manifests) > MAX_IMAGES:
        raise ValueError(f"the index has {len(manifests)} images, more than {MAX_IMAGES}")
    found = await asyncio.gather(
        *(_image(place, digest, manifest, origin, slots, attached_until) for digest, manifest in manifests)
    )
    return FoundCaches(digest=top.digest, caches=tuple(cache for cache in found if cache is not None))


def _cache_config(parsed: Manifest | Index) -> Descriptor | None:
    listed = (parsed.config,) if isinstance(parsed, Manifest) else parsed.manifests
    return next((entry for entry in reversed(listed) if entry.media_type == CONFIG_MEDIA_TYPE), None)


def _cache(
    digest: Digest, config: CacheConfig, descriptors: Sequence[Descriptor], origin: Reference | OciLayout
) -> FoundCache:
    """A blob that stands in the table more than once may be listed as often, each time with its own annotations.

    A layer that is not listed, or not as one that can be unpacked, leaves its results without use; so has BuildKit it.
    """
    listed: defaultdict[Digest, list[Descriptor]] = defaultdict(list)
    for descriptor in reversed(descriptors):
        listed[descriptor.digest].append(descriptor)
    layers: dict[int, RemoteLayer] = {}
    made_by: dict[int, str] = {}
    for place, blob in enumerate(config.blobs):
        entries = listed.get(blob)
        if not entries:
            continue
        descriptor = entries.pop() if len(entries) > 1 else entries[0]
        layer = remote_layer(descriptor, origin)
        if layer is not None:
            layers[place] = layer
            made_by[place] = descriptor.annotations.get(DESCRIPTION, "")
    missing = frozenset(range(len(config.blobs))) - layers.keys()
    records = without_layers(config.records, config.table, missing)
    return FoundCache(records=records, table=config.table, layers=layers, made_by=made_by, digest=digest)


def remote_layer(descriptor: Descriptor, origin: Reference | OciLayout) -> RemoteLayer | None:
    """The layer as a cache lists it; None if it is not listed as one that can be unpacked."""
    if not MediaType.is_layer(descriptor.media_type):
        return None
    try:
        diff_id = Digest.parse(descriptor.annotations.get(DIFF_ID))
    except InvalidDigest:
        return None
    created = descriptor.annotations.get(CREATED, "")
    return RemoteLayer(
        descriptor=descriptor, diff_id=diff_id, origin=origin, created=created if is_time(created) else ""
    )


async def _manifests(
    place: BoundedPlace, digest: Digest, parsed: Manifest | Index, slots: asyncio.Semaphore, nesting: int
) -> list[tuple[Digest, Manifest]]:
    """The manifests of an index and of those in it, each once, but for those that are told to be no images."""
    if isinstance(parsed, Manifest):
        return [(digest, parsed)]
    if not nesting:
        raise ValueError(f"more than {MAX_NESTING} indexes in each other")
    entries = {entry.digest: entry for entry in parsed.manifests if _may_be_image(entry)}
    if len(entries) > MAX_IMAGES:
        raise ValueError(f"the index has {len(entries)} images, more than {MAX_IMAGES}")

    async def below(entry: Descriptor) -> list[tuple[Digest, Manifest]]:
        async with slots:
            try:
                data = await place.manifest(entry)
            except (NotFound, BlobMissing):
                return []  # a mirror may hold some platforms only
        return await _manifests(place, entry.digest, parse_manifest(data, entry.media_type), slots, nesting - 1)

    found = await asyncio.gather(*(below(entry) for entry in entries.values()))
    return [item for manifests in found for item in manifests]


def _may_be_image(entry: Descriptor) -> bool:
    known = MediaType.is_manifest(entry.media_type) or MediaType.is_index(entry.media_type)
    return known and not is_attestation(entry)


async def _image(
    place: BoundedPlace,
    digest: Digest,
    manifest: Manifest,
    origin: Reference | OciLayout,
    slots: asyncio.Semaphore,
    attached_until: float | None,
) -> FoundCache | None:
    """The image's records, inline and attached, perhaps none; None for an artifact that is no image."""
    if manifest.config.media_type not in IMAGE_CONFIG_TYPES:
        return None
    attached = asyncio.create_task(_attached(place, digest, slots, attached_until))
    try:
        async with slots:
            config = await place.decoded(ImageConfig.parse, await place.blob(manifest.config, CONFIG_BYTES))
        layers = image_layers(origin, manifest.layers, config)
        data = config.inline_cache
        texts = [entry.created_by for entry in config.history if not entry.empty_layer]
        inline = FoundCache(
            records=await place.decoded(decode_records, data, layers=len(layers)) if data is not None else (),
            table=LayerTable.stack(len(layers)),
            layers=dict(enumerate(layers)),
            made_by=dict(enumerate(texts[: len(layers)])),
            platform=config.platform,
            digest=digest,
            config=config,
        )
        found, problem = await attached
        return _with_attached(inline, found, place) if found else replace(inline, problem=problem)
    finally:
        attached.cancel()


async def _attached(
    place: BoundedPlace, subject: Digest, slots: asyncio.Semaphore, until: float | None
) -> tuple[Attached | None, str]:
    """The image's attached cache, or why there is none that could be read."""
    try:
        async with asyncio.timeout_at(until), slots:
            return await find_attached(place, subject), ""
    except TimeoutError:
        return None, "the attached cache did not come in time"
    except (RegistryError, ContentError, OSError, ValueError) as error:
        return None, f"the attached cache cannot be read: {error}"[:300]


def _with_attached(image: FoundCache, attached: Attached, place: BoundedPlace) -> FoundCache:
    """Both as one cache. What both have alike is one record, with the image's own layer as its result."""
    cache = _cache(attached.digest, attached.config, attached.layers, place.origin(attached.digest))
    below = len(image.table)
    records, table = joined([(image.records, image.table), (cache.records, cache.table)])
    return replace(
        image,
        records=normalized(records),
        table=table,
        layers={**image.layers, **{at + below: layer for at, layer in cache.layers.items()}},
        made_by={**image.made_by, **{at + below: text for at, text in cache.made_by.items()}},
        components=attached.components,
        attached=attached,
    )
