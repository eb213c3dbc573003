"""Records as steps and stages, and two caches beside each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import (
    CachedSteps,
    ChainResult,
    InputKeys,
    LayerResult,
    LayerTable,
    Link,
    Parting,
    Record,
    Spelling,
    Stacks,
    StepKeys,
    build_records,
    compare,
    normalized,
    selector_of,
    steps_of,
)
from imagebuild_engine.core.oci import Digest

from tests.support.golden import golden, records_of_golden

ROOT = selector_of(["/"])
PATHS = selector_of(["/out"])
NOON = "2024-01-01T12:00:00Z"
STACK = Stacks(LayerTable.stack(10), [str(place) for place in range(10)])


def key(name: str) -> Digest:
    return Digest.of(name.encode())


def step(
    name: str, below: int, layer: int | None = None, *, reads: InputKeys | None = None, run: bool = False
) -> StepKeys:
    """A step on another one. One that runs is written differently by older versions."""
    inputs = (InputKeys(step=below, selector=ROOT if run else ""), *((reads,) if reads else ()))
    older = Spelling(digests=(key(f"{name} of old"),), selectors=("",) * len(inputs))
    return StepKeys(
        keys=(key(name),),
        inputs=inputs,
        result=None if layer is None else LayerResult(layer, NOON),
        older=(older,) if run else (),
    )


def project(base: str = "base", content: str = "a.txt", build: str = "make", last: str = "end") -> tuple[Record, ...]:
    """FROM base AS build / RUN make / FROM base / RUN first / COPY --from=build / COPY a.txt / RUN end"""
    files = InputKeys(step=1, content=frozenset({key(content)}))
    stage = InputKeys(step=2, selector=PATHS, content=frozenset({key("out")}))
    steps = [
        StepKeys(keys=(key(base), key(f"{base} chain"))),
        StepKeys(keys=()),
        step(build, 0, run=True),
        step("first", 0, 1, run=True),
        step("copy from", 3, 2, reads=stage),
        step("copy", 4, 3, reads=files),
        step(last, 5, 4, run=True),
    ]
    return normalized(build_records(steps, 6))


def names(records: tuple[Record, ...], steps: CachedSteps) -> list[list[str]]:
    """Stages as the names of their steps, by the current spelling of their keys."""
    known = {key(name): name for name in ("make", "first", "copy from", "copy", "end", "other", "more")}
    return [[known[records[steps.steps[number].records[0]].digest] for number in stage] for stage in steps.stages]


def test_stages_come_in_the_order_of_a_dockerfile_with_the_aliases_of_their_steps() -> None:
    records = project()
    found = steps_of(records, STACK)
    assert names(records, found) == [["make"], ["first", "copy from", "copy", "end"]]
    spelled = [[records[number].digest for number in item.records] for item in found.steps]
    assert spelled == [
        [key("make"), key("make of old")],
        [key("first"), key("first of old")],
        [key("copy from")],
        [key("copy")],
        [key("end"), key("end of old")],
    ]
    assert [item.result.top if item.result else None for item in found.steps] == [None, 1, 2, 3, 4]
    assert [item.base for item in found.steps] == [None, None, 1, 2, 3]


def test_a_step_says_what_it_reads() -> None:
    found = steps_of(project(), STACK)
    base, copied = found.steps[2].inputs
    assert (base.step, base.contents, base.sources) == (1, (), ())
    assert (copied.step, copied.contents, copied.selects) == (0, (key("out"),), (PATHS,))
    assert found.steps[3].inputs[1].contents == (key("a.txt"),)
    first = found.steps[0].inputs[0]
    assert set(first.sources) == {key("base"), key("base chain")}


def test_a_stage_that_another_one_goes_on_from_is_one_of_its_own() -> None:
    steps = [StepKeys(keys=(key("base"),)), step("first", 0), step("make", 1)]
    other = step("other", 1, reads=InputKeys(step=2, selector=PATHS))
    records = build_records([*steps, other], 3)
    found = steps_of(records, STACK)
    assert names(records, found) == [["first", "make"], ["other"]]
    assert found.steps[2].base == 0


def test_steps_that_share_a_layer_one_on_the_other_are_two() -> None:
    """A step that changes nothing may name the layer of the one below."""
    records = (
        Record(key("base")),
        Record(key("first"), inputs=((Link(0),),), results=(LayerResult(1, NOON),)),
        Record(key("other"), inputs=((Link(1),),), results=(LayerResult(1, NOON),)),
    )
    assert names(records, steps_of(records, STACK)) == [["first", "other"]]


def test_equal_caches_have_all_steps_in_common() -> None:
    records = project()
    found = steps_of(records, STACK)
    result = compare(records, found, records, found)
    assert result.both == {number: number for number in range(5)}
    assert (result.only_first, result.only_second, result.parting) == ((), (), None)


@pytest.mark.parametrize(
    ("change", "both", "parting"),
    [
        ({"content": "changed"}, {0, 1, 2}, Parting(3, 3, "files")),
        ({"last": "other"}, {0, 1, 2, 3}, Parting(4, 4, "instruction")),
        ({"base": "new"}, set(), Parting(0, 0, "base")),
    ],
)
def test_the_first_difference_is_found_and_explained(change: dict[str, str], both: set[int], parting: Parting) -> None:
    first, second = project(), project(**change)
    result = compare(first, steps_of(first, STACK), second, steps_of(second, STACK))
    assert set(result.both) == both
    assert result.parting == parting


def test_another_way_to_make_the_same_files_is_a_difference_of_that_stage_only() -> None:
    first, second = project(), project(build="more")
    result = compare(first, steps_of(first, STACK), second, steps_of(second, STACK))
    assert (result.only_first, result.only_second) == ((0,), (0,))
    assert result.parting == Parting(0, 0, "instruction")


def test_one_way_of_knowing_an_input_is_enough_to_be_the_same() -> None:
    """BuildKit links to one key of a base image only if it had the image already."""
    whole = project()
    keys = {record.digest for record in whole} - {key("base chain")}
    place = {number: at for at, number in enumerate(n for n, record in enumerate(whole) if record.digest in keys)}
    less = tuple(
        Record(
            record.digest,
            tuple(
                tuple(Link(place[link.parent], link.selector) for link in links if link.parent in place)
                for links in record.inputs
            ),
            record.results,
            record.chains,
        )
        for record in whole
        if record.digest in keys
    )
    result = compare(less, steps_of(less, STACK), whole, steps_of(whole, STACK))
    assert result.parting is None


def test_one_cache_may_go_on_where_the_other_ends() -> None:
    first = (Record(key("base")), Record(key("first"), inputs=((Link(0),),)))
    second = (*first, Record(key("more"), inputs=((Link(1),),)))
    result = compare(first, steps_of(first, STACK), second, steps_of(second, STACK))
    assert result.parting == Parting(None, 1, "instruction")


@pytest.mark.parametrize("name", sorted(golden()["cases"]))
def test_every_step_of_every_buildkit_is_in_one_stage(name: str) -> None:
    for group in golden()["cases"][name]["groups"]:
        records = records_of_golden(group["rec"])
        found = steps_of(records, STACK)
        assert sorted(number for stage in found.stages for number in stage) == list(range(len(found.steps)))
        assert set(found.step_of) == {number for number, record in enumerate(records) if record.inputs}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Record, ...]:
    records: list[Record] = []
    for _ in range(draw(st.integers(0, 9))):
        inputs: tuple[tuple[Link, ...], ...] = ()
        if records:
            links = st.builds(Link, st.integers(0, len(records) - 1), st.sampled_from(["", ROOT, PATHS]))
            inputs = tuple(draw(st.lists(st.lists(links, min_size=1, max_size=3).map(tuple), max_size=3)))
        results = st.lists(st.builds(LayerResult, st.integers(0, 3)), max_size=1).map(tuple)
        chains = st.lists(st.builds(ChainResult, st.sampled_from([(0,), (0, 1), (2,)])), max_size=1).map(tuple)
        records.append(Record(key(str(draw(st.integers(0, 4)))), inputs, draw(results), draw(chains)))
    return tuple(records)


@given(graphs())
def test_whatever_graph_there_is_each_step_is_numbered_once_and_equal_to_itself(records: tuple[Record, ...]) -> None:
    found = steps_of(records, STACK)
    assert [number for stage in found.stages for number in stage] == list(range(len(found.steps)))
    assert sorted(record for item in found.steps for record in item.records) == sorted(found.step_of)
    result = compare(records, found, records, found)
    assert (result.only_first, result.only_second, result.parting) == ((), (), None)


def test_equal_stacks_have_equal_names_in_all_caches() -> None:
    one = Stacks(LayerTable((-1, 0, 1)), ["base", "x", "y"])
    other = Stacks(LayerTable((1, 2, -1, -1)), ["y", "x", "base", "x"])
    assert one.name(LayerResult(2)) == other.name(LayerResult(0)) == one.name(ChainResult((0, 1, 2)))
    assert one.name(ChainResult((1,))) == other.name(LayerResult(3)) != other.name(LayerResult(1))
    assert (one.depth(LayerResult(2)), one.depth(ChainResult((1,)))) == (3, 1)
