"""Asking the records of one cache source."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import CacheIndex, ChainResult, LayerResult, Link, Record
from imagebuild_engine.core.oci import Digest

A, B, C = (Digest.of(text.encode()) for text in "abc")
S = Digest.of(b"/")


def test_a_root_is_found_by_its_key_and_a_step_is_no_root() -> None:
    index = CacheIndex([Record(A), Record(A, inputs=((Link(0),),)), Record(A)])
    assert index.root(A) == {0, 2}
    assert index.root(B) == set()


def test_every_input_must_be_known() -> None:
    index = CacheIndex([Record(A), Record(B), Record(C, inputs=((Link(0, S),), (Link(1), Link(0))))])
    assert index.match(C, [{(S, 0)}, {("", 1)}]) == {2}
    assert index.match(C, [{(S, 0)}, {("", 0)}]) == {2}
    assert index.match(C, [{(S, 0)}, set()]) == set()
    assert index.match(C, [{("", 0)}, {("", 1)}]) == set(), "the selector counts"
    assert index.match(C, [{(S, 0)}]) == set(), "the number of inputs counts"
    assert index.match(B, [{(S, 0)}, {("", 1)}]) == set()


def test_the_newest_result_is_the_one() -> None:
    old, new = "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z"
    index = CacheIndex(
        [
            Record(A, results=(LayerResult(1, new), LayerResult(2, old))),
            Record(A, results=(LayerResult(1, old),), chains=(ChainResult((0,), new),)),
            Record(A),
        ]
    )
    assert index.result(0) == LayerResult(1, new)
    assert index.result(1) == ChainResult((0,), new)
    assert index.result(2) is None


def test_content_keys_are_the_unselected_roots_of_an_input() -> None:
    index = CacheIndex([Record(A), Record(B), Record(C, inputs=((Link(0, S), Link(1)),))])
    assert index.content_keys(2, 0) == {B}


def test_an_index_without_records_knows_nothing() -> None:
    assert not CacheIndex([])
    assert CacheIndex([Record(A)]).knows(A)
    assert not CacheIndex([Record(A)]).knows(B)


_LINKS = st.lists(st.builds(Link, st.integers(0, 3), st.sampled_from(["", S])), min_size=1, max_size=3).map(tuple)
_RECORDS = st.lists(
    st.builds(Record, st.sampled_from([A, B]), st.lists(_LINKS, max_size=3).map(tuple)), min_size=4, max_size=8
)
_KNOWN = st.lists(st.sets(st.tuples(st.sampled_from(["", S]), st.integers(0, 3))), min_size=1, max_size=3)


@given(_RECORDS, st.sampled_from([A, B]), _KNOWN)
def test_matching_is_what_a_naive_reading_says(
    records: list[Record], key: Digest, known: Sequence[set[tuple[str, int]]]
) -> None:
    expected = {
        number
        for number, record in enumerate(records)
        if record.digest == key
        and len(record.inputs) == len(known)
        and all(
            {(link.selector, link.parent) for link in links} & usable
            for links, usable in zip(record.inputs, known, strict=True)
        )
    }
    assert CacheIndex(records).match(key, known) == expected
