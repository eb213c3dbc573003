"""One cluster and one installation for all e2e tests, a namespace for each."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import ready
from tests.cluster.access import Access
from tests.support.product import Kubectl, Repository, build_image, git_server, install, until


@pytest.fixture(scope="session")
def access() -> Access:
    if os.geteuid() != 0 and os.environ.get("IMAGEBUILD_USE_CLUSTER") != "1":
        pytest.skip("needs root for the disposable cluster, or IMAGEBUILD_USE_CLUSTER=1 with KUBECONFIG")
    return ready(None)


@pytest.fixture(scope="session")
def installed(access: Access) -> Access:
    """The operator runs on the cluster, from the chart, with an image of this checkout."""
    install(access, build_image(access))
    return access


@pytest.fixture
def kubectl(installed: Access) -> Iterator[Kubectl]:
    """A namespace of its own, gone afterwards."""
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    Kubectl(installed, "default").run("create", "namespace", namespace)
    kubectl = Kubectl(installed, namespace)
    # Pods are refused until the namespace has its service account.
    until(lambda: kubectl.get("serviceaccount", "default"), bool, "the namespace's service account")
    yield kubectl
    Kubectl(installed, "default").run("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="session")
def git_root(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("git")
    with git_server(access.host, folder) as url:
        yield folder, url


@pytest.fixture
def repository(git_root: tuple[Path, str]) -> Repository:
    folder, url = git_root
    name = f"{uuid.uuid4().hex[:8]}.git"
    return Repository(folder / name, f"{url}/{name}/.git")


@pytest.fixture
def image(installed: Access, kubectl: Kubectl) -> str:
    """A repository of the test's own in the cluster's registry."""
    return f"{installed.registry}/{kubectl.namespace}/app"


@pytest.fixture
def private(installed: Access) -> Access:
    """The installation, where it has a registry with passwords. It is asked over plain HTTP."""
    if not installed.private_registry:
        pytest.skip(
            "IMAGEBUILD_TEST_PRIVATE_REGISTRY names no registry with passwords (the disposable cluster has one)"
        )
    return installed
