"""Digests, platforms, manifests and configs: what comes from strangers is a value or an error, never anything else."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    Healthcheck,
    HistoryEntry,
    ImageConfig,
    Index,
    InvalidDigest,
    InvalidImageConfig,
    InvalidManifest,
    InvalidPlatform,
    Manifest,
    MediaType,
    Platform,
    RunConfig,
    go_json,
    parse_manifest,
)

A, B = Digest.of(b"a"), Digest.of(b"b")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def test_a_digest_is_checked_once_and_then_is_a_string() -> None:
    assert Digest.parse(str(A)) == A
    assert (A.algorithm, len(A.hex)) == ("sha256", 64)
    for wrong in ("", "sha256:", "sha256:" + "A" * 64, "md5:" + "0" * 32, None, 7, A + "\n"):
        with pytest.raises(InvalidDigest):
            Digest.parse(wrong)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/6", "linux/arm/v6"),
        ("Linux/ARMHF", "linux/arm/v7"),
    ],
)
def test_platforms_are_normalised_as_keys_spell_them(text: str, normal: str) -> None:
    assert str(Platform.parse(text)) == normal


@pytest.mark.parametrize("text", ["", "linux", "linux/", "a/b/c/d", "linux/am d64"])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(InvalidPlatform):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, b'{"b":1,"a":[true,null]}'),
        ("<a&b>", b'"\\u003ca\\u0026b\\u003e"'),
        ("\u2028\u2029\x7f", b'"\\u2028\\u2029\x7f"'),
        ('\x00\x1f\n\r\t"\\', b'"\\u0000\\u001f\\n\\r\\t\\"\\\\"'),
        ("é😀", '"é😀"'.encode()),
        (2**63, b"9223372036854775808"),
    ],
)
def test_json_is_what_go_writes(value: object, text: bytes) -> None:
    assert go_json(value) == text


def test_json_has_no_canonical_floats() -> None:
    with pytest.raises(TypeError):
        go_json({"a": [1.5]})


def test_a_manifest_survives_the_round_trip() -> None:
    config = Descriptor(media_type=MediaType.OCI_CONFIG, digest=A, size=3)
    layer = Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=B, size=9, annotations={"z": "1", "a": "2"})
    manifest = Manifest(config=config, layers=(layer,), subject=config, artifact_type="x/y", annotations={"k": "v"})
    assert parse_manifest(manifest.encode(), MediaType.OCI_MANIFEST) == manifest
    index = Index(manifests=(Descriptor(media_type="", digest=A, size=1, platform=Platform("linux", "arm64")),))
    assert parse_manifest(index.encode()) == index


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schemaVersion": 1}, "schema version 1"),
        ({"layers": {}}, "layers must be a list"),
        ({"config": None}, "descriptor must be an object"),
        ({"layers": [{"digest": "x", "size": 1}]}, "not a digest"),
        ({"layers": [{"digest": A, "size": -1}]}, "size must be"),
        ({"layers": [{"digest": A, "size": True}]}, "size must be"),
        ({"mediaType": MediaType.OCI_INDEX}, "was delivered as"),
        ({"annotations": {"a": 1}}, "annotations must map"),
        ({"layers": [{"digest": A, "size": 1}] * 5000}, "more than 4096"),
    ],
)
def test_a_broken_manifest_says_what_is_wrong(change: dict[str, object], complaint: str) -> None:
    good = {"schemaVersion": 2, "config": {"digest": A, "size": 1}, "layers": []}
    with pytest.raises(InvalidManifest, match=complaint):
        parse_manifest(json.dumps(good | change).encode(), MediaType.OCI_MANIFEST)


@given(JSON | st.binary(max_size=40))
def test_any_bytes_are_a_manifest_or_an_invalid_one(value: object) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with suppress(InvalidManifest):
        parse_manifest(data)


@given(JSON)
def test_any_json_in_any_member_is_a_config_or_an_invalid_one(value: object) -> None:
    for member in ("config", "rootfs", "history", "created", "os.features", "moby.buildkit.cache.v0", "architecture"):
        with suppress(InvalidImageConfig):
            ImageConfig.parse(json.dumps({"os": "linux", member: value}).encode())


def test_a_config_survives_the_round_trip_with_every_member() -> None:
    config = ImageConfig(
        platform=Platform("linux", "arm", "v7"),
        config=RunConfig(
            user="me",
            exposed_ports=frozenset({"80/tcp"}),
            env=("A=1", "B=<2>"),
            entrypoint=("/e",),
            cmd=("c",),
            healthcheck=Healthcheck(
                test=("CMD", "x"), interval=1, timeout=2, start_period=3, start_interval=4, retries=5
            ),
            args_escaped=True,
            volumes=frozenset({"/v"}),
            working_dir="/w",
            labels={"l": "1"},
            on_build=("RUN x",),
            stop_signal="SIGTERM",
            shell=("/bin/bash", "-c"),
        ),
        diff_ids=(A, B),
        history=(HistoryEntry(created="2026-01-01T00:00:00Z", created_by="x", comment="c", empty_layer=True),),
        created="2026-01-01T00:00:00.123456789Z",
        author="a",
        inline_cache=b"[]",
    )
    assert ImageConfig.parse(config.encode()) == config
    assert ImageConfig.parse(config.encode()).encode() == config.encode()
    assert list(json.loads(config.encode())) == sorted(json.loads(config.encode()))


def test_a_cache_field_that_is_no_base64_does_not_spoil_the_image() -> None:
    config = ImageConfig.parse(b'{"os":"linux","architecture":"amd64","moby.buildkit.cache.v0":"!!"}')
    assert config.inline_cache == b"not base64"
