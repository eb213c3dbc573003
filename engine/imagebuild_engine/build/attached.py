"""The attached cache: every stage's steps as a referrer of the image, in the image's own repository.

    manifest   artifactType application/vnd.imagebuild.cache.v1, subject = the image's manifest
    config     BuildKit's cacheconfig, mode max
    layers     all layers that the config lists; then what the steps were made of; then the build's result

It is found from the image's digest alone, and BuildKit imports it by its own digest as any other cache. What is read
here is hostile: bounded, and checked to be what it says.
"""

import asyncio
import io
from dataclasses import dataclass

from ..core.cache import CONFIG_MEDIA_TYPE, CacheConfig, LayerResult, decode_config, is_time
from ..core.explain import COMPONENTS_MEDIA_TYPE, Components, decode_components
from ..core.oci import CREATED_ANNOTATION, Descriptor, Digest, Manifest, parse_manifest
from ..host.content import BlobMissing, ContentError
from ..host.registry import NotFound, RegistryError
from .bounded_place import BoundedPlace

ARTIFACT_TYPE = "application/vnd.imagebuild.cache.v1"
RESULT_MEDIA_TYPE = "application/vnd.imagebuild.result.v1+json+zstd"
"""Of the small layer with the BuildResult of the build that made the image: JSON, compressed with zstd."""

CONFIG_BYTES = 16 << 20
_TRIED = 4
"""Of several attached caches of one image, newest first."""
_SMALL_BYTES = 4 << 20
_DECOMPRESSED_BYTES = 32 << 20
_MAX_WINDOW = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attached cache as it was found. `components` is None if they are not there, or broken."""

    digest: Digest
    manifest: Manifest
    config: CacheConfig
    components: Components | None = None

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """Those of the cache, without what is there for us alone."""
        own = (COMPONENTS_MEDIA_TYPE, RESULT_MEDIA_TYPE)
        return tuple(layer for layer in self.manifest.layers if layer.media_type not in own)


async def find_attached(place: BoundedPlace, subject: Digest) -> Attached | None:
    """The newest attached cache of the image that is one. Raises what the place raises, and ValueError if there are
    some, but all broken."""
    entries = await place.referrers(subject, ARTIFACT_TYPE)
    problem: Exception | None = None
    oldest_first = sorted(entries, key=_age)
    for entry in oldest_first[: -_TRIED - 1 : -1]:
        try:
            return await _read(place, subject, entry)
        except (NotFound, BlobMissing):
            continue  # listed, and gone
        except ValueError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return None


def _age(entry: Descriptor) -> str:
    """Sorts by the time of the newest result, the newest last; what has none is the oldest."""
    made = entry.annotations.get(CREATED_ANNOTATION, "")
    return LayerResult(0, made).age if is_time(made) else ""


async def _read(place: BoundedPlace, subject: Digest, entry: Descriptor) -> Attached:
    manifest = parse_manifest(await place.manifest(entry), entry.media_type)
    if not (
        isinstance(manifest, Manifest)
        and manifest.artifact_type == ARTIFACT_TYPE
        and manifest.subject is not None
        and manifest.subject.digest == subject
        and manifest.config.media_type == CONFIG_MEDIA_TYPE
    ):
        raise ValueError(f"{entry.digest} is listed as an attached cache, but is none of this image")
    data, components = await asyncio.gather(place.blob(manifest.config, CONFIG_BYTES), _components(place, manifest))
    config = await place.decoded(decode_config, data)
    return Attached(digest=entry.digest, manifest=manifest, config=config, components=components)


async def _components(place: BoundedPlace, manifest: Manifest) -> Components | None:
    """They only explain: a cache without them is as good."""
    try:
        data = await read_small(place, manifest, COMPONENTS_MEDIA_TYPE)
        return await place.decoded(decode_components, data) if data is not None else None
    except (RegistryError, ContentError, ValueError, RecursionError):
        return None


async def read_small(place: BoundedPlace, manifest: Manifest, media_type: str) -> bytes | None:
    """The small layer of that type, decompressed; None if there is none. Raises what the place raises, and ValueError
    for what is too large or broken."""
    layer = next((layer for layer in manifest.layers if layer.media_type == media_type), None)
    if layer is None:
        return None
    if layer.size > _SMALL_BYTES:
        raise ValueError(f"{layer.digest} of {layer.size} bytes is larger than {_SMALL_BYTES}")
    plain = await place.decoded(_decompressed, await place.blob(layer, _SMALL_BYTES))
    place.spend(len(plain))
    return plain


def _decompressed(data: bytes) -> bytes:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    try:
        with decoder.stream_reader(io.BytesIO(data)) as reader:
            plain = reader.read(_DECOMPRESSED_BYTES + 1)
    except zstandard.ZstdError as error:
        raise ValueError(f"broken zstd data: {error}") from error
    if len(plain) > _DECOMPRESSED_BYTES:
        raise ValueError(f"more than {_DECOMPRESSED_BYTES} bytes when decompressed")
    return plain


def small_layer(data: bytes, media_type: str) -> tuple[Descriptor, bytes]:
    """The bytes as such a layer, the same for equal bytes."""
    import zstandard

    packed = zstandard.ZstdCompressor(level=10, write_checksum=False).compress(data)
    return Descriptor(media_type=media_type, digest=Digest.of(packed), size=len(packed)), packed
