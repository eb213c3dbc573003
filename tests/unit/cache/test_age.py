from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import (
    ZERO_TIME,
    ChainResult,
    LayerResult,
    Link,
    Record,
    cutoff,
    without_expired,
)
from imagebuild_engine.core.oci import Digest

NOW = datetime(2026, 5, 10, 12, 0, 0, tzinfo=UTC)
OLDEST = cutoff(NOW, 3600)
OLD, YOUNG = "2026-05-10T10:59:59Z", "2026-05-10T11:00:01Z"


def key(name: str) -> Digest:
    return Digest.of(name.encode())


def record(name: str, *parents: int, created: str | None = None, layer: int = 0) -> Record:
    results = (LayerResult(layer, created),) if created is not None else ()
    return Record(digest=key(name), inputs=tuple((Link(parent),) for parent in parents), results=results)


def kept(records: list[Record], created: str = "") -> tuple[tuple[Record, ...], frozenset[Digest]]:
    return without_expired(records, OLDEST, lambda _place: created)


def test_an_old_result_is_left_out_and_named() -> None:
    source, old, young = record("source"), record("old", 0, created=OLD), record("young", 0, created=YOUNG)
    assert kept([source, old, young]) == ((source, young), {key("old")})


def test_what_rests_on_an_old_result_is_left_out_whatever_its_age() -> None:
    records = [record("source"), record("old", 0, created=OLD), record("joins", 1), record("on it", 2, created=YOUNG)]
    assert kept(records) == ((record("source"),), {key("old"), key("joins"), key("on it")})


def test_a_step_that_is_known_by_content_too_stays_and_its_links_are_moved() -> None:
    copy = Record(digest=key("copy"), inputs=((Link(0),), (Link(1), Link(2))), results=(LayerResult(1, YOUNG),))
    records, expired = kept([record("base"), record("old", 0, created=OLD), record("content"), copy])
    assert expired == {key("old")}
    assert records[-1].inputs == ((Link(0),), (Link(1),))
    assert records[1] == record("content")


def test_of_several_results_the_young_ones_stay() -> None:
    both = Record(digest=key("both"), inputs=((Link(0),),), results=(LayerResult(0, OLD), LayerResult(1, YOUNG)))
    records, expired = kept([record("base"), both])
    assert (records[1].results, expired) == ((LayerResult(1, YOUNG),), frozenset())


@pytest.mark.parametrize(("layer", "stays"), [(OLD, False), (YOUNG, True), ("", False)])
def test_where_a_result_has_no_time_its_layer_counts(layer: str, stays: bool) -> None:
    chain = Record(digest=key("link"), inputs=((Link(0),),), chains=(ChainResult((3,), ZERO_TIME),))
    records, _ = kept([record("base"), chain], created=layer)
    assert (len(records) == 2) is stays


def test_fractions_of_a_second_count() -> None:
    records = [
        record("base"),
        record("a", 0, created="2026-05-10T11:00:00Z"),
        record("b", 0, created="2026-05-10T10:59:59.999999999Z"),
    ]
    assert kept(records)[1] == {key("b")}


def test_an_age_beyond_the_beginning_of_time_expires_nothing() -> None:
    assert cutoff(NOW, 1e13) == ZERO_TIME
    assert kept([record("base"), record("a", 0, created=OLD)])[1]
    assert not without_expired([record("base"), record("a", 0, created=OLD)], cutoff(NOW, 1e13), lambda _: "")[1]


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 30), max_size=3)), max_size=30))
def test_links_stay_inside_and_no_kept_record_contains_an_old_layer(shape: list[tuple[bool, list[int]]]) -> None:
    records = [
        record(str(number), *(parent % len(shape) for parent in parents), created=OLD if old and parents else YOUNG)
        for number, (old, parents) in enumerate(shape)
    ]
    found, expired = kept(records)
    assert {item.digest for item in records} == {item.digest for item in found} | expired
    for item in found:
        for links in item.inputs:
            assert links
            assert all(0 <= link.parent < len(found) for link in links)
        assert all(result.created_at == YOUNG for result in item.results)
