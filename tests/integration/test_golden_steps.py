"""Golden cases in which a step's outcome is read, run for real: what is left behind has the keys that BuildKit gave it.

The base image is not the golden one, but its two keys are all that depend on it; so they stand for each other here.
"""

import base64
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from imagebuild_engine.core.cache import Record, decode_records, root_key
from imagebuild_engine.core.graph import ImageSource, LocalSource, cache_map, walk
from imagebuild_engine.core.oci import Digest, ImageConfig, Reference, RunConfig

from tests.integration.workshop import NEEDS_A_REGISTRY, Workshop, runtime_for
from tests.support.golden import AMD64, Case, base_image, cases, golden, records_of_golden
from tests.support.golden_world import lowered
from tests.support.images import busybox_layer, push_image
from tests.support.records import unfound
from tests.support.registry import running_registry
from tests.support.web import Answer, Web, web_server

pytestmark = NEEDS_A_REGISTRY


def reads_an_outcome(found: Case) -> bool:
    """Is the content of anything but the context a key of some step?"""
    plan = lowered(found)
    assert plan.target is not None
    return any(
        key.content is not None and not isinstance(edge.vertex.op, LocalSource)
        for vertex in walk(plan.target)
        for key, edge in zip(cache_map(vertex.op).inputs, vertex.inputs, strict=True)
    )


CASES = [found for found in cases() if reads_an_outcome(found)]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with web_server() as web:
        for url, facts in golden()["fixtures"].items():
            if url.startswith("http"):
                headers = {name: value for name, value in facts.items() if name == "Last-Modified"}
                web.serve("/" + url.rpartition("/")[2], Answer(facts["body"].encode(), headers=headers))
        yield web


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    context = tmp_path / "context"
    context.mkdir()
    with running_registry(tmp_path / "registry") as registry:
        yield Workshop(registry, f"{registry.host}/bb:1", context, tmp_path, runtime_for("oci"))


def push_base(workshop: Workshop) -> dict[Digest, Digest]:
    """An image that answers for the golden one. Its keys, and those that they stand for."""
    golden_reference, pinned = base_image(golden())
    layer = busybox_layer()
    config = RunConfig(env=pinned.config.config.env, working_dir=pinned.config.config.working_dir)
    digest = push_image(workshop.base, [layer], config)

    def roots(reference: Reference, digest: Digest, diff_ids: tuple[Digest, ...]) -> list[Digest]:
        op = ImageSource(reference=reference, digest=digest, platform=AMD64, diff_ids=diff_ids)
        return [root_key(key, 0) for key in cache_map(op).digests]

    ours = roots(Reference.parse(workshop.base), digest, (Digest.of(layer),))
    return dict(zip(ours, roots(golden_reference, pinned.digest, pinned.config.diff_ids), strict=True))


def write_context(workshop: Workshop, found: Case) -> None:
    """The files of the case, as far as these cases go: without extended attributes and hard links."""
    for path, facts in found.data["context"].items():
        target = workshop.context / path
        if "link" in facts:
            target.symlink_to(facts["link"])
            continue
        if facts.get("type") == "dir":
            target.mkdir()
        else:
            target.write_bytes(base64.b64decode(facts["b64"]) if "b64" in facts else facts.get("text", "").encode())
        target.chmod(int(facts["mode"], 8))


@pytest.mark.parametrize("found", CASES, ids=lambda found: found.name)
def test_what_a_step_left_behind_has_buildkits_keys(found: Case, workshop: Workshop, web: Web) -> None:
    stand_in = push_base(workshop)
    write_context(workshop, found)
    text = found.dockerfile.decode().replace(golden()["base"]["ref_in_dockerfiles"], workshop.base)
    for url in golden()["fixtures"]:
        text = text.replace(url, f"{web.base}/{url.rpartition('/')[2]}")
    dockerfile = workshop.folder / "Dockerfile"
    dockerfile.write_text(text)
    arguments = [f"--build-arg={name}={value}" for name, value in found.build_args.items()]
    built = workshop.build("--file", str(dockerfile), *arguments)
    assert built.code == 0, built.log
    ours = [
        replace(record, digest=stand_in.get(record.digest, record.digest)) for record in written(workshop, "app", "1")
    ]
    theirs = records_of_golden(found.records())
    assert unfound(ours, theirs) == []
    contents = [{record.digest for record in records if not record.inputs} for records in (theirs, ours)]
    assert contents[0] <= contents[1]


def written(workshop: Workshop, repository: str, tag: str) -> tuple[Record, ...]:
    """The records in an image's config."""
    manifest = workshop.registry.manifest(repository, tag)
    url = f"http://{workshop.registry.host}/v2/{repository}/blobs/{manifest['config']['digest']}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        config = ImageConfig.parse(answer.read())
    assert config.inline_cache is not None
    return decode_records(config.inline_cache, layers=len(manifest["layers"]))
