"""The decision as a table: state x observation. Whatever comes out keeps kstatus' rules."""

from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta

import pytest
from imagebuild_engine.contract import FAILURES, BuildResult, Reason, failure
from imagebuild_operator.reconcile import (
    Absent,
    CreateAttempt,
    DeleteAttempt,
    Finished,
    Lost,
    Observation,
    OwnedPod,
    Running,
    Terminating,
    Waiting,
    World,
    decide,
)
from imagebuild_operator.reconcile.attempts import backoff
from imagebuild_operator.resource import Identity, InvalidSpec, Status, parse_spec

from tests.support.fake_cluster import success_result
from tests.support.image_builds import spec_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ME = Identity(namespace="shop", name="web", uid="u", generation=1)
SPEC = parse_spec(spec_of())


def world(status: Status, seen: Observation, **members: object) -> World:
    return changed(World(identity=ME, spec=SPEC, status=status, observation=seen, now=NOW), **members)  # type: ignore[arg-type]


def after(*seen: Observation) -> Status:
    status = Status()
    for one in seen:
        status = decide(world(status, one)).status
    return status


FRESH = Status()
STARTING = after(Absent())
RUNNING = after(Absent(), Running(started=NOW))
SUCCESS = Finished(result=success_result(), completed=NOW)
STEP_FAILED = Finished(result=BuildResult(failure=failure(Reason.STEP_FAILED, "RUN make")), exit_code=11)
EVICTED = Lost(reason=Reason.POD_EVICTED, message="low on memory")
SUCCEEDED = after(Absent(), SUCCESS)
FAILED = after(Absent(), STEP_FAILED)
RETRYING = after(Absent(), EVICTED)
STATES = {
    "fresh": FRESH,
    "starting": STARTING,
    "running": RUNNING,
    "succeeded": SUCCEEDED,
    "failed": FAILED,
    "retrying": RETRYING,
}
SEEN = {
    "absent": Absent(),
    "waiting": Waiting(since=NOW, message="ContainerCreating"),
    "unschedulable": Waiting(since=NOW, reason=Reason.POD_UNSCHEDULABLE, message="0/1 nodes"),
    "stuck": Waiting(since=NOW - timedelta(hours=1), reason=Reason.BUILDER_IMAGE_PULL_FAILED, message="no"),
    "no secret": Waiting(since=NOW - timedelta(hours=1), reason=Reason.SECRET_MISSING, message="no"),
    "running": Running(started=NOW),
    "terminating": Terminating(),
    "success": SUCCESS,
    "step failed": STEP_FAILED,
    "evicted": EVICTED,
}


@pytest.mark.parametrize(
    ("state", "seen", "phase", "reconciling", "creates"),
    [
        ("fresh", "absent", "Pending", "Starting", True),
        ("starting", "absent", "Pending", "Starting", True),
        ("starting", "waiting", "Pending", "Starting", False),
        ("starting", "unschedulable", "Pending", "Starting", False),
        ("starting", "stuck", "Pending", "Retrying", False),
        ("starting", "no secret", "Failed", None, False),
        ("starting", "running", "Running", "Building", False),
        ("starting", "success", "Succeeded", None, False),
        ("starting", "step failed", "Failed", None, False),
        ("running", "absent", "Pending", "Retrying", False),
        ("running", "running", "Running", "Building", False),
        ("running", "terminating", "Running", "Building", False),
        ("running", "success", "Succeeded", None, False),
        ("running", "step failed", "Failed", None, False),
        ("running", "evicted", "Pending", "Retrying", False),
        ("retrying", "absent", "Pending", "Retrying", False),
        ("retrying", "evicted", "Pending", "Retrying", False),
        ("succeeded", "absent", "Succeeded", None, False),
        ("succeeded", "running", "Succeeded", None, False),
        ("failed", "absent", "Failed", None, False),
        ("failed", "success", "Failed", None, False),
    ],
)
def test_the_table(state: str, seen: str, phase: str, reconciling: str | None, creates: bool) -> None:
    decision = decide(world(STATES[state], SEEN[seen]))
    found = {condition.type: condition for condition in decision.status.conditions}
    assert decision.status.phase == phase
    assert (found["Reconciling"].reason if "Reconciling" in found else None) == reconciling
    assert any(isinstance(action, CreateAttempt) for action in decision.actions) == creates


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("valid", [False, True])
def test_every_outcome_keeps_the_rules_of_kstatus(state: str, seen: str, suspend: bool, valid: bool) -> None:
    spec = parse_spec(spec_of(suspend=suspend)) if valid else InvalidSpec("spec.x", "no")
    before = STATES[state]
    decision = decide(world(before, SEEN[seen], spec=spec))
    status = decision.status
    found = {condition.type: condition for condition in status.conditions}
    assert len(found) == len(status.conditions)
    assert status.observed_generation == ME.generation
    assert all(condition.observed_generation == ME.generation and condition.reason for condition in found.values())
    assert not ("Reconciling" in found and "Stalled" in found)
    assert all(found[kind].status == "True" for kind in ("Reconciling", "Stalled") if kind in found)
    assert ("Stalled" in found) == (found["Succeeded"].status == "False") == (status.phase == "Failed")
    assert (found["Ready"].status == "True") == (found["Succeeded"].status == "True") == (status.phase == "Succeeded")
    assert ("Reconciling" in found) == (found["Ready"].status == "Unknown")
    if "Reconciling" in found:
        assert decision.requeue_after, "what is in progress is looked at again even if no event comes"
    # Deciding again on what was written changes nothing and counts nothing, unless time or the pod moves.
    if not any(isinstance(action, CreateAttempt) for action in decision.actions) and seen not in {"absent"}:
        again = decide(world(status, SEEN[seen], spec=spec))
        if status.phase in {"Succeeded", "Failed"} or suspend:
            assert again.status == status
            assert again.measures == ()
            assert again.events == ()


def test_transition_time_moves_only_with_the_status() -> None:
    later = decide(world(STARTING, Running(started=NOW), now=NOW + timedelta(minutes=5))).status
    assert {one.last_transition_time for one in later.conditions} == {"2026-01-01T00:00:00Z"}
    done = decide(world(later, SUCCESS, now=NOW + timedelta(minutes=6))).status
    assert {one.last_transition_time for one in done.conditions} == {"2026-01-01T00:06:00Z"}


@pytest.mark.parametrize("reason", Reason)
def test_another_attempt_follows_exactly_where_the_contract_says_so(reason: Reason) -> None:
    decision = decide(world(RUNNING, Lost(reason=reason, message="x")))
    assert (decision.status.phase == "Pending") == FAILURES[reason].retry
    assert decision.status.failure
    assert decision.status.failure.category == FAILURES[reason].category


def test_a_leftover_builder_is_deleted_and_no_new_one_starts_beside_it() -> None:
    leftover = OwnedPod(name="web-0-1")
    decision = decide(world(FRESH, Absent(), pods=(leftover,)))
    assert decision.actions == (DeleteAttempt("web-0-1", "superseded"),)
    assert decision.status.phase == "Queued"


def test_the_pod_of_the_attempt_in_progress_is_never_deleted() -> None:
    decision = decide(world(RUNNING, Running(started=NOW), pods=(OwnedPod(name="web-1-1"),)))
    assert decision.actions == ()


def test_backoff_grows_has_jitter_by_name_and_is_the_same_after_a_restart() -> None:
    policy = world(FRESH, Absent()).policy
    first = backoff(ME, RETRYING.attempts, policy)
    assert first == backoff(ME, RETRYING.attempts, policy)
    assert 10 <= first <= 12
    assert first != backoff(changed(ME, uid="other"), RETRYING.attempts, policy)
    assert 20 <= backoff(ME, RETRYING.attempts * 2, policy) <= 24
    assert backoff(ME, RETRYING.attempts * 60, policy) <= 360
