"""What refers to a manifest: listed by the registry, or by us under a tag."""

import asyncio
import json

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, Index, Manifest, MediaType, Reference
from imagebuild_engine.host.registry import RegistryError

from tests.support.faults import FaultyRegistry, Status

from .conftest import Connect

KIND = "application/vnd.test.cache"
IMAGE = b'{"schemaVersion":2}'
SUBJECT = Descriptor(media_type=MediaType.OCI_MANIFEST, digest=Digest.of(IMAGE), size=len(IMAGE))
TAG = SUBJECT.digest.replace(":", "-")


def subject(registry: FaultyRegistry) -> Reference:
    return Reference.parse(f"{registry.host}/app@{SUBJECT.digest}")


def referrer(name: str, kind: str = KIND) -> Manifest:
    return Manifest(
        config=Descriptor(media_type="application/x", digest=Digest.of(b"{}"), size=2),
        layers=(),
        subject=SUBJECT,
        artifact_type=kind,
        annotations={"name": name},
    )


def entry(name: str, kind: str = KIND) -> Descriptor:
    made = referrer(name, kind)
    described = made.descriptor()
    return Descriptor(
        media_type=described.media_type,
        digest=described.digest,
        size=described.size,
        artifact_type=kind,
        annotations=made.annotations,
    )


def page(*entries: Descriptor, following: str = "") -> Status:
    headers = {"Content-Type": MediaType.OCI_INDEX} | ({"Link": following} if following else {})
    return Status(200, headers, Index(manifests=entries).encode())


def listed(registry: FaultyRegistry) -> list[str]:
    """Names under the tag."""
    _, data = registry.manifests["app", TAG]
    return [item["annotations"]["name"] for item in json.loads(data)["manifests"]]


async def test_the_registry_lists_them_page_by_page_and_we_filter_again(
    registry: FaultyRegistry, connect: Connect
) -> None:
    root = f"/v2/app/referrers/{SUBJECT.digest}"
    registry.fail("GET", "last=2", page(entry("three")))
    registry.fail("GET", "last=1", page(entry("two"), following=f'<http://elsewhere.test{root}?last=2>; rel="next"'))
    registry.fail("GET", "/referrers/", page(entry("one"), entry("x", "other"), following=f"<{root}?last=1>; rel=next"))
    async with connect() as client:
        found = await client.referrers(subject(registry), KIND)
    assert [item.annotations["name"] for item in found] == ["one", "two", "three"]
    assert f"artifactType={KIND.replace('/', '%2F')}" in registry.requests("GET", "/referrers/")[0].target


async def test_pages_that_lead_nowhere_or_in_circles_come_to_an_end(registry: FaultyRegistry, connect: Connect) -> None:
    root = f"/v2/app/referrers/{SUBJECT.digest}"
    registry.fail("GET", "/referrers/", page(entry("one"), following=f"<{root}?again=1>; rel=next"), times=100)
    async with connect() as client:
        assert {item.digest for item in await client.referrers(subject(registry), KIND)} == {entry("one").digest}
    assert len(registry.requests("GET", "/referrers/")) == 10


async def test_only_pages_of_the_same_list_are_followed(registry: FaultyRegistry, connect: Connect) -> None:
    registry.fail("GET", "/referrers/", page(entry("one"), following="</v2/_catalog?n=1>; rel=next"))
    async with connect() as client:
        assert await client.referrers(subject(registry), KIND) == (entry("one"),)
    assert not registry.requests("GET", "_catalog")


@pytest.mark.parametrize(
    "answer",
    [
        Status(404, {}, b"page not found"),
        Status(400),
        Status(200, {"Content-Type": "text/html"}, b"<html>welcome</html>"),
        Status(200, {"Content-Type": "application/json"}, b"{}"),
        Status(200, {"Content-Type": MediaType.OCI_INDEX}, b'{"manifests":7,"mediaType":"' + b"x" * 99 + b'"}'),
    ],
)
async def test_without_the_api_the_tag_counts(registry: FaultyRegistry, connect: Connect, answer: Status) -> None:
    registry.fail("GET", "/referrers/", answer)
    index = Index(manifests=(entry("one"), entry("x", "other")))
    registry.add_manifest("app", TAG, index.encode(), MediaType.OCI_INDEX)
    async with connect() as client:
        found = await client.referrers(subject(registry), KIND)
        assert found == (entry("one"),)
        # And by now it is known that there is no API.
        assert await client.referrers(subject(registry), KIND) == found
    assert len(registry.requests("GET", "/referrers/")) == 1


async def test_an_empty_list_may_be_null_and_entries_may_be_nonsense(
    registry: FaultyRegistry, connect: Connect
) -> None:
    null = b'{"schemaVersion":2,"manifests":null}'
    registry.fail("GET", "/referrers/", Status(200, {"Content-Type": MediaType.OCI_INDEX}, null))
    nonsense = json.dumps({"manifests": [7, {"digest": "x"}, entry("one").to_json()]}).encode()
    registry.fail("GET", "/referrers/", Status(200, {"Content-Type": MediaType.OCI_INDEX}, nonsense))
    async with connect() as client:
        assert await client.referrers(subject(registry), KIND) == ()
        assert await client.referrers(subject(registry), KIND) == (entry("one"),)


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_registry_that_refuses_is_not_asked_for_the_tag_instead(
    registry: FaultyRegistry, connect: Connect, status: int
) -> None:
    registry.fail("GET", "/referrers/", Status(status), times=10)
    registry.add_manifest("app", TAG, Index(manifests=(entry("one"),)).encode(), MediaType.OCI_INDEX)
    async with connect() as client:
        with pytest.raises(RegistryError):
            await client.referrers(subject(registry), KIND)


async def test_a_registry_that_knows_the_subject_keeps_the_list_itself(
    registry: FaultyRegistry, connect: Connect
) -> None:
    registry.fail("PUT", "/manifests/", Status(201, {"OCI-Subject": SUBJECT.digest}))
    async with connect() as client:
        pushed = await client.push_referrer(subject(registry), referrer("one"))
    assert pushed == entry("one")
    assert [seen.method for seen in registry.seen] == ["PUT"]


async def test_otherwise_the_tag_lists_what_was_there_and_the_new_one(
    registry: FaultyRegistry, connect: Connect
) -> None:
    async with connect() as client:
        for name in ("one", "two", "two"):
            await client.push_referrer(subject(registry), referrer(name))
        assert listed(registry) == ["one", "two"]
        assert await client.referrers(subject(registry), KIND) == (entry("one"), entry("two"))


async def test_what_is_replaced_or_gone_is_listed_no_more(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        for name in ("one", "two", "three"):
            await client.push_referrer(subject(registry), referrer(name))
        del registry.manifests["app", entry("two").digest]
        await client.push_referrer(subject(registry), referrer("four"), replaces=[entry("one").digest])
    assert listed(registry) == ["three", "four"]


async def test_many_writers_at_once_all_end_and_the_list_is_one(registry: FaultyRegistry, connect: Connect) -> None:
    """Without a lock nobody can promise that all are listed; but whoever wrote last is, and nothing is broken."""
    names = [f"writer-{number}" for number in range(8)]

    async def write(name: str) -> bool:
        async with connect() as client:
            try:
                await client.push_referrer(subject(registry), referrer(name))
            except RegistryError:
                return False
            return True

    ended = await asyncio.gather(*map(write, names))
    assert any(ended)
    assert set(listed(registry)) <= set(names)
    assert len(listed(registry)) == len(set(listed(registry)))
    assert {f"writer-{number}" for number, done in enumerate(ended) if done} & set(listed(registry))


async def test_somebody_elses_tag_is_left_alone(registry: FaultyRegistry, connect: Connect) -> None:
    image = referrer("image").encode()
    registry.add_manifest("app", TAG, image, MediaType.OCI_MANIFEST)
    async with connect() as client:
        with pytest.raises(RegistryError, match="no index of referrers"):
            await client.push_referrer(subject(registry), referrer("one"))
    assert registry.manifests["app", TAG] == (MediaType.OCI_MANIFEST, image)
