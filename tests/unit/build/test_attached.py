"""Attached caches as they are read: found, checked, bounded, and never to the harm of what the image says itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard
from imagebuild_engine.build import attached
from imagebuild_engine.build.attached import ARTIFACT_TYPE, find_attached, read_small, small_layer
from imagebuild_engine.build.bounded_place import BoundedPlace
from imagebuild_engine.build.cache_source import FoundCache, read_caches
from imagebuild_engine.core.cache import (
    CONFIG_MEDIA_TYPE,
    NO_PARENT,
    CacheConfig,
    LayerResult,
    LayerTable,
    Link,
    Record,
    encode_config,
)
from imagebuild_engine.core.explain import COMPONENTS_MEDIA_TYPE, Components, StepComponents, encode_components
from imagebuild_engine.core.oci import CREATED_ANNOTATION, Descriptor, Digest, Manifest, MediaType
from imagebuild_engine.host.registry import Unavailable

from tests.support.cache_shelf import AMD64, NOON, Shelf, layer, listed, put_image

KNOWN = Components(
    steps=(StepComponents(stage="build", instruction="RUN make", keys=(Digest.of(b"make"),), seconds=7.0),)
)


def key(name: str) -> Digest:
    return Digest.of(name.encode())


def attach(
    shelf: Shelf,
    image: Descriptor,
    step: str = "builder",
    *,
    made: str = NOON,
    subject: Descriptor | None = None,
    kind: str = ARTIFACT_TYPE,
    config: bytes | None = None,
    components: bytes | None = None,
) -> Descriptor:
    """A cache with one step of another stage, and the image's own ("a") on the image's layers."""
    blobs = tuple(layer(name).digest for name in ("base", "top", "builder"))
    records = (
        Record(key("a"), results=(LayerResult(1, NOON),)),
        Record(key("source")),
        Record(key(step), inputs=((Link(1),),), results=(LayerResult(2, NOON),)),
    )
    described = CacheConfig(blobs=blobs, table=LayerTable((NO_PARENT, 0, 0)), records=records)
    data = encode_config(described.normalized()[0]) if config is None else config
    small = small_layer(components if components is not None else encode_components(KNOWN), COMPONENTS_MEDIA_TYPE)
    manifest = Manifest(
        config=shelf.put(data, CONFIG_MEDIA_TYPE),
        layers=(listed("base"), listed("top"), listed("builder"), shelf.put(small[1], COMPONENTS_MEDIA_TYPE)),
        subject=subject or image,
        artifact_type=kind,
        annotations={CREATED_ANNOTATION: made},
    )
    entry = shelf.put(manifest.encode(), MediaType.OCI_MANIFEST)
    entry = replace(entry, artifact_type=kind, annotations=manifest.annotations)
    shelf.referring.append(entry)
    shelf.first = image
    return entry


def shelf_with_image() -> tuple[Shelf, Descriptor]:
    shelf = Shelf()
    return shelf, replace(put_image(shelf, AMD64, "a"), platform=None)


async def only(shelf: Shelf) -> FoundCache:
    (cache,) = (await read_caches(shelf)).caches
    return cache


async def test_its_records_come_with_the_images_and_what_both_have_is_one() -> None:
    shelf, image = shelf_with_image()
    entry = attach(shelf, image)
    cache = await only(shelf)
    assert sorted(record.digest for record in cache.records) == sorted(key(name) for name in ("a", "source", "builder"))
    own, builder = (next(record for record in cache.records if record.digest == key(name)) for name in ("a", "builder"))
    assert own.result == LayerResult(1, NOON)  # the image's own layer, not that of the attached cache
    assert builder.result is not None
    layers = [cache.layers[place].descriptor.digest for place in cache.table.layers(builder.result)]
    assert layers == [layer("base").digest, layer("builder").digest]
    assert (cache.components, cache.platform, cache.digest) == (KNOWN, AMD64, image.digest)
    assert cache.attached is not None
    assert cache.attached.digest == entry.digest
    assert len(cache.attached.layers) == 3


async def test_of_several_the_newest_that_is_one_is_read() -> None:
    shelf, image = shelf_with_image()
    attach(shelf, image, "old", made="2024-01-01T00:00:00Z")
    attach(shelf, image, "new", made="2024-01-03T00:00:00.5Z")
    attach(shelf, image, "half a second before", made="2024-01-03T00:00:00Z")
    attach(shelf, image, "of no time", made="tomorrow")
    attach(shelf, image, "middle", made="2024-01-02T00:00:00Z")
    attach(shelf, image, "newest", made="2024-01-04T00:00:00Z", subject=layer("another image"))
    gone = attach(shelf, image, "gone", made="2024-01-05T00:00:00Z")
    del shelf.blobs[gone.digest]
    found = await find_attached(BoundedPlace(shelf), image.digest)
    assert found is not None
    assert key("new") in {record.digest for record in found.config.records}


def of_another_image(shelf: Shelf, image: Descriptor) -> None:
    attach(shelf, image, subject=layer("another image"))


def of_another_kind(shelf: Shelf, image: Descriptor) -> None:
    entry = attach(shelf, image, kind="application/x")
    shelf.referring[-1] = replace(entry, artifact_type=ARTIFACT_TYPE)


def with_a_broken_config(shelf: Shelf, image: Descriptor) -> None:
    attach(shelf, image, config=b"[" * 100_000)


def with_records_in_a_loop(shelf: Shelf, image: Descriptor) -> None:
    attach(shelf, image, config=b'{"records":[{"digest":"%s","inputs":[[{"link":0}]]}]}' % key("x").encode())


def an_image(shelf: Shelf, image: Descriptor) -> None:
    shelf.referring.append(image)


@pytest.mark.parametrize(
    "put", [of_another_image, of_another_kind, with_a_broken_config, with_records_in_a_loop, an_image]
)
async def test_what_is_broken_leaves_the_image_as_it_was_and_is_told(put: Callable[[Shelf, Descriptor], None]) -> None:
    shelf, image = shelf_with_image()
    put(shelf, image)
    cache = await only(shelf)
    assert [record.digest for record in cache.records] == [key("a")]
    assert (cache.attached, "attached cache cannot be read" in cache.problem) == (None, True)


class Late(Shelf):
    """Does not say what refers to an image."""

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        await asyncio.Event().wait()
        return ()


class Refusing(Shelf):
    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        raise Unavailable("registry.test", "overloaded")


async def test_what_does_not_come_in_time_is_not_waited_for() -> None:
    shelf = Late()
    put_image(shelf, AMD64, "a")
    (cache,) = (await read_caches(shelf, asyncio.get_running_loop().time())).caches
    assert (len(cache.records), cache.problem) == (1, "the attached cache did not come in time")


async def test_a_registry_that_fails_at_it_is_still_a_source() -> None:
    shelf = Refusing()
    put_image(shelf, AMD64, "a")
    cache = await only(shelf)
    assert (len(cache.records), "overloaded" in cache.problem) == (1, True)


@pytest.mark.parametrize("components", [b"{", b"[" * 100_000, b'{"version":1,"steps":[7]}'])
async def test_broken_components_cost_the_explanation_only(components: bytes) -> None:
    shelf, image = shelf_with_image()
    attach(shelf, image, components=components)
    cache = await only(shelf)
    assert (len(cache.records), cache.components, cache.problem) == (3, None, "")


async def test_small_layers_are_bounded_before_and_after_they_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "_DECOMPRESSED_BYTES", 1000)
    shelf = Shelf()

    async def read(data: bytes, size: int = 0) -> bytes | None:
        entry = replace(shelf.put(data, COMPONENTS_MEDIA_TYPE), size=size or len(data))
        manifest = Manifest(config=layer("config"), layers=(layer("x"), entry))
        return await read_small(BoundedPlace(shelf), manifest, COMPONENTS_MEDIA_TYPE)

    assert await read(small_layer(b"x" * 1000, COMPONENTS_MEDIA_TYPE)[1]) == b"x" * 1000
    for bomb in (b"x" * 1001, bytes(50_000_000)):
        with pytest.raises(ValueError, match="when decompressed"):
            await read(small_layer(bomb, COMPONENTS_MEDIA_TYPE)[1])
    with pytest.raises(ValueError, match="broken zstd"):
        await read(b"not zstd at all")
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    ).compressobj()
    with pytest.raises(ValueError, match="broken zstd"):
        await read(wide.compress(bytes(200)) + wide.flush())
    with pytest.raises(ValueError, match="larger than"):
        await read(b"x", size=5 << 20)
    assert (
        await read_small(BoundedPlace(shelf), Manifest(config=layer("config"), layers=()), COMPONENTS_MEDIA_TYPE)
        is None
    )
