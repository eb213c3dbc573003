"""Whole lives of ImageBuilds on a fake cluster."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from imagebuild_engine.contract import Reason, decode_request
from imagebuild_operator.cluster import Refused
from imagebuild_operator.handlers import Reconciler
from imagebuild_operator.metrics import Metrics
from imagebuild_operator.reconcile import Limits, Policy
from imagebuild_operator.render import BuilderOptions
from imagebuild_operator.resource import Profile

from tests.support.fake_cluster import DIGEST, FakeCluster, Killed
from tests.support.image_builds import spec_of

START = datetime(2026, 1, 1, tzinfo=UTC)


class Story:
    """A cluster and an operator that may be killed and started again."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.cluster = FakeCluster(START)
        self.policy = policy or Policy()
        self.metrics = Metrics("test")
        self.restart()

    def restart(self) -> None:
        options = BuilderOptions(image="builder:1")
        self.reconciler = Reconciler(
            self.cluster, policy=self.policy, builder=options, metrics=self.metrics, clock=lambda: self.cluster.now
        )

    async def step(self, name: str = "web", seconds: float = 0) -> float | None:
        self.cluster.now += timedelta(seconds=seconds)
        return await self.reconciler.reconcile("shop", name)

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"imagebuild_{name}", labels) or 0.0

    @property
    def status(self) -> dict[str, Any]:
        return self.cluster.status("web")


async def started(policy: Policy | None = None, **members: Any) -> Story:
    story = Story(policy)
    story.cluster.apply("web", spec_of(**members))
    await story.step()
    story.cluster.start("web-1-1")
    await story.step()
    return story


async def test_first_build_succeeds() -> None:
    story = await started()
    assert story.status["phase"] == "Running"
    story.cluster.succeed("web-1-1")
    await story.step(seconds=40)
    status = story.status
    assert status["phase"] == "Succeeded"
    assert status["image"]["ref"] == f"registry.example/shop/web@{DIGEST}"
    assert status["cache"]["summary"] == "2/3"
    assert status["source"]["revision"] == "4f2c9d1"
    assert status["history"][0]["digest"] == DIGEST
    assert story.cluster.condition("web", "Ready")["status"] == "True"  # type: ignore[index]
    assert story.cluster.condition("web", "Reconciling") is None
    assert story.cluster.told() == ["BuildStarted", "CacheResolved", "ImagePushed", "CacheMissed"]
    assert story.count("builds_total", result="succeeded", category="") == 1
    assert story.count("cache_imports_total", outcome="used", kind="previous") == 1


async def test_nothing_is_written_or_counted_when_nothing_changed() -> None:
    story = await started()
    story.cluster.succeed("web-1-1")
    await story.step()
    writes = story.cluster.writes
    for _ in range(3):
        await story.step(seconds=5)
    assert story.cluster.writes == writes
    assert story.count("builds_total", result="succeeded", category="") == 1


async def test_second_build_asks_the_first_ones_digest_for_cache() -> None:
    story = await started()
    story.cluster.succeed("web-1-1")
    await story.step()
    story.cluster.apply("web", spec_of(rebuild={"token": "2"}))
    await story.step()
    request = decode_request(story.cluster.objects["ConfigMap", "shop", "web-2-1"]["data"]["request.json"].encode())
    assert [(one.kind, one.ref) for one in request.cache_from] == [
        ("previous", f"registry.example/shop/web@{DIGEST}"),
        ("previous", "registry.example/shop/web:1"),
    ]


async def test_a_bad_dockerfile_stalls_and_is_never_tried_again() -> None:
    story = await started()
    story.cluster.fail("web-1-1", Reason.DOCKERFILE_INVALID, 10, "Dockerfile:1: unknown instruction")
    assert await story.step() is not None  # retention
    stalled = story.cluster.condition("web", "Stalled")
    assert stalled
    assert stalled["reason"] == "DockerfileInvalid"
    await story.step(seconds=3600)
    assert story.cluster.created_pods == ["web-1-1"]
    assert story.count("build_failures_total", reason="DockerfileInvalid", category="User") == 1


async def test_a_changed_spec_after_a_failure_is_a_new_revision_even_if_only_memory_changed() -> None:
    story = await started()
    story.cluster.finish("web-1-1", "", 137, reason="OOMKilled")
    await story.step()
    assert story.status["failure"]["reason"] == "OutOfMemory"
    story.cluster.apply("web", spec_of(pod={"resources": {"limits": {"memory": "4Gi"}}}))
    await story.step()
    assert story.cluster.created_pods == ["web-1-1", "web-2-1"]


async def test_a_deleted_pod_is_retried_once_and_ends_well() -> None:
    story = await started()
    story.cluster.remove_pod("web-1-1")
    await story.step()
    assert story.status["attempts"][0]["reason"] == "PodDeleted"
    assert story.cluster.objects == {}, "its ConfigMap goes too"
    assert story.cluster.condition("web", "Reconciling")["reason"] == "Retrying"  # type: ignore[index]
    await story.step(seconds=1)
    assert story.cluster.created_pods == ["web-1-1"], "the pause is kept"
    await story.step(seconds=12)
    story.cluster.succeed("web-1-2")
    await story.step()
    assert story.status["phase"] == "Succeeded"
    assert story.count("retries_total", reason="PodDeleted") == 1


async def test_infrastructure_failures_end_after_three_retries() -> None:
    story = await started()
    for attempt in range(1, 10):
        name = f"web-1-{attempt}"
        if name not in story.cluster.created_pods:
            break
        story.cluster.fail(name, Reason.REGISTRY_UNAVAILABLE, 20)
        await story.step()
        await story.step(seconds=400)
    assert len(story.cluster.created_pods) == 4
    assert story.status["phase"] == "Failed"
    assert story.status["failure"]["reason"] == "RegistryUnavailable"


async def test_disruptions_have_a_cap_of_their_own_beyond_the_attempts_that_are_kept() -> None:
    story = await started()
    for attempt in range(1, 30):
        name = f"web-1-{attempt}"
        if name not in story.cluster.created_pods:
            break
        story.cluster.objects["Pod", "shop", name]["status"] = {
            "phase": "Failed",
            "reason": "Evicted",
            "message": "low",
        }
        await story.step()
        await story.step(seconds=400)
    assert len(story.cluster.created_pods) == 11
    assert len(story.status["attempts"]) == 10
    assert story.status["failure"]["reason"] == "PodEvicted"


async def test_a_new_revision_waits_until_the_old_builder_is_gone() -> None:
    story = await started()
    story.cluster.apply("web", spec_of(target="other"))
    await story.step()
    assert story.status["revision"] == 2
    assert story.cluster.pods() == []
    assert story.cluster.created_pods == ["web-1-1"]
    await story.step()
    assert story.cluster.created_pods == ["web-1-1", "web-2-1"]
    assert story.status["history"][0]["reason"] == "Superseded"
    assert "Superseded" in story.cluster.told()
    assert story.count("builds_total", result="superseded", category="Cancelled") == 1


async def test_suspend_stops_the_builder_and_resume_goes_on() -> None:
    story = await started()
    story.cluster.apply("web", spec_of(suspend=True))
    await story.step()
    await story.step()
    assert story.cluster.pods() == []
    assert story.cluster.condition("web", "Ready")["reason"] == "Suspended"  # type: ignore[index]
    story.cluster.apply("web", spec_of(suspend=False))
    await story.step()
    assert story.cluster.created_pods == ["web-1-1", "web-1-2"]


async def test_suspending_a_finished_build_leaves_it_ready() -> None:
    story = await started()
    story.cluster.succeed("web-1-1")
    await story.step()
    story.cluster.apply("web", spec_of(suspend=True))
    await story.step()
    assert story.cluster.condition("web", "Ready")["status"] == "True"  # type: ignore[index]
    assert story.status["observedGeneration"] == 2


async def test_an_invalid_spec_stalls_with_the_fields_path_and_a_fixed_one_builds() -> None:
    story = Story()
    story.cluster.apply("web", spec_of(platforms=["linux/arm64"]))
    await story.step()
    await story.step()
    stalled = story.cluster.condition("web", "Stalled")
    assert stalled
    assert stalled["message"] == "not supported yet: spec.platforms"
    assert story.cluster.pods() == []
    assert story.count("build_failures_total", reason="InvalidSpec", category="User") == 1
    story.cluster.apply("web", spec_of())
    await story.step()
    assert story.cluster.created_pods == ["web-1-1"]
    assert story.cluster.condition("web", "Stalled") is None


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refused('pods "web-1-1" is forbidden: exceeded quota: small', 403), "QuotaForbidden"),
        (Refused('pods "web-1-1" is forbidden: violates PodSecurity "restricted"', 403), "ProfileNotAllowed"),
        (Refused('Pod "web-1-1" is invalid: spec.containers[0].resources', 422), "InvalidSpec"),
    ],
)
async def test_a_refused_pod_is_a_clear_terminal_failure(refusal: Refused, reason: str) -> None:
    story = Story()
    story.cluster.refuse_pods = refusal
    story.cluster.apply("web", spec_of())
    await story.step()
    assert story.status["phase"] == "Failed"
    assert story.status["failure"]["reason"] == reason


async def test_a_profile_over_the_administrators_cap_starts_nothing() -> None:
    story = Story(Policy(default_profile=Profile.RESTRICTED, max_profile=Profile.RESTRICTED))
    story.cluster.apply("web", spec_of(pod={"securityProfile": "Privileged"}))
    await story.step()
    assert story.status["failure"]["reason"] == "ProfileNotAllowed"
    assert story.cluster.created_pods == []


async def test_with_a_limit_of_one_the_older_build_goes_first() -> None:
    story = Story(Policy(limits=Limits(per_namespace=1)))
    for name in ("one", "two", "three"):
        story.cluster.apply(name, spec_of())
        await story.step(name)
        story.cluster.now += timedelta(seconds=2)
    assert story.cluster.created_pods == ["one-1-1"]
    assert story.cluster.status("two")["phase"] == "Queued"
    story.cluster.succeed("one-1-1")
    for name in ("one", "three", "two"):
        await story.step(name)
    assert story.cluster.created_pods == ["one-1-1", "two-1-1"]


async def test_finished_pods_go_after_their_time_with_their_config_map() -> None:
    story = await started()
    story.cluster.succeed("web-1-1")
    again = await story.step()
    assert again
    assert 590 <= again <= 600
    await story.step(seconds=601)
    assert story.cluster.objects == {}
    assert story.status["phase"] == "Succeeded"


async def test_a_missing_image_build_is_an_outcome_and_no_failure() -> None:
    story = await started(cache={"from": [{"imageBuildRef": {"name": "nobody"}}]})
    story.cluster.succeed("web-1-1")
    await story.step()
    assert story.status["phase"] == "Succeeded"
    assert story.status["cache"]["imports"][0]["outcome"] == "not_found"
    assert story.count("cache_imports_total", outcome="not_found", kind="imagebuild") == 1


async def test_with_on_import_error_fail_a_missing_image_build_is_waited_for() -> None:
    story = Story()
    story.cluster.apply("web", spec_of(cache={"from": [{"imageBuildRef": {"name": "base"}}], "onImportError": "Fail"}))
    assert (await story.step() or 0) <= 10
    assert (story.status["phase"], story.cluster.created_pods) == ("Queued", [])
    assert "there is no ImageBuild base" in story.cluster.condition("web", "Ready")["message"]  # type: ignore[index]
    story.cluster.apply("base", spec_of())
    await story.step("base")
    story.cluster.succeed("base-1-1")
    await story.step("base")
    await story.step()
    assert story.cluster.created_pods == ["base-1-1", "web-1-1"]


async def test_with_on_import_error_fail_a_source_that_may_not_be_believed_is_final_and_starts_nothing() -> None:
    story = Story(Policy(trusted_repositories=("registry.example/shop/*",)))
    story.cluster.apply("web", spec_of(cache={"from": [{"image": "elsewhere.example/a:1"}], "onImportError": "Fail"}))
    await story.step()
    failure = story.status["failure"]
    assert (failure["reason"], failure["category"]) == ("CacheSourceUntrusted", "Policy")
    assert "elsewhere.example/a is not among the repositories that the administrator trusts" in failure["message"]
    assert story.cluster.created_pods == []


async def test_an_untrusted_source_is_not_asked_and_does_not_fail_the_build() -> None:
    story = await started(Policy(trusted_repositories=("registry.example/shop/*",)), cache={"from": [{"image": "a:1"}]})
    story.cluster.succeed("web-1-1")
    await story.step()
    assert story.status["phase"] == "Succeeded"
    assert story.status["cache"]["imports"][0]["outcome"] == "untrusted"
    condition = story.cluster.condition("web", "CacheImported")
    assert condition
    assert (condition["status"], condition["reason"]) == ("False", "ImportFailed")
    assert "CacheImportFailed" in story.cluster.told()
    assert story.count("cache_imports_total", outcome="untrusted", kind="image") == 1


async def test_events_that_cannot_be_written_disturb_nothing() -> None:
    story = Story()
    story.cluster.refuse_events = Refused("events is forbidden", 403)
    story.cluster.apply("web", spec_of())
    assert await story.step() is not None
    story.cluster.start("web-1-1")
    await story.step()
    story.cluster.succeed("web-1-1")
    await story.step()
    assert story.status["phase"] == "Succeeded"
    assert story.cluster.told() == []


async def test_what_is_known_of_the_cache_is_absent_while_a_build_goes_on() -> None:
    story = await started()
    assert story.cluster.condition("web", "CacheImported") is None
    story.cluster.succeed("web-1-1")
    await story.step()
    first = story.cluster.condition("web", "CacheImported")
    assert first
    assert (first["status"], first["reason"], first["observedGeneration"]) == ("True", "AllImported", 1)
    story.cluster.apply("web", spec_of(rebuild={"token": "2"}))
    await story.step()
    assert story.cluster.condition("web", "CacheImported") is None


async def test_a_pod_of_a_deleted_namesake_is_not_adopted() -> None:
    story = await started()
    story.cluster.builds.clear()
    story.cluster.apply("web", spec_of())
    story.cluster.builds["shop", "web"]["metadata"]["uid"] = "another"
    story.cluster.succeed("web-1-1")
    await story.step()
    assert story.status["phase"] == "Pending"
    del story.cluster.objects["Pod", "shop", "web-1-1"]
    del story.cluster.objects["ConfigMap", "shop", "web-1-1"]
    await story.step()
    assert story.cluster.created_pods == ["web-1-1", "web-1-1"]


async def play(story: Story) -> None:
    """A user, a kubelet and an operator until the end, with one eviction and one change of the spec on the way."""
    for turn in range(60):
        await story.step(seconds=15)
        if turn == 12:
            story.cluster.apply("web", spec_of(target="changed"))
        for name in story.cluster.working_pods():
            if name == "web-1-1":
                story.cluster.objects["Pod", "shop", name]["status"] = {"phase": "Failed", "reason": "Evicted"}
            elif name.startswith("web-1-"):
                story.cluster.start(name)
            else:
                story.cluster.succeed(name)
        assert len(story.cluster.working_pods()) <= 1


@pytest.mark.parametrize("when", ["fail_at", "fail_after"])
async def test_killed_at_any_write_the_end_is_the_same(when: str) -> None:
    quiet = Story()
    quiet.cluster.apply("web", spec_of())
    await play(quiet)
    assert quiet.status["phase"] == "Succeeded"
    for number in range(1, quiet.cluster.writes + 1):
        story = Story()
        story.cluster.apply("web", spec_of())
        setattr(story.cluster, when, number)
        try:
            await play(story)
        except Killed:
            story.restart()
            setattr(story.cluster, when, None)
            await play(story)
        assert story.status["phase"] == "Succeeded", number
        assert story.status["revision"] == 2, number
        assert sorted(set(story.cluster.created_pods)) == sorted(story.cluster.created_pods), f"{number}: made twice"
        assert story.cluster.working_pods() == []
