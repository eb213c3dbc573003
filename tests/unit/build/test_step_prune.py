"""Pruning a step cache: what is touched, what is not, and what is said."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from imagebuild_engine.build.step_prune import Pruned, PruneFailed, prune_steps
from imagebuild_engine.core.oci import Digest, MediaType, Reference
from imagebuild_engine.core.steps import Keeping, KnownInput, StepRecord, encode_step, tag_of

from tests.support.faults import FaultyRegistry, Status
from tests.support.step_graphs import digest, record

NOW = datetime(2026, 1, 11, 12, tzinfo=UTC)
TEN_DAYS = Keeping(older_than=10 * 86400 - 1)


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as running:
        yield running


def add(registry: FaultyRegistry, made: StepRecord) -> Digest:
    """Under all its names."""
    for name in made.names:
        found = registry.add_manifest("steps", tag_of(name), encode_step(made), MediaType.OCI_MANIFEST)
    return found


def written(day: int, key: str, *layers: str) -> StepRecord:
    return replace(record(key, layers=layers or (key,)), written=f"2026-01-{day:02}T12:00:00Z")


async def pruned(registry: FaultyRegistry, keeping: Keeping, *, dry_run: bool = False) -> Pruned:
    reference = Reference.parse(f"{registry.host}/steps")
    return await prune_steps(reference, keeping, dry_run=dry_run, insecure=(), now=NOW)


async def test_old_records_go_and_young_ones_stay(registry: FaultyRegistry) -> None:
    add(registry, written(1, "old"))
    young = add(registry, written(2, "young"))
    done = await pruned(registry, TEN_DAYS)
    assert {key for key in registry.manifests if ":" in key[1]} == {("steps", young)}
    assert (done.pruning.kept, len(done.pruning.gone), done.pruning.size_before, done.pruning.size_after) == (
        1,
        1,
        20,
        10,
    )


async def test_a_dry_run_says_the_same_and_does_nothing(registry: FaultyRegistry) -> None:
    add(registry, written(1, "old"))
    before = dict(registry.manifests)
    said = await pruned(registry, TEN_DAYS, dry_run=True)
    assert registry.manifests == before
    done = await pruned(registry, TEN_DAYS)
    assert said.to_json() == {**done.to_json(), "dry_run": True}
    assert said.to_json()["deleted"] == 1


async def test_two_names_of_one_record_are_one_record(registry: FaultyRegistry) -> None:
    reads = KnownInput(name=digest("build"), content=(digest("files"),))
    made = replace(record("copy", KnownInput(name=digest("base")), reads), written="2026-01-01T12:00:00Z")
    add(registry, made)
    done = await pruned(registry, TEN_DAYS)
    (gone,) = done.pruning.gone
    assert sorted(gone.tags) == sorted(tag_of(name) for name in made.names)
    assert len(registry.requests("DELETE")) == 1
    assert not registry.manifests


async def test_what_is_no_record_is_left_alone(registry: FaultyRegistry) -> None:
    registry.add_manifest("steps", "latest", encode_step(written(1, "somebody's")), MediaType.OCI_MANIFEST)
    registry.add_manifest("steps", tag_of(digest("image")), b'{"schemaVersion": 2}', MediaType.OCI_MANIFEST)
    registry.add_manifest(
        "steps", tag_of(digest("another")), encode_step(written(1, "under another's name")), MediaType.OCI_MANIFEST
    )
    before = dict(registry.manifests)
    done = await pruned(registry, Keeping(max_size=0))
    assert registry.manifests == before
    assert (done.foreign, done.pruning.gone) == (2, ())
    assert not [seen for seen in registry.requests() if "latest" in seen.target]


async def test_nobody_has_written_yet(registry: FaultyRegistry) -> None:
    assert (await pruned(registry, TEN_DAYS)).to_json()["records"] == 0


async def test_what_others_deleted_meanwhile_is_not_missed(registry: FaultyRegistry) -> None:
    add(registry, written(1, "one"))
    add(registry, written(1, "two"))
    gone = json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode()
    registry.fail("GET", f"/manifests/{tag_of(written(1, 'one').names[0])}", Status(404, {}, gone))
    registry.fail("DELETE", "/manifests/", Status(404, {}, gone))
    assert len((await pruned(registry, TEN_DAYS)).pruning.gone) == 1


async def test_many_tags_are_read_in_pages(registry: FaultyRegistry) -> None:
    for number in range(50):
        add(registry, written(1, f"step {number}"))
    registry.page = 7
    assert len((await pruned(registry, TEN_DAYS)).pruning.gone) == 50
    assert not registry.manifests


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (405, 19, "REGISTRY_STORAGE_DELETE_ENABLED=true"),
        (403, 14, "403"),
        (401, 17, "401"),
        (400, 20, "400"),
    ],
)
async def test_who_may_not_delete_is_told_so(registry: FaultyRegistry, status: int, code: int, says: str) -> None:
    add(registry, written(1, "old"))
    registry.fail("DELETE", "/manifests/", Status(status, {}, b""))
    with pytest.raises(PruneFailed) as caught:
        await pruned(registry, TEN_DAYS)
    assert says in str(caught.value)
    assert caught.value.exit_code == code


async def test_a_failure_says_how_far_it_got(registry: FaultyRegistry) -> None:
    for number in range(20):
        add(registry, written(1, f"step {number}"))
    last = add(registry, written(2, "the last"))
    registry.fail("DELETE", f"/manifests/{last}", Status(403, {}, b""))
    with pytest.raises(PruneFailed, match=r"403.*; \d+ records have been deleted"):
        await pruned(registry, Keeping(max_size=0))
