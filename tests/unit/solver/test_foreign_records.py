"""Records as other builders leave them: links to what this build knows nothing of, several results, shared layers."""

from dataclasses import replace

import pytest
from imagebuild_engine.core.cache import (
    CacheIndex,
    ChainResult,
    LayerResult,
    Link,
    Record,
    decode_records,
    encode_records,
)
from imagebuild_engine.core.oci import Digest

from tests.support.golden import Case, case, records_of_golden
from tests.support.golden_build import built

TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-01-02T00:00:00Z")


def read(found: Case) -> list[Record]:
    """HEAD's records of a case, parents as positions."""
    return list(records_of_golden(found.records()))


def last_step(records: list[Record]) -> int:
    """The position of the record with the topmost layer."""
    return max(
        range(len(records)), key=lambda number: max((item.layer for item in records[number].results), default=-1)
    )


async def loaded(found: Case, records: list[Record]) -> list[object]:
    """The results with which the case is a full hit."""
    written = decode_records(encode_records(records), layers=9)
    told, _ = await built(found, CacheIndex(written))
    assert told.ran == []
    return list(told.loaded)


STRANGER = Record(Digest.of(b"of another Dockerfile"))


@pytest.mark.parametrize("selector", ["", Digest.of(b"/elsewhere")])
async def test_a_backlink_to_another_chain_changes_nothing(selector: str) -> None:
    """BuildKit also writes what else it knows to lead to a key (addBacklinks)."""
    found = case("t05")
    records = [*read(found), STRANGER]
    records = [
        replace(record, inputs=tuple((*links, Link(len(records) - 1, selector)) for links in record.inputs))
        for record in records
    ]
    assert await loaded(found, records) == [LayerResult(4)]


async def test_a_record_that_only_strangers_lead_to_is_not_taken() -> None:
    """It has the right key and the newest result; but on other inputs."""
    found = case("t05")
    records = [*read(found), STRANGER]
    step = records[last_step(records)]
    records.append(Record(step.digest, ((Link(len(records) - 1),),), (LayerResult(7, TIMES[2]),)))
    assert await loaded(found, records) == [LayerResult(4)]


async def test_an_input_known_by_a_stranger_does_not_make_up_for_another() -> None:
    """Every input must be known, not only most of them."""
    found = case("t09")
    records = [*read(found), STRANGER]
    number = last_step(records)
    base = records[number].inputs[0]
    records[number] = replace(records[number], inputs=(base, (Link(len(records) - 1),)))
    told, _ = await built(found, CacheIndex(records))
    assert len(told.ran) == 1


async def test_of_several_results_of_a_record_the_newest_is_taken() -> None:
    found = case("t02")
    records = read(found)
    number = last_step(records)
    records[number] = replace(
        records[number],
        results=(LayerResult(5, TIMES[1]), LayerResult(3, TIMES[0])),
        chains=(ChainResult((2, 4), TIMES[2]), ChainResult((1,), TIMES[0])),
    )
    told, _ = await built(found, CacheIndex(records))
    assert told.loaded == [ChainResult((2, 4), TIMES[2])]


async def test_of_several_records_of_a_step_the_one_with_the_newest_result_is_taken() -> None:
    """Two builds of one step, say: by the image's manifest, and by its layers."""
    found = case("t02")
    records = read(found)
    number = last_step(records)
    by_manifest, by_chain = ((link,) for link in records[number].inputs[0])
    digest = records[number].digest
    records[number] = Record(digest, (by_manifest,), (LayerResult(1, TIMES[0]),))
    records.append(Record(digest, (by_chain,), (LayerResult(2, TIMES[1]),)))
    assert await loaded(found, records) == [LayerResult(2, TIMES[1])]


async def test_two_steps_may_have_the_same_layers() -> None:
    """A step that changed nothing, of a builder that writes no empty layers."""
    found = case("t05")
    records = read(found)
    number = last_step(records)
    records[number] = replace(records[number], results=(LayerResult(3),))
    assert await loaded(found, records) == [LayerResult(3)]


async def test_a_step_without_result_still_joins_what_comes_after_it() -> None:
    found = case("t05")
    records = [replace(record, results=()) for record in read(found)]
    number = last_step(read(found))
    records[number] = replace(records[number], results=(LayerResult(4),))
    assert await loaded(found, records) == [LayerResult(4)]


async def test_a_merge_without_result_is_made_again_from_its_parts() -> None:
    """HEAD leaves it out where the base image was never unpacked; the copied files have their layers all the same."""
    told, _ = await built(case("t13"), CacheIndex(read(case("t13"))))
    assert sorted(item.layers for item in told.loaded if isinstance(item, ChainResult)) == [(1,), (2,)]
    assert len(told.ran) == 2
