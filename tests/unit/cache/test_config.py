"""The cacheconfig and its table of layers: written as BuildKit does, read with suspicion."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import (
    NO_PARENT,
    CacheConfig,
    ChainResult,
    InvalidRecords,
    LayerPlaces,
    LayerResult,
    LayerTable,
    Link,
    Record,
    config,
    decode_config,
    encode_config,
    joined,
    record_json,
    table,
    without_layers,
)
from imagebuild_engine.core.oci import Digest

A, B, C, D = sorted(Digest.of(text.encode()) for text in "abcd")
NOON = "2024-01-01T12:00:00Z"


def text(**value: Any) -> bytes:
    return json.dumps(value).encode()


@st.composite
def configs(draw: st.DrawFn) -> CacheConfig:
    """Layers that lie on earlier ones or on none, records that are linked to earlier ones."""
    places = LayerPlaces()
    for _ in range(draw(st.integers(0, 6))):
        places.place_on(draw(st.integers(NO_PARENT, len(places.blobs) - 1)), draw(st.sampled_from([A, B, C, D])))
    count = len(places.blobs)
    records: list[Record] = []
    for _ in range(draw(st.integers(0, 6))):
        inputs: tuple[tuple[Link, ...], ...] = ()
        if records:
            links = st.builds(Link, st.integers(0, len(records) - 1), st.sampled_from(["", A]))
            inputs = tuple(draw(st.lists(st.lists(links, min_size=1, max_size=3).map(tuple), max_size=2)))
        results: tuple[LayerResult, ...] = ()
        chains: tuple[ChainResult, ...] = ()
        if count:
            numbers = st.integers(0, count - 1)
            results = tuple(draw(st.lists(st.builds(LayerResult, numbers, st.sampled_from(["", NOON])), max_size=1)))
            chains = tuple(
                draw(
                    st.lists(
                        st.builds(
                            ChainResult,
                            st.lists(numbers, min_size=1, max_size=3, unique=True).map(tuple),
                            st.just(NOON),
                        ),
                        max_size=1,
                    )
                )
            )
        records.append(Record(draw(st.sampled_from([A, B, C, D])), inputs, results, chains))
    return CacheConfig(blobs=tuple(places.blobs), table=places.table, records=tuple(records))


def meaning(value: CacheConfig) -> set[tuple[Any, ...]]:
    """Keys with the blobs of their results: what must not change when places do."""

    def blobs(places: tuple[int, ...]) -> tuple[Digest, ...]:
        return tuple(value.blobs[place] for place in places)

    return {
        (record.digest, kind, blobs(value.table.layers(result)))
        for record in value.records
        for kind, results in (("layers", record.results), ("chains", record.chains))
        for result in results
    }


@given(configs())
def test_what_is_written_is_read_back_and_written_the_same_again(value: CacheConfig) -> None:
    normal, _ = value.normalized()
    found = decode_config(encode_config(normal))
    assert found == normal
    assert found.normalized()[0] == normal


@given(configs(), st.randoms(use_true_random=False))
def test_the_order_of_layers_does_not_matter(value: CacheConfig, random: Any) -> None:
    order = list(range(len(value.blobs)))
    random.shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    moved = CacheConfig(
        blobs=tuple(value.blobs[old] for old in order),
        table=LayerTable(
            tuple(
                parent if parent == NO_PARENT else place[parent] for parent in (value.table.parents[o] for o in order)
            )
        ),
        records=tuple(
            Record(
                record.digest,
                record.inputs,
                tuple(LayerResult(place[result.layer], result.created_at) for result in record.results),
                tuple(ChainResult(tuple(place[n] for n in item.layers), item.created_at) for item in record.chains),
            )
            for record in value.records
        ),
    )
    moved.table.depths()
    assert meaning(moved) == meaning(value)
    if not any(len(set(item.layers)) > 1 for record in value.records for item in record.chains):
        assert encode_config(moved.normalized()[0]) == encode_config(value.normalized()[0])


def test_a_parent_is_left_out_where_it_is_zero() -> None:
    value = CacheConfig(blobs=(A, B, C), table=LayerTable((-1, 0, 1)), records=(Record(D),))
    assert encode_config(value).decode() == (
        f'{{"layers":[{{"blob":"{A}","parent":-1}},{{"blob":"{B}"}},{{"blob":"{C}","parent":1}}],'
        f'"records":[{{"digest":"{D}"}}]}}'
    )
    assert encode_config(CacheConfig()) == b"{}"


def test_layers_are_sorted_by_blob_and_records_follow_them() -> None:
    places = LayerPlaces()
    base = places.place_on(NO_PARENT, C)
    one = places.place_on(base, A)
    twin = places.place_on(places.place_on(base, B), A)
    assert places.place_on(base, A) == one != twin
    run = Record(D, results=(LayerResult(twin, NOON),))
    normal, order = CacheConfig(blobs=tuple(places.blobs), table=places.table, records=(run,)).normalized()
    assert normal.blobs == (A, A, B, C)
    assert normal.table.parents == (3, 2, 3, -1)
    assert normal.records[0].results == (LayerResult(1, NOON),)
    assert order == (one, twin, 2, base)


def test_records_of_several_images_stay_apart() -> None:
    one = (Record(A), Record(B, inputs=((Link(0),),), results=(LayerResult(1),)))
    other = (Record(B, inputs=((Link(1),),), chains=(ChainResult((0,)),)), Record(A))
    records, places = joined([(one, LayerTable.stack(2)), (other, LayerTable.stack(1))])
    assert places == LayerTable((-1, 0, -1))
    assert records == (*one, Record(B, inputs=((Link(3),),), chains=(ChainResult((2,)),)), Record(A))


def test_results_on_a_lost_layer_are_lost_and_others_are_kept() -> None:
    forest = LayerTable((-1, 0, 1, -1, 3))
    records = [Record(A, results=(LayerResult(place),)) for place in range(5)]
    records += [Record(B, chains=(ChainResult((2,)),)), Record(B, chains=(ChainResult((1, 4)),))]
    kept = without_layers(records, forest, frozenset({1}))
    assert [bool(record.result) for record in kept] == [True, False, False, True, True, True, False]


ROOT = {"blob": A, "parent": -1}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"[" * 200_000, "not JSON"),
        (b'{"layers":' * 100_000, "not JSON"),
        (b"[]", "not an object"),
        (text(layers={}), "not a list"),
        (text(layers=[1]), "not an object"),
        (text(layers=[{"blob": "x"}]), "not a digest"),
        (text(layers=[{"parent": -1}]), "not a digest"),
        (text(layers=[{"blob": A}]), "loop"),
        (text(layers=[{"blob": A, "parent": 1}, {"blob": B}]), "loop"),
        (text(layers=[ROOT, {"blob": A, "parent": 2}, {"blob": B, "parent": 1}]), "loop"),
        (text(layers=[{"blob": A, "parent": 1}]), "does not exist"),
        (text(layers=[{"blob": A, "parent": -2}]), "does not exist"),
        (text(layers=[{"blob": A, "parent": True}]), "no place"),
        (text(layers=[{"blob": A, "parent": 0.0}]), "no place"),
        (text(layers=[{"blob": A, "parent": "0"}]), "no place"),
        (text(records={}), "not a list"),
        (text(records=[{"digest": A, "inputs": [[]]}]), "without links"),
        (text(records=[{"digest": A, "inputs": [[{"link": 0}]]}]), "loop"),
        (text(records=[{"digest": A, "layers": [{"layer": 0}]}]), "but there are 0"),
        (text(layers=[ROOT], records=[{"digest": A, "layers": [{"layer": 1}]}]), "but there are 1"),
        (text(layers=[ROOT], records=[{"digest": A, "chains": [{"layers": [-1]}]}]), "but there are 1"),
    ],
)
def test_broken_configs_are_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InvalidRecords, match=reason):
        decode_config(data)


def test_more_than_anyone_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pile = text(layers=[{"blob": A, "parent": place - 1} for place in range(4)], records=[{"digest": A}] * 2)
    decode_config(pile)
    for module, limit, value in (
        (record_json, "MAX_BYTES", len(pile) - 1),
        (record_json, "MAX_RECORDS", 1),
        (config, "MAX_LAYERS", 3),
        (table, "MAX_DEPTH", 3),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, limit, value)
            with pytest.raises(InvalidRecords, match="more than"):
                decode_config(pile)


def test_a_deep_pile_is_checked_at_once_wherever_it_starts() -> None:
    count = 40_000
    broad = [{"blob": A, "parent": -1}] + [{"blob": B, "parent": place // 20} for place in range(count)]
    assert len(decode_config(text(layers=broad)).blobs) == count + 1
    deep = [{"blob": A, "parent": place + 1 if place + 1 < count else -1} for place in range(count)]
    with pytest.raises(InvalidRecords, match="more than"):
        decode_config(text(layers=deep))


def test_nulls_and_unknown_members_are_read_as_go_reads_them() -> None:
    data = text(layers=None, records=None, more=1)
    assert decode_config(data) == CacheConfig()
    layer = {"blob": A, "parent": -1, "annotations": {"mediaType": "x", "size": 5}}
    assert decode_config(text(layers=[layer])).blobs == (A,)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats() | st.sampled_from(["", A, B, NOON, "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["layers", "records", "blob", "parent", "digest", "layer", "chains"]), inner)
    ),
    max_leaves=30,
)


@given(st.binary(max_size=40) | _JSON.map(lambda value: json.dumps(value).encode()))
def test_hostile_text_gives_a_config_or_a_refusal_and_nothing_else(data: bytes) -> None:
    try:
        found = decode_config(data)
    except InvalidRecords:
        return
    encode_config(found.normalized()[0])


@given(st.lists(st.integers(-2, 8), max_size=8))
def test_every_chain_of_an_accepted_table_ends(parents: list[int]) -> None:
    forest = LayerTable(tuple(parents))
    try:
        forest.depths()
    except InvalidRecords:
        return
    for place in range(len(parents)):
        chain = forest.chain(place)
        assert chain[-1] == place
        assert forest.parents[chain[0]] == NO_PARENT
