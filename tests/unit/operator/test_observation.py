"""What a pod's end means, row by row; the termination message is hostile until proved otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.contract import BuildResult, Reason, encode_result, failure
from imagebuild_operator.reconcile import Absent, Finished, Lost, Running, Terminating, Waiting, observe
from imagebuild_operator.resource import rfc3339

from tests.support.fake_cluster import success_result

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUCCESS = encode_result(success_result()).decode()
STEP_FAILED = encode_result(BuildResult(failure=failure(Reason.STEP_FAILED, "RUN make: exit code 2"))).decode()
STOPPED = encode_result(BuildResult(failure=failure(Reason.CANCELLED, "interrupted"))).decode()


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-1-1", "creationTimestamp": rfc3339(NOW), **metadata}, "status": status}


def ended(code: int, message: str = "", **more: Any) -> dict[str, Any]:
    terminated = {"exitCode": code, "message": message, **more.pop("terminated", {})}
    phase = "Failed" if code else "Succeeded"
    return {"phase": phase, "containerStatuses": [{"state": {"terminated": terminated}}], **more}


def disrupted(word: str) -> dict[str, Any]:
    return {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": word}]}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ended(137, terminated={"reason": "OOMKilled"}), Reason.OUT_OF_MEMORY),
        (ended(137), Reason.OUT_OF_MEMORY),
        (ended(139), Reason.BUILDER_CRASHED),
        (ended(0), Reason.BUILDER_CRASHED),
        (ended(0, "garbage"), Reason.BUILDER_CRASHED),
        (ended(0, STEP_FAILED), Reason.BUILDER_CRASHED),
        (ended(11, "{"), Reason.STEP_FAILED),
        (ended(11, SUCCESS), Reason.STEP_FAILED),
        (ended(11, SUCCESS[:100]), Reason.STEP_FAILED),
        (ended(130, STOPPED), Reason.BUILDER_CRASHED),
        (ended(130), Reason.BUILDER_CRASHED),
        (ended(1), Reason.OPERATOR_BUG),
        ({"phase": "Failed", "reason": "Evicted", "message": "node was low on memory"}, Reason.POD_EVICTED),
        (
            {"phase": "Failed", "reason": "Evicted", "message": 'Usage of EmptyDir volume "state" exceeds the limit'},
            Reason.EPHEMERAL_STORAGE_EXCEEDED,
        ),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, Reason.TIMED_OUT),
        (ended(137, reason="DeadlineExceeded"), Reason.TIMED_OUT),
        ({"phase": "Failed", "reason": "OutOfcpu"}, Reason.POD_UNSCHEDULABLE),
        ({"phase": "Failed"}, Reason.BUILDER_CRASHED),
        (disrupted("PreemptionByScheduler"), Reason.PREEMPTED),
        (disrupted("DeletionByTaintManager"), Reason.NODE_LOST),
        (disrupted("EvictionByEvictionAPI"), Reason.POD_EVICTED),
        (disrupted("SomethingNew"), Reason.POD_EVICTED),
    ],
)
def test_a_builder_that_died_is_lost_for_a_reason(status: dict[str, Any], reason: Reason) -> None:
    seen = observe(pod(status), NOW)
    assert isinstance(seen, Lost)
    assert seen.reason is reason


def test_a_result_that_agrees_with_its_exit_code_is_believed() -> None:
    done, broken = observe(pod(ended(0, SUCCESS)), NOW), observe(pod(ended(11, STEP_FAILED)), NOW)
    assert isinstance(done, Finished)
    assert done.result.image
    assert isinstance(broken, Finished)
    assert broken.result.failure
    assert broken.result.failure.reason is Reason.STEP_FAILED


def test_a_pushed_image_stands_even_if_the_pod_was_deleted_meanwhile() -> None:
    assert isinstance(observe(pod(ended(0, SUCCESS), deletionTimestamp=rfc3339(NOW)), NOW), Finished)
    lost = observe(pod(ended(130, STOPPED), deletionTimestamp=rfc3339(NOW)), NOW)
    assert isinstance(lost, Lost)
    assert lost.reason is Reason.POD_DELETED


def test_a_digest_that_is_none_is_not_believed() -> None:
    message = encode_result(success_result(digest="sha256:short")).decode()
    assert isinstance(observe(pod(ended(0, message)), NOW), Lost)


def test_a_pod_on_its_way_out_is_waited_for_but_not_for_ever() -> None:
    leaving = pod({"phase": "Running"}, deletionTimestamp=rfc3339(NOW))
    assert isinstance(observe(leaving, NOW), Terminating)
    lost = observe(leaving, NOW + timedelta(minutes=2))
    assert isinstance(lost, Lost)
    assert lost.reason is Reason.NODE_LOST


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"phase": "Pending"}, None),
        ({"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, None),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            Reason.BUILDER_IMAGE_PULL_FAILED,
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [{"state": {"waiting": {"reason": "CreateContainerConfigError"}}}],
            },
            Reason.SECRET_MISSING,
        ),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
            Reason.POD_UNSCHEDULABLE,
        ),
    ],
)
def test_a_pod_that_has_not_started_says_what_it_waits_for(status: dict[str, Any], reason: Reason | None) -> None:
    seen = observe(pod(status), NOW)
    assert isinstance(seen, Waiting)
    assert seen.reason is reason


def test_no_pod_is_absent_and_a_running_one_runs() -> None:
    assert observe(None, NOW) == Absent()
    running = {"phase": "Running", "containerStatuses": [{"state": {"running": {"startedAt": rfc3339(NOW)}}}]}
    assert observe(pod(running), NOW) == Running(started=NOW, created=NOW)


@given(message=st.text(max_size=300), code=st.integers(0, 255))
def test_no_termination_message_crashes_the_operator_or_makes_an_image(message: str, code: int) -> None:
    seen = observe(pod(ended(code, message)), NOW)
    assert isinstance(seen, Lost)
