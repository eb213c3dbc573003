"""Tags of a repository page by page, and manifests deleted."""

import json

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, Manifest, MediaType, Reference
from imagebuild_engine.host.registry import DeletionRefused, InvalidResponse, NotFound, RegistryClient

from tests.support.faults import FaultyRegistry, Status

from .conftest import Connect

MANIFEST = Manifest(config=Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(b"{}"), size=2), layers=())


def reference(registry: FaultyRegistry) -> Reference:
    return Reference.parse(f"{registry.host}/app")


async def tags(client: RegistryClient, registry: FaultyRegistry) -> list[str]:
    return [tag async for tag in client.tags(reference(registry))]


def add(registry: FaultyRegistry, *names: str) -> Digest:
    for name in names:
        digest = registry.add_manifest("app", name, MANIFEST.encode(), MANIFEST.media_type)
    return digest


async def test_all_pages_are_read(registry: FaultyRegistry, connect: Connect) -> None:
    names = [f"tag-{number}" for number in range(10)]
    add(registry, *names)
    registry.page = 3
    async with connect() as client:
        assert await tags(client, registry) == names
    assert len(registry.requests("GET", "/tags/list")) == 4


async def test_a_repository_that_does_not_exist_has_none(registry: FaultyRegistry, connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(NotFound):
            await tags(client, registry)


@pytest.mark.parametrize("body", [{"name": "app", "tags": None}, {"name": "app"}, {"tags": []}])
async def test_no_tags_are_no_tags(registry: FaultyRegistry, connect: Connect, body: object) -> None:
    registry.fail("GET", "/tags/list", Status(200, {}, json.dumps(body).encode()))
    async with connect() as client:
        assert await tags(client, registry) == []


@pytest.mark.parametrize("body", [b"", b"[", b'{"tags": 5}', b'{"tags": [5]}', b"[" * 100_000, b"5"])
async def test_nonsense_is_refused(registry: FaultyRegistry, connect: Connect, body: bytes) -> None:
    registry.fail("GET", "/tags/list", Status(200, {}, body))
    async with connect() as client:
        with pytest.raises(InvalidResponse):
            await tags(client, registry)


@pytest.mark.parametrize("link", ["<http://elsewhere.test/x?y=z>", "</v2/other/tags/list?last=a>", "<:>", "nothing"])
async def test_a_page_elsewhere_is_none(registry: FaultyRegistry, connect: Connect, link: str) -> None:
    registry.fail("GET", "/tags/list", Status(200, {"Link": f'{link}; rel="next"'}, b'{"tags": ["a"]}'))
    async with connect() as client:
        assert await tags(client, registry) == ["a"]


async def test_a_deleted_manifest_takes_its_tags_along(registry: FaultyRegistry, connect: Connect) -> None:
    digest = add(registry, "a", "b")
    async with connect() as client:
        await client.delete_manifest(reference(registry).with_digest(digest))
        assert not registry.manifests
        with pytest.raises(NotFound):
            await client.delete_manifest(reference(registry).with_digest(digest))


@pytest.mark.parametrize(("status", "body"), [(405, b""), (501, b""), (400, b'{"errors":[{"code":"UNSUPPORTED"}]}')])
async def test_a_registry_that_deletes_nothing_says_so(
    registry: FaultyRegistry, connect: Connect, status: int, body: bytes
) -> None:
    digest = add(registry, "a")
    registry.fail("DELETE", "/manifests/", Status(status, {}, body))
    async with connect() as client:
        with pytest.raises(DeletionRefused):
            await client.delete_manifest(reference(registry).with_digest(digest))
