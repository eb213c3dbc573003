"""One registry and one daemon of each builder for the whole session: starting them is what takes long."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.workshop import Workshop
from tests.support.daemons import Builder, missing_buildkitd, missing_dockerd, running_buildkitd, running_dockerd
from tests.support.images import missing_busybox
from tests.support.registry import missing_registry, running_registry


@dataclass(frozen=True)
class Other:
    """The real builder that our engine is held against."""

    name: str
    builder: Builder


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    if os.geteuid() != 0:
        pytest.skip("needs root: steps change users and owners")
    if missing := missing_busybox() or missing_registry():
        pytest.skip(missing)
    if not (runtime := os.environ.get("IMAGEBUILD_RUNTIME", "")):
        pytest.skip("IMAGEBUILD_RUNTIME names no runc: make interop sets it (python3 tests/cluster/tools.py path runc)")
    folder = tmp_path_factory.mktemp("interop")
    with running_registry(folder / "registry") as registry:
        yield Workshop(registry, folder, runtime)


@pytest.fixture(scope="session")
def dockerd(workshop: Workshop) -> Iterator[Builder]:
    if missing := missing_dockerd():
        pytest.skip(missing)
    with running_dockerd(workshop.folder / "dockerd") as builder:
        yield builder


@pytest.fixture(scope="session")
def buildkitd(workshop: Workshop) -> Iterator[Builder]:
    if missing := missing_buildkitd():
        pytest.skip(missing)
    with running_buildkitd(workshop.folder / "buildkitd", workshop.registry.host) as builder:
        yield builder


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Other:
    """The builder that the test's parameter names."""
    return Other(request.param, request.getfixturevalue(request.param))
