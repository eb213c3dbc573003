"""Caches that do not keep what they promised: the build and its image are those of a build without them."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType, Reference
from imagebuild_engine.host.registry import RegistryClient

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, runtime_for
from tests.support.images import push_steady_busybox
from tests.support.registry import running_registry
from tests.support.tars import file, symlink, tar

pytestmark = NEEDS_A_REGISTRY

DATED = "touch -d @1700000000 / /"  # the time at which a step ran must not be in its layer
STEPS = [f"RUN echo one > /one && {DATED}one", f"RUN echo two > /two && {DATED}two", "COPY a.txt /"]
BASE_LAYERS = 2
LAST = f"RUN cat /one /two > /last && {DATED}last"


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    context = tmp_path / "context"
    context.mkdir()
    with running_registry(tmp_path / "registry") as registry:
        made = Workshop(registry, push_steady_busybox(registry.host), context, tmp_path, runtime_for("chroot"))
        made.write("a.txt", "hello\n")
        made.write("Dockerfile", "\n".join([f"FROM {made.base}", *STEPS, ""]))
        yield made


def build(workshop: Workshop, *arguments: str, tag: str) -> Built:
    return workshop.build("--build-arg", "SOURCE_DATE_EPOCH=1700000000", *arguments, tag=tag)


def blob(workshop: Workshop, digest: str) -> Path:
    hexadecimal = digest.partition(":")[2]
    return workshop.registry.data / "docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"


def link(workshop: Workshop, repository: str, digest: str) -> Path:
    name = digest.replace(":", "/")
    return workshop.registry.data / "docker/registry/v2/repositories" / repository / "_layers" / name / "link"


def own_layers(workshop: Workshop, repository: str) -> list[str]:
    """The digests of the steps' layers."""
    return [layer["digest"] for layer in workshop.registry.manifest(repository, "1")["layers"][BASE_LAYERS:]]


def gone(workshop: Workshop, repository: str, digest: str) -> None:
    link(workshop, repository, digest).unlink()


def forged(workshop: Workshop, _repository: str, digest: str) -> None:
    path = blob(workshop, digest)
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))


def cut(workshop: Workshop, _repository: str, digest: str) -> None:
    path = blob(workshop, digest)
    path.write_bytes(path.read_bytes()[:-20])


def misses(built: Built) -> dict[str, str]:
    return {step["instruction"]: step["reason"] for step in built.result["steps"] if step["outcome"] == "miss"}


def source_outcomes(built: Built) -> list[str]:
    return [source["outcome"] for source in built.result["cache"]["sources"]]


@pytest.mark.parametrize(("harm", "lost"), [(gone, 0), (forged, 1), (cut, 2)])
def test_a_lost_layer_costs_the_steps_that_contain_it_and_nothing_else(
    workshop: Workshop, harm: Callable[[Workshop, str, str], None], lost: int
) -> None:
    build(workshop, tag="cache:1")
    digests = own_layers(workshop, "cache")
    # A step below which everything is the same has to run, so the layers are needed.
    workshop.write("Dockerfile", "\n".join([f"FROM {workshop.base}", *STEPS, LAST, ""]))
    fresh = build(workshop, tag="fresh:1")
    harm(workshop, "cache", digests[lost])
    built = build(workshop, "--cache-from", workshop.ref("cache:1"), tag="app:1")
    assert built.digest == fresh.digest
    cached = misses(built)
    assert set(cached) == {*STEPS[lost:], LAST}
    assert {cached[step] for step in STEPS[lost:]} == {"BlobMissing"}
    assert built.result["cache"]["fallbacks"] == len(STEPS) - lost
    assert built.log.count("is lost: ") == len(STEPS) - lost
    assert source_outcomes(built) == ["used" if lost else "unused"]


def test_a_layer_that_turns_out_to_be_lost_when_the_image_is_pushed_is_made_anew(workshop: Workshop) -> None:
    fresh = build(workshop, tag="cache:1")
    digests = own_layers(workshop, "cache")
    layout = workshop.folder / "layout"
    forged(workshop, "cache", digests[1])
    built = build(
        workshop, "--cache-from", workshop.ref("cache:1"), "--output", f"type=oci,dest={layout},tar=false", tag="app:1"
    )
    assert built.digest == fresh.digest
    assert misses(built) == {STEPS[1]: "BlobMissing", STEPS[2]: "BlobMissing"}
    assert {step["instruction"] for step in built.result["steps"] if step["outcome"] == "hit"} == {STEPS[0]}
    blobs = layout / "blobs/sha256"
    manifest = json.loads((blobs / fresh.digest.partition(":")[2]).read_text())
    for layer in manifest["layers"]:
        assert (blobs / layer["digest"].partition(":")[2]).stat().st_size == layer["size"]


def test_another_source_stands_in_for_one_that_lost_a_layer(workshop: Workshop) -> None:
    build(workshop, tag="cache:1")
    build(workshop, tag="second:1")
    for digest in own_layers(workshop, "cache"):
        gone(workshop, "cache", digest)
    sources = ("--cache-from", workshop.ref("cache:1"), "--cache-from", workshop.ref("second:1"))
    built = build(workshop, *sources, tag="app:1")
    assert misses(built) == {}
    assert source_outcomes(built) == ["used", "used"]  # what lies below the target is nobody's loss
    assert built.result["cache"]["fallbacks"] == 1


def test_a_lost_layer_of_a_base_image_stays_an_error(workshop: Workshop) -> None:
    base = workshop.registry.manifest("library/busybox", "steady")["layers"][0]["digest"]
    gone(workshop, "library/busybox", base)
    built = build(workshop, tag="app:1")
    assert (built.code, built.result["failure"]["reason"]) == (20, "RegistryUnavailable")
    assert f"layer {base} is gone" in built.log


def evil(layer: bytes, diff_id: str = "", *, zstd: bool = False) -> Callable[[Workshop], None]:
    """The cache's image says that its second step made this layer."""

    def plant(workshop: Workshop) -> None:
        manifest = workshop.registry.manifest("cache", "1")
        config = json.loads(blob(workshop, manifest["config"]["digest"]).read_bytes())
        packed = zstandard.compress(layer) if zstd else gzip.compress(layer, 1)
        manifest["layers"][BASE_LAYERS + 1]["mediaType"] = (
            MediaType.OCI_LAYER_ZSTD if zstd else MediaType.OCI_LAYER_GZIP
        )
        config["rootfs"]["diff_ids"][BASE_LAYERS + 1] = diff_id or Digest.of(layer)
        asyncio.run(push_evil(f"{workshop.registry.host}/evil:1", manifest, config, packed))

    return plant


async def push_evil(name: str, manifest: dict[str, Any], config: dict[str, Any], layer: bytes) -> None:
    reference, data = Reference.parse(name), json.dumps(config).encode()
    manifest["layers"][BASE_LAYERS + 1] |= {"digest": Digest.of(layer), "size": len(layer)}
    manifest["config"] |= {"digest": Digest.of(data), "size": len(data)}
    async with RegistryClient() as client:
        for item in manifest["layers"]:
            known = Descriptor(media_type=item["mediaType"], digest=Digest.parse(item["digest"]), size=item["size"])
            found = await client.find_blob(reference, known, mount_from=["cache"])
            if found is None:
                await client.push_blob(reference, known, layer)
        told = Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(data), size=len(data))
        await client.push_blob(reference, told, data)
        await client.push_manifest(reference, json.dumps(manifest).encode(), manifest["mediaType"])


HOSTILE_LAYERS = {
    "dots": evil(tar([file("../../../escaped", "x")])),
    "absolute link": evil(tar([symlink("l", "/"), file("l/../../../escaped", "x")])),
    "no tar": evil(b"nonsense" * 500),
    "another content than it says": evil(tar([file("f", "x")]), diff_id=f"sha256:{'0' * 64}"),
    "bomb": evil(bytes(300 << 20), zstd=True),
}


@pytest.mark.parametrize("layer", HOSTILE_LAYERS)
def test_a_hostile_layer_of_a_cache_is_a_lost_one(workshop: Workshop, layer: str) -> None:
    build(workshop, tag="cache:1")
    workshop.write("Dockerfile", "\n".join([f"FROM {workshop.base}", *STEPS, LAST, ""]))
    fresh = build(workshop, tag="fresh:1")
    HOSTILE_LAYERS[layer](workshop)
    built = build(workshop, "--cache-from", workshop.ref("evil:1"), tag="app:1")
    assert built.digest == fresh.digest
    assert misses(built)[STEPS[1]] == "BlobMissing"
    assert STEPS[0] not in misses(built)
    assert not list(workshop.folder.rglob("escaped"))
