"""Our keys and records are BuildKit's: every case of the golden file, record by record, as BuildKit HEAD made them, and
found by all older versions, and theirs by us.

Nothing runs. What a step leaves behind is known where it can be said without running it (golden_world); a case of which
something else is read is skipped here, and run for real by the integration tests.
"""

from dataclasses import replace

import pytest
from imagebuild_engine.core.cache import CacheIndex, root_key
from imagebuild_engine.core.frontend import Lowered
from imagebuild_engine.core.graph import ExecOp, MergeOp, cache_map
from imagebuild_engine.core.oci import Digest

from tests.support.golden import Case, cases, graph_of, graph_of_golden, records_of_golden
from tests.support.golden_build import built
from tests.support.golden_world import lowered
from tests.support.records import unfound

CASES = pytest.mark.parametrize("found", cases(), ids=lambda found: found.name)
GROUPS = [(found, version) for found in cases() for version in found.versions]
MEETING = pytest.mark.parametrize(
    ("found", "version"),
    [group for group in GROUPS if not group[0].beyond_reach(group[1])],
    ids=lambda item: getattr(item, "name", item),
)
APART = pytest.mark.parametrize(
    ("found", "version"),
    [group for group in GROUPS if group[0].beyond_reach(group[1])],
    ids=lambda item: getattr(item, "name", item),
)


@CASES
async def test_the_records_are_those_of_buildkit(found: Case) -> None:
    _, records = await built(found, as_head=True)
    assert graph_of(records) == graph_of_golden(found.records())


@MEETING
async def test_every_version_finds_all_its_steps_in_our_records(found: Case, version: str) -> None:
    _, records = await built(found)
    if version.startswith("v0.8."):
        records = tuple(replace(record, chains=()) for record in records)  # it does not know them
    assert unfound(records, records_of_golden(found.records(version))) == []


@MEETING
async def test_the_records_of_every_version_are_full_hits_for_us(found: Case, version: str) -> None:
    told, _ = await built(found, CacheIndex(records_of_golden(found.records(version))))
    assert len(told.ran) == merges_without_result(found, version)


def merges_without_result(found: Case, version: str) -> int:
    """From v0.25 on a merge on a base image that was never unpacked has no result. To stack layers costs nothing."""
    spellings = cache_map(MergeOp(count=2)).spellings
    keys = {root_key(digest, 0) for spelling in spellings for digest in spelling.digests}
    return sum(record.digest in keys and not record.results for record in records_of_golden(found.records(version)))


@APART
async def test_where_a_key_says_less_than_the_step_nobody_finds_anything(found: Case, version: str) -> None:
    golden_records = records_of_golden(found.records(version))
    told, records = await built(found, CacheIndex(golden_records))
    assert told.ran
    assert unfound(records, golden_records)


@CASES
async def test_no_two_records_have_the_same_result_in_the_eyes_of_v0_8(found: Case) -> None:
    """It would take one for the other (LoadWithParents) and leave a layer out of its image."""
    _, records = await built(found)
    results = [result.layer for record in records for result in record.results]
    assert len(results) == len(set(results))


@pytest.mark.parametrize(
    "found",
    # Where no old version was measured, we cannot tell what it would have written.
    [found for found in cases() if {version[:5] for version in found.versions} & {"v0.8.", "v0.10"}],
    ids=lambda found: found.name,
)
async def test_we_write_no_record_that_no_version_would(found: Case) -> None:
    _, records = await built(found)
    known = {digest for version in found.versions for digest, *_ in found.records(version)}
    assert {record.digest for record in records} <= known | normal_keys(lowered(found))


def normal_keys(plan: Lowered) -> set[Digest]:
    """The keys of the normal forms of RUN texts, which we alone write."""
    ops = [step.op for step in plan.steps if isinstance(step.op, ExecOp) and step.op.normal_args is not None]
    return {root_key(cache_map(op).older[0].digests[0], 0) for op in ops}


@CASES
def test_the_history_is_that_of_buildkit(found: Case) -> None:
    texts = [entry.created_by + (" [empty]" if entry.empty_layer else "") for entry in lowered(found).history]
    assert texts == found.history
