"""What lies at a cache source, in all its shapes and broken in all the ways that we know."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from imagebuild_engine.build.artifact import cache_artifact
from imagebuild_engine.build.cache_source import DIFF_ID, FoundCache, read_caches
from imagebuild_engine.core.cache import (
    NO_PARENT,
    CacheConfig,
    LayerResult,
    LayerTable,
    Record,
    encode_config,
)
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    ImageConfig,
    Manifest,
    MediaType,
    Platform,
)

from tests.support.cache_shelf import AMD64, ARM64, NOON, Shelf, diff_id, layer, listed, put_image, put_index

UNKNOWN = Platform("unknown", "unknown")


def keys(caches: tuple[FoundCache, ...]) -> set[Digest]:
    return {record.digest for cache in caches for record in cache.records}


async def test_the_records_of_all_platforms_are_read_each_with_its_layers() -> None:
    shelf = Shelf()
    put_index(shelf, put_image(shelf, AMD64, "a"), put_image(shelf, ARM64, "b", layers=("other",)))
    found = await read_caches(shelf)
    assert {cache.platform: [item.descriptor.digest for item in cache.layers.values()] for cache in found.caches} == {
        AMD64: [layer("base").digest, layer("top").digest],
        ARM64: [layer("other").digest],
    }
    assert keys(found.caches) == {Digest.of(b"a"), Digest.of(b"b")}
    assert found.caches[0].made_by == {0: "RUN base", 1: "RUN top"}


async def test_what_is_no_image_or_not_there_does_no_harm() -> None:
    shelf = Shelf()
    image = put_image(shelf, AMD64, "a")
    attestation = replace(layer("attestation"), media_type=MediaType.OCI_MANIFEST, platform=UNKNOWN)
    artifact = shelf.put(
        Manifest(config=replace(layer("config"), media_type="application/x"), layers=()).encode(),
        MediaType.OCI_MANIFEST,
    )
    absent = replace(layer("gone"), media_type=MediaType.OCI_MANIFEST, platform=ARM64)
    foreign = replace(layer("what"), media_type="application/x")
    nested = put_index(shelf, image, put_image(shelf, ARM64, "b"))
    put_index(shelf, attestation, artifact, absent, foreign, nested, image)
    found = await read_caches(shelf)
    assert keys(found.caches) == {Digest.of(b"a"), Digest.of(b"b")}
    assert attestation.digest not in shelf.taken
    assert foreign.digest not in shelf.taken


async def test_an_image_without_records_is_a_cache_that_says_nothing() -> None:
    shelf = Shelf()
    put_image(shelf, AMD64, "a", cached=False)
    (cache,) = (await read_caches(shelf)).caches
    assert (cache.records, len(cache.layers)) == ((), 2)


def put_cache(shelf: Shelf, layers: list[Descriptor], *, image_manifest: bool = True, oci: bool = True) -> None:
    """Three stacks: base, base on top, twin on base."""
    blobs = tuple(layer(name).digest for name in ("base", "top", "top"))
    table = LayerTable((NO_PARENT, 0, 1))
    records = tuple(Record(Digest.of(str(place).encode()), results=(LayerResult(place, NOON),)) for place in range(3))
    config = encode_config(CacheConfig(blobs=blobs, table=table, records=records))
    artifact = cache_artifact(config, layers, image_manifest=image_manifest, oci_media_types=oci)
    shelf.put(config, artifact.config.media_type)
    shelf.put(artifact.manifest, artifact.media_type)


@pytest.mark.parametrize(("image_manifest", "oci"), [(True, True), (False, True), (False, False)])
async def test_a_cache_is_read_in_each_of_its_shapes(image_manifest: bool, oci: bool) -> None:
    shelf = Shelf()
    later = NOON.replace("12", "13")
    put_cache(shelf, [listed("base"), listed("top"), listed("top", later)], image_manifest=image_manifest, oci=oci)
    (cache,) = (await read_caches(shelf)).caches
    assert [cache.layers[place].created for place in range(3)] == [NOON, NOON, later]
    assert [cache.layers[place].diff_id for place in range(3)] == [diff_id(name) for name in ("base", "top", "top")]
    assert all(record.result for record in cache.records)
    assert cache.platform is None


@pytest.mark.parametrize(
    ("layers", "usable"),
    [
        ([listed("base"), listed("top")], [True, True, True]),  # listed once, used twice
        ([listed("base")], [True, False, False]),
        ([listed("top")], [False, False, False]),
        ([listed("base"), layer("top")], [True, False, False]),  # nobody says what it is uncompressed
        ([listed("base"), layer("top", **{DIFF_ID: "sha256:no"})], [True, False, False]),
        ([listed("base"), replace(listed("top"), media_type="application/x")], [True, False, False]),
    ],
)
async def test_results_with_layers_that_cannot_be_had_are_no_results(
    layers: list[Descriptor], usable: list[bool]
) -> None:
    shelf = Shelf()
    put_cache(shelf, layers)
    (cache,) = (await read_caches(shelf)).caches
    assert [record.result is not None for record in cache.records] == usable


async def test_a_time_that_is_none_is_left_out() -> None:
    shelf = Shelf()
    put_cache(shelf, [listed("base", "yesterday\n"), listed("top")])
    (cache,) = (await read_caches(shelf)).caches
    assert cache.layers[0].created == ""


def broken_records(shelf: Shelf) -> None:
    config = ImageConfig(platform=AMD64, diff_ids=(diff_id("base"),), inline_cache=b"[{}]")
    described = shelf.put(config.encode(), MediaType.OCI_CONFIG)
    shelf.put(Manifest(config=described, layers=(layer("base"),)).encode(), MediaType.OCI_MANIFEST)


def fewer_layers_than_the_config_knows(shelf: Shelf) -> None:
    config = ImageConfig(platform=AMD64, diff_ids=(diff_id("base"),))
    described = shelf.put(config.encode(), MediaType.OCI_CONFIG)
    shelf.put(Manifest(config=described, layers=()).encode(), MediaType.OCI_MANIFEST)


def indexes_in_each_other(shelf: Shelf) -> None:
    entry = put_image(shelf, AMD64, "a")
    for _ in range(4):
        entry = put_index(shelf, entry)


def too_many_images(shelf: Shelf) -> None:
    put_index(shelf, *(replace(layer(str(n)), media_type=MediaType.OCI_MANIFEST) for n in range(101)))


def a_config_that_is_none(shelf: Shelf) -> None:
    artifact = cache_artifact(b"[]", [listed("base")], image_manifest=True, oci_media_types=True)
    shelf.put(b"[]", artifact.config.media_type)
    shelf.put(artifact.manifest, artifact.media_type)


def no_manifest(shelf: Shelf) -> None:
    shelf.put(b"[" * 100_000, MediaType.OCI_MANIFEST)


@pytest.mark.parametrize(
    "put",
    [
        broken_records,
        fewer_layers_than_the_config_knows,
        indexes_in_each_other,
        too_many_images,
        a_config_that_is_none,
        no_manifest,
    ],
)
async def test_what_is_broken_is_refused(put: Callable[[Shelf], None]) -> None:
    shelf = Shelf()
    put(shelf)
    with pytest.raises(ValueError, match="."):  # each parser has a kind of its own
        await read_caches(shelf)
