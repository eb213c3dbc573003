"""A client for what is worth nothing after a moment: its pauses, counted on a clock of the test's, never go beyond."""

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, Manifest, MediaType, Reference
from imagebuild_engine.host.registry import InvalidResponse, Unavailable

from tests.support.faults import FaultyRegistry, Status

from .conftest import Clock, Connect

MANIFEST = Manifest(config=Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(b"{}"), size=2), layers=())


@pytest.fixture(autouse=True)
def content(registry: FaultyRegistry, elsewhere: FaultyRegistry) -> None:
    for place in (registry, elsewhere):
        place.add_manifest("app", "1", MANIFEST.encode(), MANIFEST.media_type)


def reference(registry: FaultyRegistry) -> Reference:
    return Reference.parse(f"{registry.host}/app:1")


@pytest.mark.parametrize(("seconds", "pauses"), [(0.5, []), (1.5, [1.0]), (3.5, [1.0, 2.0]), (1e9, [1.0, 2.0, 4.0])])
async def test_no_pause_goes_beyond_the_deadline(
    registry: FaultyRegistry, connect: Connect, clock: Clock, seconds: float, pauses: list[float]
) -> None:
    registry.fail("GET", "/manifests/", Status(503), times=100)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await client.until(client.now() + seconds).manifest(reference(registry))
    assert clock.pauses == pauses


async def test_a_wish_for_a_long_pause_ends_the_tries(registry: FaultyRegistry, connect: Connect, clock: Clock) -> None:
    registry.fail("GET", "/manifests/", Status(429, {"Retry-After": "3600"}), times=100)
    async with connect() as client:
        with pytest.raises(Unavailable, match="429"):
            await client.until(client.now() + 20).manifest(reference(registry))
    assert clock.pauses == []


async def test_the_deadline_is_of_that_client_alone_and_both_count_together(
    registry: FaultyRegistry, connect: Connect, clock: Clock
) -> None:
    registry.fail("GET", "/manifests/", Status(503), times=2)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await client.until(client.now()).manifest(reference(registry))
        await client.manifest(reference(registry))
        assert client.transfer.requests == client.until(0).transfer.requests == 3
    assert clock.pauses == [1.0]


async def test_what_a_tag_is_may_be_asked_of_the_registry_alone(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    place = f"http://{elsewhere.host}/v2/app/manifests/1"
    registry.fail("GET", "/manifests/", Status(307, {"Location": place}), times=3)
    async with connect() as client:
        await client.manifest(reference(registry))
        strict = client.until(client.now() + 60, tags_at_home=True)
        with pytest.raises(InvalidResponse, match="redirect to another host"):
            await strict.manifest(reference(registry))
        pinned = reference(registry).with_digest(MANIFEST.descriptor().digest)
        assert (await strict.manifest(pinned))[1] == MANIFEST.encode()
    assert len(elsewhere.requests()) == 2
