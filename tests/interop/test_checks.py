"""What a real buildkitd's checks find is what ours find in the same files (tests/unit/checks/test_rules.py)."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.check_cases import AMD64, CASES, IMAGES, PLATFORMS, CheckCase
from tests.support.daemons import Buildkitd, missing_buildkitd, running_buildkitd
from tests.support.images import busybox_layer, missing_busybox, push_image
from tests.support.registry import RunningRegistry, missing_registry, running_registry

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]

_FINDING = re.compile(r"^WARNING: (\w+)[^\n]*\n.*?(?=^WARNING: |\Z)", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"^Dockerfile:(\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    if missing := missing_buildkitd() or missing_busybox() or missing_registry():
        pytest.skip(missing)
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def buildkitd(tmp_path_factory: pytest.TempPathFactory, registry: RunningRegistry) -> Iterator[Buildkitd]:
    with running_buildkitd(tmp_path_factory.mktemp("buildkitd"), registry.host) as buildkitd:
        yield buildkitd


@pytest.fixture(scope="module")
def images(registry: RunningRegistry) -> dict[str, str]:
    names = {name: f"{registry.host}/checks/{name}:1" for name in IMAGES}
    layer = busybox_layer()
    for name, config in IMAGES.items():
        push_image(names[name], [layer], config, PLATFORMS.get(name, AMD64))
    return names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_buildkit_finds_what_we_find(
    tmp_path: Path, buildkitd: Buildkitd, images: dict[str, str], case: CheckCase
) -> None:
    context = tmp_path / "context"
    case.write(context, images)
    assert _findings(buildkitd, context, case) == case.found


def _findings(buildkitd: Buildkitd, context: Path, case: CheckCase) -> Counter[tuple[str, int]]:
    """The findings of the frontend's lint request; buildctl prints their text."""
    options = {"requestid": "frontend.lint"} | {f"build-arg:{name}": value for name, value in case.arguments.items()}
    options |= {"target": case.target} if case.target else {}
    command = [
        *(*buildkitd.buildctl, "build", "--progress", "plain", "--frontend", "dockerfile.v0"),
        *("--local", f"context={context}", "--local", f"dockerfile={context}"),
        *(part for name, value in options.items() for part in ("--opt", f"{name}={value}")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    places = ((finding[1], _PLACE.search(finding[0])) for finding in _FINDING.finditer(done.stdout))
    return Counter((rule, int(place[1]) if place else 0) for rule, place in places)
