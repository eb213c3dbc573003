"""The status stays below 16 KiB whatever a builder says, and comes back as it was written."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_operator.resource import (
    STATUS_LIMIT,
    Attempt,
    Cache,
    Condition,
    Export,
    Failure,
    FirstMiss,
    HistoryEntry,
    Image,
    Import,
    Miss,
    SourceStatus,
    Status,
    capped,
    decode_status,
    encode_status,
)

# Control characters take six bytes of JSON each, emoji four bytes of UTF-8.
TEXT = st.builds(
    lambda unit, count: unit * count, st.sampled_from(["a", "\x01", "é", "😀", '"', "\\"]), st.integers(0, 9000)
)


@settings(max_examples=150, deadline=None)
@given(text=TEXT, other=TEXT, imports=st.integers(0, 300), attempts=st.integers(0, 40), history=st.integers(0, 40))
def test_no_status_reaches_the_cap(text: str, other: str, imports: int, attempts: int, history: int) -> None:
    status = Status(
        conditions=tuple(Condition(type=f"T{i}", status="True", reason=other, message=text) for i in range(6)),
        image=Image(ref=text, digest="sha256:" + "a" * 64, media_type=other),
        source=SourceStatus(revision=text),
        cache=Cache(
            imports=tuple(Import(from_="image", ref=text, reason=other) for _ in range(imports)),
            first_miss=FirstMiss(stage=text, instruction=text, reason=other, detail=text, compared_with=other),
            missed_steps=tuple(Miss(step=2**53, reason=other) for _ in range(imports)),
            export=Export(outcome=other, reason=text),
        ),
        attempts=tuple(Attempt(number=i, pod_name=text, node=other) for i in range(attempts)),
        failure=Failure(
            category="User", reason="StepFailed", message=text, stage=other, step=text, excerpt=text, log_tail=other
        ),
        builder_version=text,
        history=tuple(
            HistoryEntry(revision=i, outcome="Succeeded", digest="sha256:" + "a" * 64) for i in range(history)
        ),
    )
    small = capped(status)
    assert len(msgspec.json.encode(small)) < STATUS_LIMIT
    assert small.failure
    assert small.failure.reason == "StepFailed"
    assert small.image
    assert small.image.digest == status.image.digest if status.image else False
    assert capped(small) == small
    assert decode_status(encode_status(small)) == small


def test_a_status_that_is_not_ours_to_read_counts_as_none() -> None:
    assert decode_status({"revision": "many"}) == Status()
    assert decode_status(None) == Status()


def test_fields_of_a_newer_version_do_not_hide_ours() -> None:
    assert decode_status({"revision": 3, "fromTheFuture": {}}) == Status(revision=3)
