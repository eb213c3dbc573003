"""The whole way: a manifest applied with kubectl becomes an image, and the next one comes from its cache."""

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.access import Access
from tests.support.builds import NEEDS_NO_BASE, base, condition, files, image_build
from tests.support.product import NAMESPACE, Kubectl, Repository, until

pytestmark = pytest.mark.cluster


def layers_of(access: Access, image: str, digest: str) -> set[str]:
    repository = image.partition("/")[2].partition(":")[0]
    request = urllib.request.Request(
        f"http://{access.registry}/v2/{repository}/manifests/{digest}",
        headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return {layer["digest"] for layer in json.load(answer)["layers"]}


def blobs_read(access: Access, offset: int) -> set[str]:
    assert access.registry_log is not None
    time.sleep(0.5)  # the registry writes a line just after its answer
    text = access.registry_log.read_text(errors="replace")[offset:]
    return set(re.findall(r'"GET /v2/\S+/blobs/(sha256:[0-9a-f]{64}) ', text))


def test_the_first_build_makes_an_image_that_runs(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    commit = repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    status = kubectl.finished("web")
    assert status["phase"] == "Succeeded", status
    assert (status["revision"], status["attempt"], status["observedGeneration"]) == (1, 1, 1)
    assert status["source"]["revision"] == commit
    assert condition(status, "Ready")["status"] == condition(status, "Succeeded")["status"] == "True"
    assert not condition(status, "Stalled")
    assert not condition(status, "Reconciling")
    assert status["cache"]["stepsTotal"] == status["cache"]["misses"] == 5
    assert (
        status["image"]["ref"] == f"{image}@{status['image']['digest']}"
        or status["image"]["digest"] in status["image"]["ref"]
    )
    kubectl.run("wait", "--for=condition=Ready", "imagebuild/web", "--timeout=5s")
    row = kubectl.run("get", "imagebuild", "web", "--no-headers")
    assert "Succeeded" in row
    assert "0/5" in row

    kubectl.run("run", "it", f"--image={status['image']['ref']}", "--restart=Never")
    until(
        lambda: kubectl.get("pod", "it"),
        lambda pod: (pod or {})["status"].get("phase") == "Succeeded",
        "the image runs",
    )
    assert kubectl.run("logs", "it") == "a\nb\nhello\n"


def test_builder_pods_have_no_token_and_the_operator_no_right_on_secrets(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    kubectl.finished("web")
    (pod,) = kubectl.pods("web")
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not any("projected" in volume for volume in pod["spec"]["volumes"])
    account = f"system:serviceaccount:{NAMESPACE}:imagebuild"
    for verb in ("get", "list", "watch", "create"):
        assert kubectl.run("auth", "can-i", verb, "secrets", f"--as={account}", check=False).strip() == "no"


def test_a_cached_rebuild_has_the_same_digest_and_reads_no_layer(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    first = kubectl.finished("web")
    assert installed.registry_log is not None
    mark = len(installed.registry_log.read_text(errors="replace"))
    kubectl.apply(image_build("web", repository, f"{image}:1", rebuild={"token": "again"}))
    second = kubectl.finished("web", revision=2)
    assert second["phase"] == "Succeeded", second
    assert second["image"]["digest"] == first["image"]["digest"]
    assert second["cache"]["hits"] == second["cache"]["stepsTotal"] == 5
    (source,) = second["cache"]["imports"]
    assert (source["from"], source["outcome"], source["digest"]) == ("previous", "used", first["image"]["digest"])
    assert not blobs_read(installed, mark) & layers_of(installed, image, first["image"]["digest"])
    assert [item["digest"] for item in second["history"]] == [first["image"]["digest"]] * 2


def test_one_changed_file_runs_only_what_depends_on_it(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    kubectl.finished("web")
    repository.write({"greeting": "goodbye\n"})
    kubectl.apply(image_build("web", repository, f"{image}:2"))
    status = kubectl.finished("web", revision=2)
    assert (status["cache"]["hits"], status["cache"]["misses"]) == (4, 1)


def test_cache_sources_are_asked_in_the_order_of_the_list(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("one", repository, f"{image}-one:1", cache={"from": []}))
    one = kubectl.finished("one")
    kubectl.apply(image_build("two", repository, f"{image}-two:1", cache={"from": []}))
    two = kubectl.finished("two")
    wanted = [{"imageBuildRef": {"name": "two"}}, {"imageBuildRef": {"name": "one"}}]
    kubectl.apply(image_build("three", repository, f"{image}:1", cache={"from": wanted}))
    status = kubectl.finished("three")
    assert [(item["digest"], item["outcome"]) for item in status["cache"]["imports"]] == [
        (two["image"]["digest"], "used"),
        (one["image"]["digest"], "unused"),
    ]


def test_a_bad_dockerfile_stalls_with_reason_and_excerpt_and_is_not_retried(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write({"Dockerfile": f"FROM {base(installed)}\nRUNN make\n"})
    kubectl.apply(image_build("bad", repository, f"{image}:1"))
    status = kubectl.finished("bad")
    assert (condition(status, "Stalled")["status"], condition(status, "Stalled")["reason"]) == (
        "True",
        "DockerfileInvalid",
    )
    assert status["failure"]["line"] == 2
    assert "RUNN make" in status["failure"]["excerpt"]
    assert 'did you mean "RUN"' in status["failure"]["message"]
    time.sleep(3)
    assert len(kubectl.pods("bad")) == 1
    assert kubectl.status("bad")["attempt"] == 1


def test_a_missing_cache_image_is_an_outcome_and_no_failure(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1", cache={"from": [{"image": f"{image}:never"}]}))
    status = kubectl.finished("web")
    assert status["phase"] == "Succeeded", status
    assert [item["outcome"] for item in status["cache"]["imports"]] == ["not_found"]


def slow(access: Access) -> dict[str, str]:
    return {"Dockerfile": f"FROM {base(access)}\nRUN echo started && sleep 8 && echo done > /done\n"}


def running(kubectl: Kubectl, name: str) -> dict[str, Any]:
    """The builder pod as soon as its container runs."""

    def runs(pods: list[dict[str, Any]]) -> bool:
        return bool(pods) and pods[0]["status"].get("phase") == "Running"

    return until(lambda: kubectl.pods(name), runs, "the builder runs")[0]


def test_an_operator_killed_in_mid_build_ends_it_right_with_one_pod(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(slow(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    pod = running(kubectl, "web")
    system = Kubectl(installed, NAMESPACE)
    for process in operator_processes():
        os.kill(process, signal.SIGKILL)
    status = kubectl.finished("web", seconds=180)
    assert status["phase"] == "Succeeded", status
    assert status["attempt"] == 1
    assert [item["metadata"]["uid"] for item in kubectl.pods("web")] == [pod["metadata"]["uid"]]
    restarts = [item["status"]["containerStatuses"][0]["restartCount"] for item in system.items("pods")]
    assert sum(restarts) >= 1


def operator_processes() -> list[int]:
    """Pids, on this machine, of the operators that run in the disposable cluster."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b"imagebuild-operator") for word in words[:3]):
                found.append(int(entry.name))
    assert found, "no operator runs here"
    return found


def test_a_builder_pod_deleted_in_mid_build_is_replaced_once(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(slow(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    pod = running(kubectl, "web")
    kubectl.run("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    status = kubectl.finished("web", seconds=180)
    assert status["phase"] == "Succeeded", status
    assert status["attempt"] == 2
    assert status["attempts"][0].get("reason") == "PodDeleted"


def test_two_builds_at_once_both_end_well(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(slow(installed))
    kubectl.apply(image_build("one", repository, f"{image}:1"), image_build("two", repository, f"{image}:2"))
    running(kubectl, "one")
    running(kubectl, "two")
    assert {kubectl.finished(name)["phase"] for name in ("one", "two")} == {"Succeeded"}


def test_wrong_push_credentials_have_a_clear_reason_and_leak_nothing(
    private: Access, kubectl: Kubectl, repository: Repository
) -> None:
    repository.write(NEEDS_NO_BASE)
    kubectl.push_secret(private.private_registry, "nobody", "wrong-secret-word")
    manifest = image_build("web", repository, f"{private.private_registry}/app:1")
    manifest["spec"]["output"]["pushSecretRef"] = {"name": "push"}
    kubectl.apply(manifest)
    status = kubectl.finished("web")
    assert (status["failure"]["reason"], status["failure"]["category"]) == ("PushDenied", "User")
    assert condition(status, "Stalled")["reason"] == "PushDenied"
    (pod,) = kubectl.pods("web")
    everything = json.dumps(kubectl.get("imagebuild", "web")) + kubectl.run("logs", pod["metadata"]["name"])
    everything += kubectl.run("get", "events", "-o", "json") + json.dumps(pod)
    assert "wrong-secret-word" not in everything


def test_right_push_credentials_work(private: Access, kubectl: Kubectl, repository: Repository) -> None:
    repository.write(NEEDS_NO_BASE)
    kubectl.push_secret(private.private_registry, private.private_user, private.private_password)
    manifest = image_build("web", repository, f"{private.private_registry}/{kubectl.namespace}/app:1")
    manifest["spec"]["output"]["pushSecretRef"] = {"name": "push"}
    kubectl.apply(manifest)
    assert kubectl.finished("web")["phase"] == "Succeeded"


def test_deleting_in_mid_build_leaves_nothing(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(slow(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    running(kubectl, "web")
    kubectl.run("delete", "imagebuild", "web", "--timeout=20s")

    def left() -> list[str]:
        maps = [item["metadata"]["name"] for item in kubectl.items("configmaps")]
        return [item["metadata"]["name"] for item in kubectl.items("pods")] + [
            name for name in maps if name != "kube-root-ca.crt"
        ]

    until(left, lambda names: not names, "pod and config map are gone", 90)


def test_a_config_map_is_a_context_and_the_dockerfile_can_be_inline(
    installed: Access, kubectl: Kubectl, image: str
) -> None:
    kubectl.run("create", "configmap", "context", "--from-literal=page=hello")
    dockerfile = f"FROM {base(installed)}\nCOPY page /page\n"
    source = {"configMap": {"name": "context"}}
    kubectl.apply(image_build("web", None, f"{image}:1", source=source, dockerfile={"inline": dockerfile}))
    status = kubectl.finished("web")
    assert status["phase"] == "Succeeded", status


def test_metrics_count_what_happened(installed: Access, kubectl: Kubectl, repository: Repository, image: str) -> None:
    before = kubectl.counters()
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    kubectl.finished("web")

    def grown(name: str) -> float:
        return sum(value for key, value in kubectl.counters().items() if key.startswith(name)) - sum(
            value for key, value in before.items() if key.startswith(name)
        )

    until(lambda: grown('imagebuild_cache_steps_total{outcome="miss"}'), lambda value: value == 5, "misses are counted")
    assert grown("imagebuild_builds_total") == 1


def test_suspended_builds_do_not_start_and_resume(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(files(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1", suspend=True))
    kubectl.wait("web", "is suspended", lambda status: condition(status, "Ready").get("reason") == "Suspended")
    assert not kubectl.pods("web")
    kubectl.apply(image_build("web", repository, f"{image}:1", suspend=False))
    assert kubectl.finished("web")["phase"] == "Succeeded"


def test_fields_that_are_not_there_yet_are_refused_by_name(installed: Access, kubectl: Kubectl, image: str) -> None:
    manifest = image_build("web", None, f"{image}:1", source={"configMap": {"name": "x"}}, queueName="q")
    with pytest.raises(RuntimeError, match=r"not supported yet: spec\.queueName"):
        kubectl.apply(manifest)
