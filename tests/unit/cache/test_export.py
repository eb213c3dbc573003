"""From steps to records: what a cache in an image says, and what it leaves out."""

from imagebuild_engine.core.cache import (
    CacheIndex,
    ChainResult,
    InputKeys,
    LayerResult,
    LayerTable,
    Link,
    Record,
    Spelling,
    StepKeys,
    build_records,
    encode_records,
    normalized,
)
from imagebuild_engine.core.oci import Digest

K1, K2, RUN, COPY, CONTENT = (Digest.of(name.encode()) for name in ("k1", "k2", "run", "copy", "content"))
AT_ROOT = Digest.of(b"/")
RESULT = LayerResult(1, "2024-01-01T00:00:00Z")
IMAGE = StepKeys(keys=(K1, K2), result=LayerResult(0))
CONTEXT = StepKeys(keys=())


def digests(records: tuple[Record, ...]) -> set[Digest]:
    return {record.digest for record in records}


def test_a_step_is_linked_to_all_keys_of_its_image() -> None:
    run = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0, selector=AT_ROOT),), result=RESULT)
    records = build_records([IMAGE, run], 1)
    assert records == (
        Record(K1),
        Record(K2),
        Record(RUN, inputs=((Link(0, AT_ROOT), Link(1, AT_ROOT)),), results=(RESULT,)),
    )


def test_a_source_never_has_a_result() -> None:
    assert all(not record.results for record in build_records([IMAGE], 0))


def test_a_copy_from_the_context_is_known_by_content_alone() -> None:
    copy = StepKeys(
        keys=(COPY,),
        inputs=(InputKeys(step=0), InputKeys(step=1, selector=AT_ROOT, content=frozenset({CONTENT}))),
        result=RESULT,
    )
    records = build_records([IMAGE, CONTEXT, copy], 2)
    (found,) = (record for record in records if record.digest == COPY)
    (link,) = found.inputs[1]
    assert (records[link.parent], link.selector) == (Record(CONTENT), "")


def test_another_stage_is_known_both_ways_and_has_no_result() -> None:
    stage = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),))
    copy = StepKeys(
        keys=(COPY,),
        inputs=(InputKeys(step=0), InputKeys(step=1, selector=AT_ROOT, content=frozenset({CONTENT}))),
        result=RESULT,
    )
    records = build_records([IMAGE, stage, copy], 2)
    index = CacheIndex(records)
    (run,) = (number for number, record in enumerate(records) if record.digest == RUN)
    (content,) = index.root(CONTENT)
    assert index.result(run) is None
    (base,) = index.root(K2)
    assert index.match(COPY, [{("", base)}, {(AT_ROOT, run)}]) == index.match(COPY, [{("", base)}, {("", content)}])
    assert len(records) == 5


def test_what_the_target_does_not_rest_on_is_left_out() -> None:
    used = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),), result=RESULT)
    unused = StepKeys(keys=(COPY,), inputs=(InputKeys(step=0),), result=RESULT)
    assert digests(build_records([IMAGE, unused, used], 2)) == {K1, K2, RUN}


def test_a_step_that_nothing_finds_and_what_rests_on_it_get_no_record() -> None:
    lost = StepKeys(keys=(COPY,), inputs=(InputKeys(step=0),), result=RESULT)
    after = StepKeys(keys=(RUN,), inputs=(InputKeys(step=1),), result=RESULT)
    records = build_records([CONTEXT, lost, after], 2)
    assert records == ()
    assert encode_records(records) == b"[]"


def test_the_same_step_twice_is_one_record() -> None:
    run = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),), result=RESULT)
    twin = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),))
    both = StepKeys(keys=(COPY,), inputs=(InputKeys(step=1), InputKeys(step=2)), result=RESULT)
    records = normalized(build_records([IMAGE, run, twin, both], 3))
    assert sorted(record.digest for record in records) == sorted([K1, K2, RUN, COPY])
    (found,) = (record for record in records if record.digest == RUN)
    assert found.results == (RESULT,)


# Spellings of older versions

OLD_RUN, OTHER_RUN = Digest.of(b"old run"), Digest.of(b"other run")


def spelled(*digests: Digest, selector: str = "") -> tuple[Spelling, ...]:
    return tuple(Spelling(digests=(digest,), selectors=(selector,)) for digest in digests)


def only(records: tuple[Record, ...], digest: Digest) -> Record:
    (found,) = (record for record in records if record.digest == digest)
    return found


def test_each_spelling_is_linked_to_the_same_spelling_of_its_input() -> None:
    first = StepKeys(
        keys=(RUN,), inputs=(InputKeys(step=0, selector=AT_ROOT),), result=RESULT, older=spelled(RUN, OLD_RUN)
    )
    second = StepKeys(keys=(OTHER_RUN,), inputs=(InputKeys(step=1),), older=spelled(OTHER_RUN, COPY))
    records = build_records([IMAGE, first, second], 2)
    by_digest = {record.digest: number for number, record in enumerate(records)}
    assert len(records) == 6
    roots = (by_digest[K1], by_digest[K2])
    assert set(only(records, RUN).inputs[0]) == {Link(root, selector) for root in roots for selector in ("", AT_ROOT)}
    assert set(only(records, OLD_RUN).inputs[0]) == {Link(root) for root in roots}
    assert only(records, OTHER_RUN).inputs == ((Link(by_digest[RUN]),),)
    assert only(records, COPY).inputs == ((Link(by_digest[OLD_RUN]),),)


def test_a_step_that_all_write_the_same_joins_the_chains_of_its_input() -> None:
    run = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),), older=spelled(OLD_RUN, OLD_RUN))
    after = StepKeys(keys=(COPY,), inputs=(InputKeys(step=1),), result=RESULT)
    records = build_records([IMAGE, run, after], 2)
    by_digest = {record.digest: number for number, record in enumerate(records)}
    assert set(only(records, COPY).inputs[0]) == {Link(by_digest[RUN]), Link(by_digest[OLD_RUN])}
    assert only(records, COPY).results == (RESULT,)


def test_only_the_oldest_spelling_names_the_layer_and_the_others_list_the_layers() -> None:
    run = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0),), result=RESULT, older=spelled(RUN, OLD_RUN))
    records = build_records([IMAGE, run], 1)
    assert (only(records, OLD_RUN).results, only(records, OLD_RUN).chains) == ((RESULT,), ())
    chain = ChainResult((0, RESULT.layer), RESULT.created_at)
    assert (only(records, RUN).results, only(records, RUN).chains) == ((), (chain,))


def test_a_result_that_is_a_chain_is_one_in_every_spelling() -> None:
    older = Spelling(digests=(COPY,), selectors=("",))
    linked = ChainResult((2,), "0001-01-01T00:00:00Z")
    step = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0, selector=AT_ROOT),), result=linked, older=(older,))
    records = build_records([IMAGE, step], 1)
    assert [(record.results, record.chains) for record in records if record.inputs] == [((), (linked,))] * 2


def test_in_a_table_the_newer_spelling_names_the_layers_by_their_places() -> None:
    table = LayerTable((-1, 2, 0, -1))
    older = Spelling(digests=(COPY,), selectors=("",))
    step = StepKeys(keys=(RUN,), inputs=(InputKeys(step=0, selector=AT_ROOT),), result=RESULT, older=(older,))
    found = {record.digest: record for record in build_records([IMAGE, step], 1, table)}
    assert (found[COPY].results, found[COPY].chains) == ((RESULT,), ())
    assert (found[RUN].results, found[RUN].chains) == ((), (ChainResult((0, 2, 1), RESULT.created_at),))
