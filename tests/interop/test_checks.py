"""What a real buildkitd's checks find is what ours find in the same files (tests/unit/checks/test_rules.py)."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.interop.workshop import Workshop
from tests.support.check_cases import AMD64, CASES, IMAGES, PLATFORMS, CheckCase
from tests.support.daemons import Buildkitd
from tests.support.images import busybox_layer, push_image

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]

_FINDING = re.compile(r"^WARNING: (\w+)[^\n]*\n.*?(?=^WARNING: |\Z)", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"^Dockerfile:(\d+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def images(workshop: Workshop) -> dict[str, str]:
    names = {name: f"{workshop.registry.host}/checks/{name}:1" for name in IMAGES}
    layer = busybox_layer()
    for name, config in IMAGES.items():
        push_image(names[name], [layer], config, PLATFORMS.get(name, AMD64))
    return names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_buildkit_finds_what_we_find(
    workshop: Workshop, buildkitd: Buildkitd, images: dict[str, str], case: CheckCase
) -> None:
    context = workshop.folder / "checks" / case.name
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
