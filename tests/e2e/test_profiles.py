"""Builder pods in the profiles of the API: what each admits, and what a step sees there."""

import re
from typing import Any

import pytest

from tests.cluster.access import Access
from tests.support.builds import base, condition, image_build
from tests.support.product import Kubectl, Repository

pytestmark = pytest.mark.cluster


def build(
    access: Access, kubectl: Kubectl, repository: Repository, image: str, profile: str, lines: str
) -> dict[str, Any]:
    repository.write({"Dockerfile": f"FROM {base(access)}\n{lines}\n", "greeting": "hello\n"})
    kubectl.apply(image_build("web", repository, f"{image}:1", pod={"securityProfile": profile}))
    return kubectl.finished("web")


def enforce(kubectl: Kubectl, level: str) -> None:
    kubectl.run("label", "namespace", kubectl.namespace, f"pod-security.kubernetes.io/enforce={level}")


def log(kubectl: Kubectl) -> str:
    (pod,) = kubectl.pods("web")
    return kubectl.run("logs", pod["metadata"]["name"])


def test_restricted_builds_what_has_no_step_to_run(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    enforce(kubectl, "restricted")
    status = build(installed, kubectl, repository, image, "Restricted", 'COPY greeting /\nCMD ["cat", "/greeting"]')
    assert status["phase"] == "Succeeded", status


def test_restricted_names_the_line_that_needs_more(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    enforce(kubectl, "restricted")
    status = build(installed, kubectl, repository, image, "Restricted", "RUN echo hello > /hello")
    assert status["failure"]["reason"] == "NotSupported", status
    assert status["failure"]["category"] == "User"
    assert status["failure"]["line"] == 2
    assert "securityProfile" in status["failure"]["message"]
    assert status["attempt"] == 1


def test_a_namespace_that_does_not_admit_the_profile_is_a_policy_failure(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    enforce(kubectl, "restricted")
    status = build(installed, kubectl, repository, image, "Baseline", "RUN true")
    assert status["failure"]["reason"] == "ProfileNotAllowed", status
    assert "PodSecurity" in status["failure"]["message"]
    assert not kubectl.pods("web")


def test_baseline_runs_steps_by_chroot(installed: Access, kubectl: Kubectl, repository: Repository, image: str) -> None:
    enforce(kubectl, "baseline")
    lines = "RUN echo x > /file && chown 33:44 /file && ls -n /file\nUSER nobody\nRUN id"
    status = build(installed, kubectl, repository, image, "Baseline", lines)
    assert status["phase"] == "Succeeded", log(kubectl)
    (pod,) = kubectl.pods("web")
    assert "privileged" not in pod["spec"]["containers"][0]["securityContext"]
    assert re.search(r" 33 +44 ", log(kubectl))
    assert "uid=65534(nobody)" in log(kubectl)


def test_user_namespace_runs_steps_in_containers(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    """A fresh /proc, a process id of one's own, and 65,536 ids of which none is the node's root."""
    if not installed.disposable:
        pytest.skip("needs nodes with user namespaces and our seccomp profile: the disposable cluster has both")
    enforce(kubectl, "baseline")
    lines = 'RUN echo "pid $$, map $(cat /proc/self/uid_map)"\nUSER nobody\nRUN id'
    status = build(installed, kubectl, repository, image, "UserNamespace", lines)
    assert status["phase"] == "Succeeded", log(kubectl)
    said = log(kubectl)
    found = re.search(r"pid 1, map\s+0\s+(\d+)\s+65536", said)
    assert found, said
    assert "uid=65534(nobody)" in said
    (pod,) = kubectl.pods("web")
    assert pod["spec"]["hostUsers"] is False
    assert pod["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"] == ["ALL"]


def test_more_than_the_administrator_allows_is_refused_before_any_pod(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    status = build(installed, kubectl, repository, image, "Privileged", "RUN true")
    assert status["failure"]["reason"] == "ProfileNotAllowed"
    assert condition(status, "Stalled")["reason"] == "ProfileNotAllowed"
    assert not kubectl.pods("web")
