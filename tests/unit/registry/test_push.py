"""Writing to a registry that refuses, breaks off and forgets."""

from pathlib import Path

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType, Reference
from imagebuild_engine.host.registry import RegistryError, Unavailable
from imagebuild_engine.host.registry import upload as upload_module

from tests.support.faults import CutUpload, FaultyRegistry, Lost, Status

from .conftest import Clock, Connect

DATA = bytes(range(256)) * 40
LAYER = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(DATA), size=len(DATA))


def reference(registry: FaultyRegistry, name: str = "app") -> Reference:
    return Reference.parse(f"{registry.host}/{name}:1")


def methods(registry: FaultyRegistry) -> list[str]:
    return [seen.method for seen in registry.seen]


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    file = tmp_path / "blob"
    file.write_bytes(DATA)
    return file


async def test_a_blob_goes_up_in_one_request(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
        assert client.transfer.bytes_pushed == len(DATA)
    assert methods(registry) == ["HEAD", "POST", "PUT"]
    assert registry.blobs["app"][LAYER.digest] == DATA
    assert registry.requests("PUT")[0].headers["content-length"] == str(len(DATA))


async def test_an_empty_blob_goes_up(registry: FaultyRegistry, connect: Connect) -> None:
    empty = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(b""), size=0)
    async with connect() as client:
        assert await client.push_blob(reference(registry), empty, b"") == "uploaded"


async def test_a_mount_saves_the_upload(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    registry.add_blob("base", DATA)
    async with connect() as client:
        outcome = await client.push_blob(reference(registry), LAYER, blob, mount_from=["app", "other", "base"])
    assert outcome == "mounted"
    assert "PUT" not in methods(registry)
    assert registry.uploads == {}  # what the vain attempt began is ended


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_a_refused_mount_becomes_an_upload(
    registry: FaultyRegistry, connect: Connect, blob: Path, status: int
) -> None:
    registry.fail("POST", "mount=", Status(status))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob, mount_from=["base"]) == "uploaded"


@pytest.mark.parametrize("status", [400, 405, 411, 413, 415, 501])
async def test_a_registry_that_takes_no_whole_blob_gets_chunks(
    registry: FaultyRegistry, connect: Connect, blob: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(upload_module, "CHUNK", 4000)
    registry.fail("PUT", "/blobs/uploads/", Status(status))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert registry.blobs["app"][LAYER.digest] == DATA
    ranges = [seen.headers["content-range"] for seen in registry.requests("PATCH")]
    assert ranges == ["0-3999", "4000-7999", "8000-10239"]


async def test_chunks_are_as_large_as_the_registry_wants(
    registry: FaultyRegistry, connect: Connect, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_module, "CHUNK", 10)
    registry.uploads["mine"] = bytearray()
    place = {"Location": "/v2/app/blobs/uploads/mine", "OCI-Chunk-Min-Length": "9000"}
    registry.fail("POST", "/blobs/uploads/", Status(202, place), times=2)
    registry.fail("PUT", "/blobs/uploads/", Status(413))
    async with connect() as client:
        await client.push_blob(reference(registry), LAYER, blob)
    assert [len(seen.body) for seen in registry.requests("PATCH")] == [9000, len(DATA) - 9000]


async def test_a_broken_upload_goes_on_where_it_broke(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    registry.fail("PUT", "/blobs/uploads/", CutUpload(after=3000))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert registry.blobs["app"][LAYER.digest] == DATA
    assert registry.requests("PATCH")[0].headers["content-range"] == "3000-10239"


async def test_a_broken_chunk_goes_on_where_it_broke(
    registry: FaultyRegistry, connect: Connect, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_module, "CHUNK", 4000)
    registry.fail("PUT", "/blobs/uploads/", Status(413))
    registry.fail("PATCH", "/blobs/uploads/", CutUpload(after=1500))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert registry.blobs["app"][LAYER.digest] == DATA


async def test_a_single_byte_that_arrived_is_not_doubled(
    registry: FaultyRegistry, connect: Connect, blob: Path
) -> None:
    """`Range: 0-0` means one byte, or none."""
    registry.fail("PUT", "/blobs/uploads/", CutUpload(after=1))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert registry.blobs["app"][LAYER.digest] == DATA


async def test_a_lost_answer_is_no_second_upload(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    registry.fail("PUT", "/blobs/uploads/", Lost())
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
        assert client.transfer.bytes_pushed == len(DATA)


async def test_a_forgotten_session_is_begun_anew(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    registry.fail("PUT", "/blobs/uploads/", Status(404, {}, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}'))
    async with connect() as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert registry.blobs["app"][LAYER.digest] == DATA


async def test_an_upload_that_does_not_grow_ends(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    place = {"Location": "/v2/app/blobs/uploads/stuck", "Range": "0-0"}
    registry.fail("PUT", "/blobs/uploads/", Status(413))
    registry.fail("PATCH", "/blobs/uploads/", Status(202, place), times=1000)
    registry.uploads["stuck"] = bytearray()
    async with connect() as client:
        with pytest.raises(RegistryError):
            await client.push_blob(reference(registry), LAYER, blob)
    assert len(registry.requests("PATCH")) <= 4


async def test_uploads_that_always_break_end(
    registry: FaultyRegistry, connect: Connect, clock: Clock, blob: Path
) -> None:
    registry.fail("PUT", "/blobs/uploads/", Status(503), times=1000)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await client.push_blob(reference(registry), LAYER, blob)
    assert len(registry.requests("PUT")) == 4
    assert clock.pauses == [1.0, 2.0, 4.0]


async def test_a_denied_upload_is_not_tried_again(registry: FaultyRegistry, connect: Connect, blob: Path) -> None:
    registry.fail("POST", "/blobs/uploads/", Status(403), times=1000)
    async with connect() as client:
        with pytest.raises(RegistryError) as caught:
            await client.push_blob(reference(registry), LAYER, blob)
    assert caught.value.status == 403
    assert len(registry.requests("POST")) == 1


async def test_another_digest_is_refused_once(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(RegistryError) as caught:
            await client.push_blob(reference(registry), LAYER, b"x" * len(DATA))
    assert caught.value.code == "DIGEST_INVALID"
    assert len(registry.requests("PUT")) == 1


async def test_a_source_of_another_size_is_not_sent(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(ValueError, match="source has 5 bytes"):
            await client.push_blob(reference(registry), LAYER, b"short")
    assert "POST" not in methods(registry)


async def test_a_session_elsewhere_gets_no_credentials(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect, blob: Path
) -> None:
    from imagebuild_engine.host.registry import Credentials

    from .conftest import Known

    elsewhere.uploads["there"] = bytearray()
    registry.challenge = 'Basic realm="x"'
    registry.tokens = {"Basic bWU6d29yZA==": "me"}
    place = {"Location": f"http://{elsewhere.host}/v2/app/blobs/uploads/there?key=1"}
    registry.fail("POST", "/blobs/uploads/", Status(202, place))
    async with connect(Known(everywhere=Credentials(username="me", password="word"))) as client:
        assert await client.push_blob(reference(registry), LAYER, blob) == "uploaded"
    assert elsewhere.blobs["app"][LAYER.digest] == DATA
    assert all("authorization" not in seen.headers for seen in elsewhere.seen)


async def test_a_manifest_is_stored_under_its_tag(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("PUT", "/manifests/", Status(503))
    async with connect() as client:
        descriptor = await client.push_manifest(reference(registry), b'{"a": 1}', MediaType.OCI_MANIFEST)
    assert descriptor == Descriptor(media_type=MediaType.OCI_MANIFEST, digest=Digest.of(b'{"a": 1}'), size=8)
    assert registry.manifests["app", "1"] == (MediaType.OCI_MANIFEST, b'{"a": 1}')


async def test_a_manifest_that_does_not_fit_its_reference_stays_here(
    registry: FaultyRegistry, connect: Connect
) -> None:
    async with connect() as client:
        with pytest.raises(ValueError, match="has digest"):
            await client.push_manifest(
                reference(registry).with_digest(Digest.of(b"other")), b"{}", MediaType.OCI_MANIFEST
            )
    assert registry.seen == []
