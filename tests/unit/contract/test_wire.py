"""What operator and engine say to each other fits, survives, and refuses what it does not know."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.contract import (
    FAILURES,
    TERMINATION_MESSAGE_LIMIT,
    BuildRequest,
    BuildResult,
    CacheResult,
    CacheSource,
    CacheSourceResult,
    Category,
    DirectorySource,
    GitSource,
    HostEntry,
    ImageResult,
    InvalidWire,
    MissReason,
    Output,
    Reason,
    SecretSource,
    Source,
    SshForward,
    StepResult,
    UlimitEntry,
    decode_request,
    decode_result,
    encode_request,
    encode_result,
    failure,
    reason_of_exit_code,
)

TEXT = st.text(max_size=3000)
DIGEST = "sha256:" + "0" * 64
FAILED = st.builds(
    lambda message, stage, step, excerpt, tail: BuildResult(
        failure=failure(Reason.STEP_FAILED, message, stage=stage, step=step, line=3, excerpt=excerpt, log_tail=tail)
    ),
    *[TEXT] * 5,
)
STEPS = st.lists(
    st.builds(
        lambda text, outcome: StepResult(stage="s", line=1, instruction=text, outcome=outcome),
        st.text(max_size=200),
        st.sampled_from(["hit", "miss"]),
    ),
    max_size=60,
)
SOURCES = st.lists(
    st.builds(
        lambda ref, reason: CacheSourceResult(ref=ref, outcome="error", reason=reason),
        st.text(alphabet="abc/:", max_size=300),
        st.text(max_size=300),
    ),
    max_size=16,
)
SUCCEEDED = st.builds(
    lambda steps, sources, refs: BuildResult(
        image=ImageResult(
            digest=DIGEST, config_digest=DIGEST, media_type="m", platform="linux/amd64", size=1, refs=tuple(refs)
        ),
        steps=tuple(steps),
        cache=CacheResult(total=len(steps), sources=tuple(sources)),
    ),
    STEPS,
    SOURCES,
    st.lists(st.text(alphabet="abc/:", max_size=250), max_size=32),
)


@settings(max_examples=60)
@given(FAILED | SUCCEEDED)
def test_a_termination_message_always_fits_and_keeps_reason_and_digest(result: BuildResult) -> None:
    data = encode_result(result, TERMINATION_MESSAGE_LIMIT)
    assert len(data) <= TERMINATION_MESSAGE_LIMIT
    kept = decode_result(data)
    if result.failure:
        assert kept.failure is not None
        assert (kept.failure.reason, kept.failure.line) == (Reason.STEP_FAILED, 3)
    else:
        assert kept.image is not None
        assert kept.image.digest == DIGEST
        assert kept.cache.total == result.cache.total


def test_of_a_long_result_the_first_miss_keeps_its_detail_and_all_reasons_are_counted() -> None:
    steps = [
        StepResult(stage="s", line=1, instruction="RUN " + "x" * 300, outcome="miss", reason=reason, detail=("a", "b"))
        for reason in [MissReason.FILES_CHANGED, *[MissReason.PARENT_MISSED] * 199]
    ]
    failed = BuildResult(
        failure=failure(Reason.STEP_FAILED, "m" * 3000, log_tail="t" * 5000, excerpt="e" * 3000),
        steps=tuple(steps),
        cache=CacheResult(total=200, misses=200, reasons={"FilesChanged": 1, "ParentMissed": 199}),
    )
    kept = decode_result(encode_result(failed, TERMINATION_MESSAGE_LIMIT))
    assert (kept.steps[0].reason, kept.steps[0].detail) == (MissReason.FILES_CHANGED, ("a", "b"))
    assert {step.detail for step in kept.steps[1:]} <= {()}
    assert kept.cache.reasons == {"FilesChanged": 1, "ParentMissed": 199}


def test_a_result_that_fits_is_not_cut() -> None:
    result = BuildResult(failure=failure(Reason.STEP_FAILED, "m", log_tail="x" * 2000))
    assert decode_result(encode_result(result, TERMINATION_MESSAGE_LIMIT)) == result


def test_a_request_survives_the_wire() -> None:
    request = BuildRequest(
        source=Source(git=GitSource(url="https://git.example/a.git"), context_dir="app"),
        output=Output(images=("reg.example/a:1",), push=True),
        build_args={"A": "1"},
        cache_from=(CacheSource(ref="reg.example/a:0", kind="previous"),),
        secrets=(SecretSource(id="a", path="/a"), SecretSource(id="b", env="B")),
        ssh=(SshForward(id="default", paths=("/s",)),),
        allow=("security.insecure",),
        network="none",
        extra_hosts=(HostEntry(host="a", address="::1"),),
        shm_size=1 << 40,
        ulimits=(UlimitEntry(name="nofile", soft=-1, hard=(1 << 63) - 1),),
        cgroup_parent="/a",
        hostname="h",
    )
    assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "truncated"),
        (b'{"source":{"directory":{"path":"/c"}},"version":2}', "version"),
        (b'{"source":{"directory":{"path":"/c"}},"targt":"x"}', "targt"),
        (b'{"source":{"directory":{"path":1}}}', r"source\.directory\.path"),
        (b'{"source":{},"secrets":[{"id":"a","value":"x"}]}', "value"),
        (b'{"source":{},"secrets":[{"id":""}]}', r"secrets.*\.id"),
        (b'{"source":{},"ulimits":[{"name":"x","soft":1,"hard":1}]}', "x"),
        (b'{"source":{},"allow":["everything"]}', "everything"),
        (b'{"source":{},"shmSize":-1}', "shmSize"),
        (b"[" * 100_000, "build request"),
        (b" " * (1 << 21), "larger than"),
    ],
)
def test_a_request_that_is_not_understood_is_refused_by_member(data: bytes, complaint: str) -> None:
    with pytest.raises(InvalidWire, match=complaint):
        decode_request(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_result_or_invalid(data: bytes) -> None:
    with suppress(InvalidWire):
        decode_result(data)


def test_a_result_must_be_an_image_or_a_failure() -> None:
    with pytest.raises(InvalidWire, match="exactly one"):
        decode_result(b"{}")


def test_every_reason_has_a_class_and_exit_codes_are_unique_and_in_their_range() -> None:
    assert set(FAILURES) == set(Reason)
    codes = [known.exit_code for known in FAILURES.values() if known.exit_code is not None]
    assert len(codes) == len(set(codes))
    ranges = {
        Category.USER: range(10, 20),
        Category.INFRASTRUCTURE: range(20, 30),
        Category.AMBIGUOUS: range(30, 40),
        Category.POLICY: range(40, 50),
    }
    for known in FAILURES.values():
        if known.exit_code is not None and known.category in ranges:
            assert known.exit_code in ranges[known.category]


def test_user_errors_are_never_retried() -> None:
    assert not [reason for reason, known in FAILURES.items() if known.category is Category.USER and known.retry]


@pytest.mark.parametrize(("code", "reason"), [(11, "StepFailed"), (137, "OutOfMemory"), (139, "BuilderCrashed")])
def test_an_exit_code_stands_for_a_reason(code: int, reason: str) -> None:
    assert reason_of_exit_code(code) == reason


def test_a_directory_source_is_taken_as_it_is() -> None:
    request = BuildRequest(source=Source(directory=DirectorySource(path="/c", dereference=True)))
    assert decode_request(encode_request(request)).source.directory == DirectorySource(path="/c", dereference=True)
