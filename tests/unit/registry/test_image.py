"""From an index to the image for a platform."""

import json

import pytest
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    Manifest,
    MediaType,
    Platform,
    Reference,
)
from imagebuild_engine.host.registry import InvalidResponse, NotFound, choose_manifest, fetch_image

from tests.support.faults import FaultyRegistry

from .conftest import Connect

AMD64 = Platform.parse("linux/amd64")


def entry(platform: str | None, **annotations: str) -> Descriptor:
    return Descriptor(
        media_type=MediaType.OCI_MANIFEST,
        digest=Digest.of(f"{platform}{annotations}".encode()),
        size=1,
        platform=Platform.parse(platform) if platform else None,
        annotations={"vnd.docker.reference.type": annotations["kind"]} if annotations else {},
    )


def chosen(wanted: str, *offered: str | None) -> str | None:
    found = choose_manifest(Index(manifests=tuple(entry(item) for item in offered)), Platform.parse(wanted))
    return str(found.platform) if found else None


@pytest.mark.parametrize(
    ("wanted", "offered", "expected"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["windows/amd64"], None),
        ("linux/amd64", ["linux/amd64/v3"], None),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"),
        ("linux/arm64/v8", ["linux/arm64"], "linux/arm64"),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64"),
        ("linux/arm64", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/riscv64", [], None),
    ],
)
def test_the_best_variant_is_chosen(wanted: str, offered: list[str], expected: str | None) -> None:
    assert chosen(wanted, *offered) == expected


def test_the_first_of_equals_is_chosen() -> None:
    twins = [entry("linux/amd64"), entry("linux/amd64")]
    assert choose_manifest(Index(manifests=tuple(twins)), AMD64) is twins[0]


def test_attestations_are_no_images() -> None:
    attestation = entry("linux/amd64", kind="attestation-manifest")
    image = entry("linux/amd64")
    assert choose_manifest(Index(manifests=(entry("unknown/unknown"), attestation, image)), AMD64) is image
    assert choose_manifest(Index(manifests=(entry("unknown/unknown"), attestation)), AMD64) is None


def test_a_single_silent_entry_is_the_one() -> None:
    silent = entry(None)
    assert choose_manifest(Index(manifests=(silent, entry("unknown/unknown"))), AMD64) is silent
    assert choose_manifest(Index(manifests=(silent, silent)), AMD64) is None


def store(registry: FaultyRegistry, *, layers: int = 1, config: bytes | None = None) -> Manifest:
    layer = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(b"layer"), size=5)
    data = config if config is not None else ImageConfig(platform=AMD64, diff_ids=(layer.digest,)).encode()
    registry.add_blob("app", data)
    manifest = Manifest(
        config=Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(data), size=len(data)),
        layers=(layer,) * layers,
    )
    registry.add_manifest("app", "1", manifest.encode(), manifest.media_type)
    return manifest


def put_index(registry: FaultyRegistry, *manifests: Descriptor) -> Digest:
    index = Index(manifests=manifests)
    return registry.add_manifest("app", "1", index.encode(), index.media_type)


def described(manifest: Manifest, size: int | None = None) -> Descriptor:
    own = manifest.descriptor()
    return Descriptor(
        media_type=own.media_type, digest=own.digest, size=own.size if size is None else size, platform=AMD64
    )


async def test_an_image_is_fetched_without_its_layers(registry: FaultyRegistry, connect: Connect) -> None:
    manifest = store(registry)
    top = put_index(registry, described(manifest))
    ref = Reference.parse(f"{registry.host}/app:1")
    async with connect() as client:
        image = await fetch_image(client, ref, AMD64)
    assert image.reference == ref.with_digest(top)
    assert image.top_digest == top
    assert image.manifest == manifest
    assert image.manifest_descriptor.digest == manifest.descriptor().digest
    assert ImageConfig.parse(image.config_bytes) == image.config
    assert len(registry.seen) == 3


async def test_an_index_in_an_index_is_followed_but_not_for_ever(registry: FaultyRegistry, connect: Connect) -> None:
    manifest = store(registry)
    inner = described(manifest)
    ref = Reference.parse(f"{registry.host}/app:1")
    async with connect() as client:
        for depth in range(1, 5):
            data = Index(manifests=(inner,)).encode()
            registry.add_manifest("app", "1", data, MediaType.OCI_INDEX)
            inner = Descriptor(media_type=MediaType.OCI_INDEX, digest=Digest.of(data), size=len(data), platform=AMD64)
            if depth <= 3:
                assert (await fetch_image(client, ref, AMD64)).manifest == manifest
            else:
                with pytest.raises(InvalidResponse, match="indexes in each other"):
                    await fetch_image(client, ref, AMD64)


async def test_a_missing_platform_says_what_there_is(registry: FaultyRegistry, connect: Connect) -> None:
    put_index(registry, entry("linux/arm64"), entry("linux/s390x"), entry("unknown/unknown"))
    async with connect() as client:
        with pytest.raises(NotFound, match=r"no image for linux/amd64 \(it has linux/arm64, linux/s390x\)"):
            await fetch_image(client, Reference.parse(f"{registry.host}/app:1"), AMD64)


async def test_an_index_that_lies_about_a_size_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    put_index(registry, described(store(registry), size=7))
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="its index says 7"):
            await fetch_image(client, Reference.parse(f"{registry.host}/app:1"), AMD64)


@pytest.mark.parametrize("config", [b"not json", b"[]", json.dumps({"rootfs": {"diff_ids": ["x"]}}).encode()])
async def test_a_broken_config_is_refused(registry: FaultyRegistry, connect: Connect, config: bytes) -> None:
    store(registry, config=config)
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await fetch_image(client, Reference.parse(f"{registry.host}/app:1"), AMD64)


async def test_a_config_for_other_layers_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    store(registry, layers=2)
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="has 2 layers, its config describes 1"):
            await fetch_image(client, Reference.parse(f"{registry.host}/app:1"), AMD64)


async def test_an_artifact_is_no_image(registry: FaultyRegistry, connect: Connect) -> None:
    config = Descriptor(media_type="application/vnd.oci.empty.v1+json", digest=Digest.of(b"{}"), size=2)
    manifest = Manifest(config=config, layers=())
    registry.add_manifest("app", "1", manifest.encode(), manifest.media_type)
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="is no image"):
            await fetch_image(client, Reference.parse(f"{registry.host}/app:1"), AMD64)
