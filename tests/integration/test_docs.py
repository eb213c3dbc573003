"""Every command of the documentation does what the page says it is for: it is run, in the order of the page."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Workshop, runtime_for
from tests.support.images import push_busybox
from tests.support.registry import running_registry

pytestmark = NEEDS_A_REGISTRY
ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if _BLOCK.search(page.read_text())]


def commands(page: Path) -> Iterator[str]:
    for block in _BLOCK.finditer(page.read_text()):
        yield from (line for line in block[1].splitlines() if line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs").as_posix())
def test_the_commands_of_a_page_work_one_after_the_other(tmp_path: Path, page: Path) -> None:
    with running_registry(tmp_path / "registry") as registry:
        run_page(Workshop(registry, push_busybox(registry.host), tmp_path, tmp_path, runtime_for("oci")), page)


def run_page(workshop: Workshop, page: Path) -> None:
    base = workshop.base
    workshop.write("app/Dockerfile", f"FROM {base} AS b\nRUN echo 1 > /o\nFROM {base}\nCOPY --from=b /o /\n")
    for command in commands(page):
        program, *arguments = shlex.split(command.replace("registry.example", workshop.registry.host))
        assert program == "imagebuild", f"{command}: only the program itself is run here"
        done = workshop.run(*arguments, cwd=workshop.context)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
