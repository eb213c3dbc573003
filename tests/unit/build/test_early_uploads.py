"""Layers that leave while later steps run: which, one after the other, and never to anybody's harm."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from imagebuild_engine.build import early_uploads
from imagebuild_engine.build.early_uploads import Destination, EarlyUploads, destinations
from imagebuild_engine.build.layers import LocalLayer, Tree
from imagebuild_engine.build.push import Uploads
from imagebuild_engine.build.store import TreeStore
from imagebuild_engine.contract import BuildRequest, CacheTarget, DirectorySource, Output, Source
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType, Reference
from imagebuild_engine.host.content import BlobStore
from imagebuild_engine.host.layers import LayerError, PackedLayer
from imagebuild_engine.host.registry import RegistryClient, RetryPolicy

from tests.support.faults import FaultyRegistry, Hang, Status

ATTACHED = CacheTarget(type="attached", mode="max", ignore_error=True)


@dataclass
class Shop:
    """A store whose layers are as large as their names say (`name:size`)."""

    client: RegistryClient
    blobs: BlobStore
    packed_now: list[str] = field(default_factory=list)

    async def packed(self, layer: LocalLayer, within: Executor | None = None) -> PackedLayer:
        assert within is not None
        self.packed_now.append(layer.name)
        if "broken" in layer.name:
            raise LayerError(layer.name)
        data = layer.name.encode().ljust(int(layer.name.partition(":")[2]), b"x")
        descriptor = Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=Digest.of(data), size=len(data))
        with self.blobs.ingest(descriptor) as ingest:
            ingest.write(data)
            ingest.commit()
        return PackedLayer(descriptor=descriptor, diff_id=Digest.of(b"diff"), uncompressed_size=0, entries=1)


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as running:
        yield running


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with RegistryClient(retries=RetryPolicy(attempts=1)) as client:
        yield Shop(client, BlobStore(tmp_path))


def early(shop: Shop, registry: FaultyRegistry, *targets: CacheTarget) -> EarlyUploads:
    reference = Reference.parse(f"{registry.host}/app:1")
    uploads = Uploads(cast("TreeStore", shop))  # all that is asked of it
    return EarlyUploads(uploads, [Destination(reference, target) for target in targets or (ATTACHED,)])


def made(name: str) -> Tree:
    return Tree((LocalLayer(name="below:1", created=""), LocalLayer(name=name, created="")))


async def settled(uploads: EarlyUploads) -> None:
    await asyncio.gather(*uploads._tasks)


def sent(registry: FaultyRegistry) -> list[str]:
    return sorted(data.decode().rstrip("x") for data in registry.blobs["app"].values())


async def test_each_steps_own_layer_is_sent(shop: Shop, registry: FaultyRegistry) -> None:
    async with early(shop, registry) as uploads:
        for name in ("one:10", "two:20"):
            uploads.offer(made(name), 1.0)
        await settled(uploads)
        assert sent(registry) == ["one:10", "two:20"]
        uploads.offer(Tree(), 1.0)
        uploads.offer(None, 1.0)
        await settled(uploads)
    assert uploads.uploads.moved.pushed == 30


async def test_what_the_cache_will_leave_out_is_not_sent(shop: Shop, registry: FaultyRegistry) -> None:
    cheap = f"cheap:{2 << 20}"
    async with early(shop, registry, CacheTarget(type="attached", mode="max", max_size=3 << 20)) as uploads:
        uploads.offer(made(cheap), 0.001)
        uploads.offer(made(f"large:{4 << 20}"), 100.0)
        uploads.offer(made("fits:7"), 0.001)
        await settled(uploads)
    assert sent(registry) == ["fits:7"]
    for target in (CacheTarget(type="attached", keep_cheap=True), CacheTarget(ref="x", mode="max")):
        registry.blobs.clear()
        async with early(shop, registry, target) as uploads:
            uploads.offer(made(cheap), 0.001)
            await settled(uploads)
        assert sent(registry) == [cheap]


async def test_after_the_last_call_nothing_is_begun(shop: Shop, registry: FaultyRegistry) -> None:
    async with early(shop, registry) as uploads:
        uploads.offer(made("one:10"), 1.0)
        uploads.last_call()
        uploads.offer(made("two:20"), 1.0)
        await settled(uploads)
    assert shop.packed_now == []


async def test_a_disk_that_fills_up_is_left_to_the_steps(
    shop: Shop, registry: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_uploads, "_SPARE_BYTES", 1 << 62)
    async with early(shop, registry) as uploads:
        uploads.offer(made("one:10"), 1.0)
        await settled(uploads)
    assert shop.packed_now == []


async def test_a_registry_that_refuses_is_left_alone_and_nothing_is_raised(
    shop: Shop, registry: FaultyRegistry
) -> None:
    registry.fail("POST", "/uploads/", Status(403), times=9)
    async with early(shop, registry) as uploads:
        uploads.offer(made("broken:1"), 1.0)
        uploads.offer(made("one:10"), 1.0)
        uploads.offer(made("two:20"), 1.0)
        await settled(uploads)
    assert len(registry.requests("POST")) == 1


async def test_what_is_under_way_ends_with_the_build(shop: Shop, registry: FaultyRegistry) -> None:
    registry.fail("HEAD", "/blobs/", Hang(), times=9)
    async with early(shop, registry) as uploads:
        uploads.offer(made("one:10"), 1.0)
        uploads.offer(made("two:20"), 1.0)
        async with asyncio.timeout(30):
            while not registry.seen:
                await asyncio.sleep(0.001)
    assert all(task.done() for task in uploads._tasks)


@pytest.mark.parametrize(
    ("push", "targets", "names"),
    [
        (True, [ATTACHED], ["r.test/a", "r.test/b"]),
        (False, [ATTACHED], []),
        (True, [CacheTarget(ref="r.test/c:1", mode="max")], ["r.test/c"]),
        (True, [CacheTarget(ref="r.test/c:1", mode="min"), CacheTarget(type="local", ref="/x", mode="max")], []),
    ],
)
def test_they_go_where_a_cache_of_every_stage_is_asked_for(
    push: bool, targets: list[CacheTarget], names: list[str]
) -> None:
    request = BuildRequest(
        source=Source(directory=DirectorySource(path="/")),
        output=Output(images=("r.test/a:1", "r.test/a:2", "r.test/b:1"), push=push),
        cache_to=tuple(targets),
    )
    assert [found.reference.name for found in destinations(request)] == names
