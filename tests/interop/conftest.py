"""One registry and one daemon of each builder for the whole session, and all builds of the chosen tests."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.interop import table
from tests.interop.corpus import Case
from tests.interop.schedule import Schedule
from tests.interop.workshop import Workshop, opened_workshop
from tests.support.daemons import (
    Builder,
    Buildkitd,
    missing_buildkitd,
    missing_dockerd,
    running_buildkitd,
    running_dockerd,
)
from tests.support.images import missing_busybox
from tests.support.registry import missing_registry, running_registry


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    if os.geteuid() != 0:
        pytest.skip("needs root: steps change users and owners")
    if missing := missing_busybox() or missing_registry():
        pytest.skip(missing)
    if not (runtime := os.environ.get("IMAGEBUILD_RUNTIME", "")):
        pytest.skip("IMAGEBUILD_RUNTIME names no runc: make interop sets it (python3 tests/cluster/tools.py path runc)")
    folder = tmp_path_factory.mktemp("interop")
    with running_registry(folder / "registry") as registry, opened_workshop(registry, folder, runtime) as workshop:
        yield workshop


@pytest.fixture(scope="session")
def builders(request: pytest.FixtureRequest, workshop: Workshop) -> Iterator[dict[str, Builder]]:
    """Those of the real builders that a chosen test asks for."""
    wanted = {name for name, _ in _pairs(request.session)}
    with ExitStack() as stack:
        found: dict[str, Builder] = {}
        if "dockerd" in wanted and not missing_dockerd():
            found["dockerd"] = stack.enter_context(running_dockerd(workshop.folder / "dockerd"))
        if "buildkitd" in wanted and not missing_buildkitd():
            host = workshop.registry.host
            found["buildkitd"] = stack.enter_context(running_buildkitd(workshop.folder / "buildkitd", host))
        yield found


@pytest.fixture(scope="session")
def buildkitd(workshop: Workshop) -> Iterator[Buildkitd]:
    """A buildkitd beside the others, whose cache a test may prune: nobody else builds with it meanwhile."""
    if missing := missing_buildkitd():
        pytest.skip(missing)
    with running_buildkitd(workshop.folder / "buildkitd-alone", workshop.registry.host) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def schedule(request: pytest.FixtureRequest, workshop: Workshop, builders: dict[str, Builder]) -> Iterator[Schedule]:
    """The builds of all chosen tests, begun when the first of them asks."""
    pairs = [pair for pair in _pairs(request.session) if pair[0] in builders]
    schedule = Schedule(workshop, builders, pairs)
    yield schedule
    schedule.close()
    if os.environ.get("IMAGEBUILD_WRITE_TABLE") == "1":
        table.FILE.write_text(table.render(schedule.counted))


@pytest.fixture
def builder(request: pytest.FixtureRequest, builders: dict[str, Builder]) -> str:
    """The name of the builder that the test is about."""
    name: str = request.param
    if name not in builders:
        pytest.skip(missing_dockerd() if name == "dockerd" else missing_buildkitd())
    return name


def _pairs(session: pytest.Session) -> list[tuple[str, Case]]:
    """Builders and cases of the chosen tests, each pair once."""
    found: dict[tuple[str, str], tuple[str, Case]] = {}
    for item in session.items:
        given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if "builder" in given and "case" in given:
            found[given["builder"], given["case"].name] = (given["builder"], given["case"])
    return list(found.values())
