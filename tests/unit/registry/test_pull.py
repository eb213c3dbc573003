"""Reading from a registry that fails, lies, hangs and sends us elsewhere."""

from contextlib import aclosing

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, Manifest, MediaType, Reference
from imagebuild_engine.host.registry import (
    InvalidResponse,
    NotFound,
    RegistryClient,
    RegistryError,
    RegistryTimeout,
    Unavailable,
)

from tests.support.faults import Cut, FaultyRegistry, Forged, Hang, Longer, Status

from .conftest import Clock, Connect

DATA = bytes(range(256)) * 2000
LAYER = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(DATA), size=len(DATA))
MANIFEST = Manifest(
    config=Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(b"{}"), size=2), layers=(LAYER,)
)


def reference(registry: FaultyRegistry, tag: str = "1") -> Reference:
    return Reference.parse(f"{registry.host}/app:{tag}")


async def pulled(client: RegistryClient, ref: Reference, descriptor: Descriptor = LAYER) -> bytes:
    async with aclosing(client.open_blob(ref, descriptor)) as pieces:
        return b"".join([piece async for piece in pieces])


@pytest.fixture(autouse=True)
def content(registry: FaultyRegistry) -> None:
    registry.add_blob("app", DATA)
    registry.add_manifest("app", "1", MANIFEST.encode(), MANIFEST.media_type)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_temporary_failure_is_tried_again(
    registry: FaultyRegistry, connect: Connect, clock: Clock, status: int
) -> None:
    registry.fail("GET", "/manifests/", Status(status), times=2)
    async with connect() as client:
        descriptor, data = await client.manifest(reference(registry))
    assert (descriptor, data) == (MANIFEST.descriptor(), MANIFEST.encode())
    assert clock.pauses == [1.0, 2.0]


async def test_tries_come_to_an_end(registry: FaultyRegistry, connect: Connect, clock: Clock) -> None:
    registry.fail("GET", "/manifests/", Status(503), times=100)
    async with connect() as client:
        with pytest.raises(Unavailable) as caught:
            await client.manifest(reference(registry))
    assert caught.value.temporary
    assert len(registry.requests("GET")) == 4
    assert len(clock.pauses) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 418])
async def test_a_lasting_failure_is_not_tried_again(
    registry: FaultyRegistry, connect: Connect, clock: Clock, status: int
) -> None:
    registry.fail("GET", "/manifests/", Status(status), times=100)
    async with connect() as client:
        with pytest.raises(RegistryError) as caught:
            await client.manifest(reference(registry))
    assert caught.value.status == status
    assert not caught.value.temporary
    assert clock.pauses == []


async def test_retry_after_is_waited_for_but_not_for_ever(
    registry: FaultyRegistry, connect: Connect, clock: Clock
) -> None:
    registry.fail("GET", "/manifests/", Status(429, {"Retry-After": "11"}))
    registry.fail("GET", "/manifests/", Status(429, {"Retry-After": "99999"}))
    async with connect() as client:
        await client.manifest(reference(registry))
    assert clock.pauses == [11.0, 30.0]


async def test_a_lost_connection_is_tried_again(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/manifests/", Cut(head=False))
    registry.fail("GET", "/manifests/", Cut(after=10))
    async with connect() as client:
        assert (await client.manifest(reference(registry)))[1] == MANIFEST.encode()


async def test_a_registry_that_hangs_times_out(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/manifests/", Hang(), times=100)
    async with connect(read=0.05) as client:
        with pytest.raises(RegistryTimeout) as caught:
            await client.manifest(reference(registry))
    assert caught.value.temporary
    assert len(registry.requests("GET")) == 4


async def test_a_registry_that_is_not_there_is_unavailable(connect: Connect) -> None:
    async with FaultyRegistry() as gone:
        ref = reference(gone)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await client.resolve(ref)


async def test_resolve_asks_for_the_head_alone(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        assert await client.resolve(reference(registry)) == MANIFEST.descriptor()
        assert client.transfer.bytes_pulled == 0
    assert [seen.method for seen in registry.seen] == ["HEAD"]
    accepted = registry.seen[0].headers["accept"]
    for known in (MediaType.OCI_INDEX, MediaType.OCI_MANIFEST, MediaType.DOCKER_LIST, MediaType.DOCKER_MANIFEST):
        assert known in accepted


async def test_resolve_reads_the_manifest_where_the_head_tells_no_digest(
    registry: FaultyRegistry, connect: Connect
) -> None:
    registry.digest_headers = False
    async with connect() as client:
        assert await client.resolve(reference(registry)) == MANIFEST.descriptor()
    assert [seen.method for seen in registry.seen] == ["HEAD", "GET"]


async def test_resolve_reads_the_manifest_where_heads_are_refused(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("HEAD", "/manifests/", Status(405))
    async with connect() as client:
        assert await client.resolve(reference(registry)) == MANIFEST.descriptor()


async def test_a_missing_tag_is_not_found_by_one_request(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(NotFound):
            await client.resolve(reference(registry, "absent"))
    assert len(registry.seen) == 1


async def test_a_forged_manifest_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    pinned = reference(registry).with_digest(MANIFEST.descriptor().digest)
    registry.digest_headers = False
    registry.fail("GET", "/manifests/", Forged())
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await client.manifest(pinned)


async def test_a_manifest_that_belies_its_header_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/manifests/", Forged())
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="has digest"):
            await client.manifest(reference(registry))


async def test_a_head_with_another_digest_than_pinned_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    other = Digest.of(b"other")
    registry.manifests["app", other] = (MANIFEST.media_type, MANIFEST.encode())
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await client.resolve(reference(registry).with_digest(other))


@pytest.mark.parametrize("data", [b"not json", b"[]", b'{"schemaVersion": 1}'])
async def test_what_is_no_manifest_is_refused(registry: FaultyRegistry, connect: Connect, data: bytes) -> None:
    registry.add_manifest("app", "odd", data, MediaType.OCI_MANIFEST)
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await client.manifest(reference(registry, "odd"))


async def test_a_manifest_over_the_limit_is_not_read_to_its_end(registry: FaultyRegistry, connect: Connect) -> None:
    registry.add_manifest("app", "huge", b" " * (32 << 20), MediaType.OCI_MANIFEST)
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="more than 4194304 bytes"):
            await client.manifest(reference(registry, "huge"))
        assert client.transfer.bytes_pulled < 5 << 20


async def test_an_error_page_is_read_only_in_part(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/manifests/", Status(400, {}, b"x" * (32 << 20)))
    async with connect() as client:
        with pytest.raises(RegistryError):
            await client.manifest(reference(registry))
        assert client.transfer.bytes_pulled < 1 << 20


async def test_a_broken_download_goes_on_where_it_broke(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Cut(after=100_000))
    registry.fail("GET", "/blobs/", Cut(after=50_000))
    async with connect() as client:
        assert await pulled(client, reference(registry)) == DATA
        assert client.transfer.bytes_pulled == len(DATA)
    ranges = [seen.headers.get("range") for seen in registry.requests("GET", "/blobs/")]
    assert ranges == [None, "bytes=100000-", "bytes=150000-"]


async def test_a_download_goes_on_without_ranges_too(registry: FaultyRegistry, connect: Connect) -> None:
    registry.ranges = False
    registry.fail("GET", "/blobs/", Cut(after=100_000))
    async with connect() as client:
        assert await pulled(client, reference(registry)) == DATA


async def test_a_download_that_never_gets_on_ends(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Cut(after=1), times=1000)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await pulled(client, reference(registry))
    assert len(registry.requests("GET", "/blobs/")) == 4


async def test_a_range_nobody_asked_for_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Cut(after=1000))
    registry.fail("GET", "/blobs/", Status(206, {"Content-Range": f"bytes 0-9/{len(DATA)}"}, DATA[:10]))
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await pulled(client, reference(registry))


async def test_nobody_sees_the_end_of_a_forged_blob(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Forged())
    seen = 0
    async with connect() as client, aclosing(client.open_blob(reference(registry), LAYER)) as pieces:
        with pytest.raises(InvalidResponse, match="has digest") as caught:  # noqa: PT012 (counts until it raises)
            while True:
                seen += len(await anext(pieces))
    assert seen < len(DATA)
    assert not caught.value.temporary
    assert len(registry.requests("GET", "/blobs/")) == 1


async def test_a_blob_that_goes_on_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Longer())
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="longer than"):
            await pulled(client, reference(registry))


async def test_a_blob_that_is_too_short_is_refused(registry: FaultyRegistry, connect: Connect) -> None:
    registry.blobs["app"][LAYER.digest] = DATA[:-1]
    async with connect() as client:
        with pytest.raises(InvalidResponse, match=f"instead of {len(DATA)}"):
            await pulled(client, reference(registry))


async def test_an_empty_blob_is_a_blob(registry: FaultyRegistry, connect: Connect) -> None:
    digest = registry.add_blob("app", b"")
    empty = Descriptor(media_type=MediaType.OCI_LAYER, digest=digest, size=0)
    async with connect() as client:
        assert await pulled(client, reference(registry), empty) == b""


async def test_a_blob_over_the_callers_limit_is_not_asked_for(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="larger than 10"):
            await client.blob(reference(registry), LAYER, limit=10)
        assert await client.blob(reference(registry), LAYER, limit=len(DATA)) == DATA
    assert len(registry.seen) == 1


async def test_has_blob_tells_what_is_there(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        assert await client.has_blob(reference(registry), LAYER.digest)
        assert not await client.has_blob(reference(registry), Digest.of(b"absent"))


async def test_a_redirect_is_followed(registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect) -> None:
    elsewhere.add_blob("store", DATA)
    target = f"http://{elsewhere.host}/v2/store/blobs/{LAYER.digest}?signature=hidden"
    registry.fail("GET", "/blobs/", Status(307, {"Location": target}), times=2)
    elsewhere.fail("GET", "/blobs/", Cut(after=1000))
    async with connect() as client:
        assert await pulled(client, reference(registry)) == DATA
    assert [seen.headers.get("range") for seen in elsewhere.seen] == [None, "bytes=1000-"]


async def test_a_redirects_signature_is_not_in_the_error(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    target = f"http://me:hidden@{elsewhere.host}/v2/store/blobs/{LAYER.digest}?signature=hidden"
    registry.fail("GET", "/blobs/", Status(307, {"Location": target}))
    async with connect() as client:
        with pytest.raises(NotFound) as caught:
            await pulled(client, reference(registry))
    assert "hidden" not in str(caught.value)
    assert elsewhere.host in caught.value.request
    assert "authorization" not in elsewhere.seen[0].headers


async def test_redirects_in_a_circle_end(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/blobs/", Status(307, {"Location": f"/v2/app/blobs/{LAYER.digest}"}), times=1000)
    async with connect() as client:
        with pytest.raises(InvalidResponse, match="redirects"):
            await pulled(client, reference(registry))
    assert len(registry.seen) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http:///x", "ftp://example/x"])
async def test_a_redirect_to_no_web_address_is_refused(
    registry: FaultyRegistry, connect: Connect, location: str
) -> None:
    registry.fail("GET", "/blobs/", Status(307, {"Location": location}))
    async with connect() as client:
        with pytest.raises(RegistryError):
            await pulled(client, reference(registry))


async def test_an_insecure_registry_without_tls_is_spoken_to_plainly(
    registry: FaultyRegistry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is the only host there is here, so it is made to count as another."""
    monkeypatch.setattr("imagebuild_engine.host.registry.endpoint.is_loopback", lambda _: False)
    async with connect(insecure={registry.host}) as client:
        assert await client.resolve(reference(registry)) == MANIFEST.descriptor()
        assert await client.resolve(reference(registry)) == MANIFEST.descriptor()
    assert [seen.path for seen in registry.seen].count("/v2/") == 1


async def test_a_registry_without_tls_is_not_trusted_by_default(
    registry: FaultyRegistry, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imagebuild_engine.host.registry.endpoint.is_loopback", lambda _: False)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await client.resolve(reference(registry))
    assert registry.seen == []
