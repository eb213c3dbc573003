"""Records as text: what BuildKit reads, and what we read of hostile images."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import (
    ChainResult,
    InvalidRecords,
    LayerResult,
    Link,
    Record,
    decode_records,
    encode_records,
    normalized,
    record_json,
)
from imagebuild_engine.core.oci import Digest

from tests.support.golden import golden, graph_of, graph_of_golden

A, B, C, D = sorted(Digest.of(text.encode()) for text in "abcd")
SELECTOR = Digest.of(b"/")
NOON = "2024-01-01T12:00:00Z"


def text(*records: dict[str, Any]) -> bytes:
    return json.dumps(list(records)).encode()


def test_members_stand_in_buildkits_order_and_empty_ones_are_left_out() -> None:
    records = [
        Record(A),
        Record(
            B,
            inputs=((Link(0, SELECTOR), Link(0)),),
            results=(LayerResult(1, NOON),),
            chains=(ChainResult((0, 1), NOON),),
        ),
    ]
    assert encode_records(records).decode() == (
        f'[{{"digest":"{A}"}},{{"layers":[{{"layer":1,"createdAt":"{NOON}"}}],'
        f'"chains":[{{"layers":[0,1],"createdAt":"{NOON}"}}],"digest":"{B}",'
        f'"inputs":[[{{"link":0}},{{"selector":"{SELECTOR}","link":0}}]]}}]'
    )


def test_records_are_sorted_whatever_order_they_come_in() -> None:
    first = [Record(C, inputs=((Link(1), Link(2)),)), Record(B), Record(A)]
    second = [Record(A), Record(C, inputs=((Link(0), Link(2)),)), Record(B)]
    assert encode_records(first) == encode_records(second)
    assert [record.digest for record in normalized(first)] == [A, B, C]
    assert normalized(first)[2].inputs == ((Link(0), Link(1)),)


def test_equal_digests_are_ordered_by_what_they_are_linked_to() -> None:
    records = [
        Record(A),
        Record(B),
        Record(C, inputs=((Link(1),),)),
        Record(C, inputs=((Link(0), Link(1)),)),
        Record(C),
        Record(C, inputs=((Link(0),), (Link(0),))),
        Record(C, inputs=((Link(0),),)),
    ]
    links = [record.inputs for record in normalized(records)]
    one, both = ((Link(0),),), ((Link(0), Link(1)),)
    assert links == [(), (), (), one, ((Link(1),),), both, ((Link(0),), (Link(0),))]


def test_equal_records_are_one_with_the_newest_result() -> None:
    def step(parent: int, *results: LayerResult) -> Record:
        return Record(B, inputs=((Link(parent),),), results=results)

    records = [Record(A), Record(A), step(0, LayerResult(1, NOON)), step(1, LayerResult(2, NOON[:-1] + ".5Z")), step(1)]
    assert normalized(records) == (Record(A), step(0, LayerResult(2, NOON[:-1] + ".5Z")))


def test_a_link_given_twice_is_one() -> None:
    records = [Record(A), Record(B, inputs=((Link(0), Link(0)),)), Record(B, inputs=((Link(0),),))]
    assert normalized(records) == (Record(A), Record(B, inputs=((Link(0),),)))


def test_an_input_without_links_is_never_written() -> None:
    with pytest.raises(ValueError, match="without links"):
        encode_records([Record(A, inputs=((),))])


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Record, ...]:
    """Records whose links lead backwards."""
    records: list[Record] = []
    for _ in range(draw(st.integers(0, 8))):
        inputs: tuple[tuple[Link, ...], ...] = ()
        if records:
            links = st.builds(Link, st.integers(0, len(records) - 1), st.sampled_from(["", SELECTOR]))
            inputs = tuple(draw(st.lists(st.lists(links, min_size=1, max_size=3).map(tuple), max_size=3)))
        times = st.sampled_from(["", NOON, "2023-05-05T01:02:03.000000004Z"])
        results = st.lists(st.builds(LayerResult, st.integers(0, 4), times), max_size=2).map(tuple)
        chains = st.lists(st.builds(ChainResult, st.just((0, 2)), times), max_size=1).map(tuple)
        records.append(Record(draw(st.sampled_from([A, B, C, D])), inputs, draw(results), draw(chains)))
    return tuple(records)


@given(graphs())
def test_what_is_written_is_read_back_and_written_the_same_again(records: tuple[Record, ...]) -> None:
    data = encode_records(records)
    found = decode_records(data, layers=5)
    assert found == normalized(records)
    assert encode_records(found) == data


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(records: tuple[Record, ...], random: Any) -> None:
    order = list(range(len(records)))
    random.shuffle(order)
    position = {old: new for new, old in enumerate(order)}
    shuffled = [
        Record(
            records[old].digest,
            tuple(tuple(Link(position[link.parent], link.selector) for link in links) for links in records[old].inputs),
            records[old].results,
            records[old].chains,
        )
        for old in order
    ]
    assert encode_records(shuffled) == encode_records(records)


@pytest.mark.parametrize("name", sorted(golden()["cases"]))
def test_the_records_of_every_buildkit_survive_us(name: str) -> None:
    """Read, merged, sorted, written and read again, they are the same graph."""
    for group in golden()["cases"][name]["groups"]:
        plain = [
            {"digest": digest}
            | ({"inputs": [[{"selector": at, "link": to} for at, to in links] for links in inputs]} if inputs else {})
            | ({"layers": [{"layer": layer, "createdAt": NOON} for layer in layers]} if layers else {})
            | ({"chains": [{"layers": chain, "createdAt": NOON} for chain in chains]} if chains else {})
            for digest, inputs, layers, chains in group["rec"]
        ]
        found = decode_records(text(*plain), layers=10)
        again = decode_records(encode_records(found), layers=10)
        assert graph_of(again) == graph_of_golden(group["rec"])


# Hostile images


ROOT = {"digest": A}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b"null", "not a list"),
        (b"{}", "not a list"),
        (text(1), "not an object"),  # type: ignore[arg-type]
        (text({}), "not a digest"),
        (text({"digest": "random:abc"}), "not a digest"),
        (text({"digest": "sha256:abc"}), "not a digest"),
        (text({"digest": 5}), "not a digest"),
        (text({"digest": A, "inputs": [[]]}), "without links"),
        (text({"digest": A, "inputs": ""}), "not a list"),
        (text({"digest": A, "inputs": [[{"link": 0}]]}), "loop"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": 2}]]}, {"digest": C, "inputs": [[{"link": 1}]]}), "loop"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": 2}]]}), "does not exist"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": -1}]]}), "does not exist"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": True}]]}), "does not exist"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": 0.0}]]}), "does not exist"),
        (text(ROOT, {"digest": B, "inputs": [[{"link": 0, "selector": "/"}]]}), "not a digest"),
        (text({"digest": A, "layers": [{"layer": 3}]}), "but there are 3"),
        (text({"digest": A, "layers": [{"layer": -1}]}), "but there are 3"),
        (text({"digest": A, "layers": {"layer": 1}}), "not a list"),
        (text({"digest": A, "layers": [{"layer": 0}] * 101}), "more than 100"),
        (text({"digest": A, "layers": [{"layer": 0, "createdAt": "yesterday"}]}), "not a time"),
        (text({"digest": A, "layers": [{"layer": 0, "createdAt": "\ud800"}]}), "not a time"),
        (text({"digest": A, "layers": [{"layer": 0, "createdAt": NOON + "\n"}]}), "not a time"),
        (text({"digest": A, "chains": [{"layers": [0, 3]}]}), "but there are 3"),
        (text({"digest": A, "chains": [{"layers": [0] * 4}]}), "more than 3"),
        (b'[{"digest":"' + A.encode() + b'","layers":[{"layer":' + b"9" * 5000 + b"}]}]", "not JSON"),
        (b'[{"digest":"' + A.encode() + b'","layers":[{"layer":NaN}]}]', "but there are 3"),
    ],
)
def test_broken_records_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecords, match=reason):
        decode_records(data, layers=3)


def test_more_than_anyone_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    links = text(ROOT, {"digest": B, "inputs": [[{"link": 0}] * 3]})
    decode_records(links, layers=0)
    for limit, value in (("MAX_BYTES", len(links) - 1), ("MAX_RECORDS", 1), ("MAX_LINKS", 2)):
        with monkeypatch.context() as patched:
            patched.setattr(record_json, limit, value)
            with pytest.raises(InvalidRecords, match="more than"):
                decode_records(links, layers=0)


def test_unknown_members_nulls_and_absent_numbers_are_read_as_go_reads_them() -> None:
    data = text({"digest": A, "inputs": None, "layers": [{"new": 1}], "chains": None, "new": {}})
    assert decode_records(data, layers=1) == (Record(A, results=(LayerResult(0),)),)


def test_a_chain_of_no_layers_is_no_result() -> None:
    assert decode_records(text({"digest": A, "chains": [{"layers": []}, {}]}), layers=1) == (Record(A),)


def test_links_may_lead_forwards_and_deep() -> None:
    chain = [{"digest": A, "inputs": [[{"link": number + 1}]]} for number in range(20_000)]
    found = decode_records(text(*chain, ROOT), layers=0)
    assert len(normalized(found)) == 20_001


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.sampled_from(["", A, B, NOON, "x", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["digest", "inputs", "layers", "chains", "layer", "link", "selector", "createdAt"]), inner
        )
    ),
    max_leaves=30,
)


@given(st.binary(max_size=40) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_hostile_text_gives_records_or_a_refusal_and_nothing_else(data: bytes) -> None:
    try:
        records = decode_records(data, layers=3)
    except InvalidRecords:
        return
    encode_records(records)


_RECORD = st.fixed_dictionaries(
    {"digest": st.sampled_from([A, B])},
    optional={
        "inputs": st.lists(st.lists(st.fixed_dictionaries({"link": st.integers(-1, 4)}), max_size=2), max_size=2),
        "layers": st.lists(st.fixed_dictionaries({"layer": st.integers(-1, 3)}), max_size=2),
        "chains": st.lists(st.fixed_dictionaries({"layers": st.lists(st.integers(-1, 3), max_size=3)}), max_size=2),
    },
)


@given(st.lists(_RECORD, max_size=4))
def test_nearly_right_records_are_safe_to_walk_once_they_are_accepted(records: list[dict[str, Any]]) -> None:
    try:
        found = decode_records(text(*records), layers=3)
    except InvalidRecords:
        return
    for record in found:
        assert all(0 <= link.parent < len(found) for links in record.inputs for link in links)
        assert all(record.inputs)
        assert all(0 <= result.layer < 3 for result in record.results)
        assert all(0 <= layer < 3 for chain in record.chains for layer in chain.layers)
    encode_records(found)
