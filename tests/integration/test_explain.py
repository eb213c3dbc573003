"""`imagebuild explain`: what the build that made an image said of its steps, read from the registry."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Workshop, opened_workshop

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path) as made:
        made.write("Dockerfile", f"FROM {made.base}\nRUN echo hi > /hi\nCOPY a.txt /\nRUN cat /a.txt > /b.txt\n")
        made.write("a.txt", "one")
        yield made


def test_image_with_an_attached_cache_tells_of_the_build_that_made_it(workshop: Workshop) -> None:
    workshop.build()
    workshop.write("a.txt", "two")
    built = workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    done = workshop.run("explain", workshop.ref("app:2"))
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == f"{workshop.ref('app:2')}@{built.digest}"
    steps = [line for line in lines if line.startswith("step ")]
    assert [line.split("  ")[1].strip() for line in steps] == [
        "RUN echo hi > /hi",
        "COPY a.txt /",
        "RUN cat /a.txt > /b.txt",
    ]
    assert ["HIT" in line for line in steps] == [True, False, False]
    assert [step["reason"] in line for step, line in zip(built.result["steps"][1:], steps[1:], strict=True)] == [
        True,
        True,
    ]

    told = json.loads(workshop.run("explain", "--format", "json", workshop.ref("app:2")).stdout)
    assert [step["outcome"] for step in told["result"]["steps"]] == ["hit", "miss", "miss"]
    page = workshop.folder / "page.html"
    assert workshop.run("explain", "--html", str(page), workshop.ref("app:2")).returncode == 0
    assert "COPY a.txt /" in page.read_text()


def test_image_without_one_says_so_and_shows_the_steps_that_it_knows(workshop: Workshop) -> None:
    workshop.build("--cache-to", "type=inline")
    done = workshop.run("explain", workshop.ref("app:1"))
    assert done.returncode == 0, done.stderr
    assert "does not say how its steps came about: it has no attached cache" in done.stdout
    assert "RUN /bin/sh -c echo hi > /hi" in done.stdout
    page = workshop.run("explain", "--html", str(workshop.folder / "page.html"), workshop.ref("app:1"))
    assert (page.returncode, "it has no attached cache" in page.stderr) == (2, True)


def test_two_images_are_compared(workshop: Workshop) -> None:
    workshop.build()
    workshop.write("a.txt", "two")
    workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    arguments = ("explain", workshop.ref("app:2"), "--against", workshop.ref("app:1"))
    done = workshop.run(*arguments)
    assert done.returncode == 0, done.stderr
    told = json.loads(workshop.run(*arguments, "--format", "json").stdout)["steps"]
    assert [(step["outcome"], step["reason"], step["detail"]) for step in told] == [
        ("hit", None, []),
        ("miss", "FilesChanged", ["a.txt"]),
        ("miss", "ParentMissed", []),
    ]
    assert "MISS  FilesChanged: a.txt" in done.stdout
    assert "they part here: the instruction is the same, but the files that it reads differ" in done.stdout


def test_what_is_not_there_is_an_error(workshop: Workshop) -> None:
    done = workshop.run("explain", workshop.ref("none:1"))
    assert (done.returncode, workshop.ref("none:1") in done.stderr) == (2, True)
