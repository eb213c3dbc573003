"""Caches that are no image: written, read, and the same again when they are written from themselves."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, opened_workshop

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path) as made:
        made.write("src/x", "x")
        made.write("a.txt", "hello\n")
        made.write(
            "Dockerfile",
            f"""FROM {made.base} AS build
WORKDIR /src
COPY src .
RUN cat x > out
FROM {made.base}
RUN echo hi > /hi
RUN true
COPY --from=build /src/out /out
COPY a.txt /
""",
        )
        yield made


FORMS = {
    "registry": "type=registry,ref={host}/cache:{name}",
    "index": "type=registry,ref={host}/cache:{name},image-manifest=false",
    "docker": "type=registry,ref={host}/cache:{name},oci-mediatypes=false",
    "local": "type=local,dest={folder}/{name}",
    "local index": "type=local,dest={folder}/{name},image-manifest=false",
}
BUILDER_STAGE = {"WORKDIR /src", "COPY src .", "RUN cat x > out"}


def spelled(workshop: Workshop, form: str, name: str, **more: str) -> tuple[str, str]:
    """The cache as --cache-to and as --cache-from have it."""
    text = FORMS[form].format(host=workshop.registry.host, folder=workshop.folder, name=name)
    kind, place = text.split(",")[:2]
    return ",".join([text, *(f"{key}={value}" for key, value in more.items())]), f"{kind},{place}".replace(
        "dest=", "src="
    )


def top(workshop: Workshop, form: str, name: str) -> dict[str, Any]:
    """The cache's manifest or index."""
    value: dict[str, Any]
    if form.startswith("local"):
        layout = workshop.folder / name
        entry = json.loads((layout / "index.json").read_text())["manifests"][0]
        value = json.loads((layout / "blobs/sha256" / entry["digest"].partition(":")[2]).read_text())
    else:
        value = workshop.registry.manifest("cache", name)
    return value


def misses(built: Built) -> set[str]:
    return {name for name, outcome in built.outcomes.items() if outcome != "hit"}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("form", FORMS)
def test_builds_from_the_cache_and_from_the_cache_of_that_are_the_same_in_every_byte(
    workshop: Workshop, form: str, mode: str
) -> None:
    to, first_source = spelled(workshop, form, "first", mode=mode)
    first = workshop.build("--cache-to", to, "--cache-to", "inline", tag="app:1")
    to, second_source = spelled(workshop, form, "second", mode=mode)
    second = workshop.build("--cache-from", first_source, "--cache-to", to, "--cache-to", "type=inline", tag="app:2")
    to, _ = spelled(workshop, form, "third", mode=mode)
    third = workshop.build("--cache-from", second_source, "--cache-to", to, "--cache-to", "type=inline", tag="app:3")
    assert misses(second) == misses(third) == set()
    assert first.digest == second.digest == third.digest
    assert top(workshop, form, "first") == top(workshop, form, "second") == top(workshop, form, "third")
    assert second.result["bytes"]["pulled"] == 0 or form.startswith("local")


@pytest.mark.parametrize("form", FORMS)
def test_mode_max_keeps_the_stages_that_are_not_in_the_image(workshop: Workshop, form: str) -> None:
    to, source = spelled(workshop, form, "max", mode="max")
    workshop.build("--cache-to", to)
    assert_builder_stage_is(workshop, source, misses=set())


@pytest.mark.parametrize("form", FORMS)
def test_mode_min_keeps_the_image_only(workshop: Workshop, form: str) -> None:
    to, source = spelled(workshop, form, "min")
    workshop.build("--cache-to", to)
    assert_builder_stage_is(workshop, source, misses=BUILDER_STAGE)


def assert_builder_stage_is(workshop: Workshop, source: str, *, misses: set[str]) -> None:
    """Another file of the builder stage is wanted, which needs its tree."""
    dockerfile = (workshop.context / "Dockerfile").read_text()
    workshop.write("Dockerfile", dockerfile.replace("/src/out /out", "/src/x /x"))
    built = workshop.build("--cache-from", source, tag="app:2")
    outcomes = built.outcomes
    assert {name for name in BUILDER_STAGE if outcomes[name] != "hit"} == misses
    assert outcomes["COPY --from=build /src/x /x"] == "miss"


def test_the_layers_of_a_cache_are_not_sent_twice(workshop: Workshop) -> None:
    to, source = spelled(workshop, "registry", "max", mode="max")
    workshop.build(tag="app:1")
    first = workshop.build("--cache-from", workshop.ref("app:1"), "--cache-to", to, tag="app:2")
    mark = len(workshop.registry.requests())
    again = workshop.build("--cache-from", source, "--cache-to", to, tag="app:3")
    assert misses(first) == misses(again) == set()
    assert again.result["bytes"]["pulled"] == again.result["bytes"]["pushed"] == 0
    blobs = {item.path for item in workshop.registry.requests_after(mark) if item.method == "PUT"}
    assert not [path for path in blobs if "/blobs/" in path]


def test_a_local_cache_keeps_what_else_is_in_its_directory(workshop: Workshop) -> None:
    one, from_one = spelled(workshop, "local", "layout", tag="one")
    workshop.build("--cache-to", one)
    workshop.write("a.txt", "changed\n")
    two, from_two = spelled(workshop, "local", "layout", tag="two")
    workshop.build("--cache-to", two)
    assert misses(workshop.build("--cache-from", f"{from_two},tag=two")) == set()
    assert misses(workshop.build("--cache-from", f"{from_one},tag=one")) == {"COPY a.txt /"}
    assert not list((workshop.folder / "layout").rglob(".*"))


def test_an_images_layout_is_a_cache_source(workshop: Workshop) -> None:
    layout = workshop.folder / "layout"
    first = workshop.build("--output", f"type=oci,dest={layout},tar=false", tag="app:main")
    second = workshop.build("--cache-from", f"type=local,src={layout}", tag="app:2")
    assert (misses(second), second.digest) == (set(), first.digest)
    named = workshop.build("--cache-from", f"type=local,src={layout},digest={first.digest}", tag="app:3")
    assert (misses(named), named.digest) == (set(), first.digest)


def test_broken_layouts_are_outcomes(workshop: Workshop) -> None:
    to, _ = spelled(workshop, "local", "layout")
    workshop.build("--cache-to", to)
    layout = workshop.folder / "layout"
    for name in ("untagged", "truncated", "forged", "pipe", "mute"):
        shutil.copytree(layout, workshop.folder / name)
    (workshop.folder / "truncated/index.json").write_text("{")
    entry = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"].partition(":")[2]
    (workshop.folder / "forged/blobs/sha256" / entry).write_text("{}")
    (workshop.folder / "pipe/blobs/sha256" / entry).unlink()
    os.mkfifo(workshop.folder / "pipe/blobs/sha256" / entry)
    (workshop.folder / "mute/blobs/sha256" / entry).unlink()
    sources = {
        "nowhere": "not_found",
        "untagged,tag=other": "not_found",
        "mute": "not_found",
        "truncated": "invalid",
        "forged": "invalid",
        "pipe": "invalid",
        "layout": "used",
    }
    given = [part for name in sources for part in ("--cache-from", f"type=local,src={workshop.folder}/{name}")]
    built = workshop.build(*given, tag="app:2")
    assert [source["outcome"] for source in built.result["cache"]["sources"]] == list(sources.values())
    assert misses(built) == set()


@pytest.mark.parametrize("place", ["type=registry,ref=127.0.0.1:1/cache:1", "type=local,dest=/proc/self/nothing"])
def test_a_cache_that_cannot_be_written_fails_the_build_after_the_push_unless_told_otherwise(
    workshop: Workshop, place: str
) -> None:
    failed = workshop.build("--cache-to", place, tag="app:1")
    assert failed.code in (14, 20)
    assert failed.result["failure"]["message"].startswith(("cannot push", "cannot write"))
    ignored = workshop.build("--cache-to", f"{place},ignore-error=true", "--cache-from", workshop.ref("app:1"))
    assert ignored.code == 0
    assert "was not written" in ignored.log


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--cache-to=type=registry,ref=a/b,compression=zstd", "not supported yet: compression=zstd"),
        ("--cache-to=type=registry,ref=a/b,compression-level=3", "not supported yet: compression-level=3"),
        ("--cache-to=type=registry,ref=a/b,mode=all", "mode is min or max"),
        ("--cache-to=type=registry", "needs ref"),
        ("--cache-to=type=local", "needs dest"),
        ("--cache-to=type=local,dest=x,image-manifest=yes", "image-manifest is true or false"),
        ("--cache-to=type=registry,ref=a/b,oci-mediatypes=false,image-manifest=true", "needs oci-mediatypes=true"),
        (f"--cache-to=type=registry,ref=a/b@sha256:{'0' * 64}", "under a tag"),
        ("--cache-to=type=inline,mode=max", "image's own layers only"),
        ("--cache-to=type=gha", "not supported yet: type=gha"),
        ("--cache-from=type=s3,bucket=x", "not supported yet: type=s3"),
        ("--cache-from=type=local", "needs src"),
        ("--cache-from=type=local,src=x,digest=sha256:1", "is not a digest"),
        ("--cache-from=type=registry,ref=a/B", "not an image reference"),
    ],
)
def test_options_that_make_no_sense_or_are_not_there_are_refused(workshop: Workshop, option: str, says: str) -> None:
    done = workshop.run("build", option, str(workshop.context))
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())


def test_inspect_shows_the_stages_and_their_steps(workshop: Workshop) -> None:
    to, source = spelled(workshop, "local", "max", mode="max")
    workshop.build("--cache-to", to, "--cache-to", "inline", tag="app:1")
    for place in (workshop.ref("app:1"), source):
        shown = workshop.run("cache", "inspect", "--format", "json", place)
        facts = json.loads(shown.stdout)
        assert facts["stages"] == [[1, 2, 3], [4, 5, 6, 7]]
        assert [step["depth"] > 0 for step in facts["steps"]] == [place == source] * 3 + [True] * 4
        aliases = {record["alias_of"] for record in facts["records"]} - {None}
        assert aliases == {step["records"][0] for step in facts["steps"] if step["aliases"]}
        assert len(aliases) == 3  # each RUN
    lines = workshop.run("cache", "inspect", source).stdout.splitlines()
    assert [line.split("─ ")[1].split("  ")[1] for line in lines if "─ " in line] == [
        "WORKDIR /src",
        "COPY src .",
        "RUN cat x > out",
        "RUN echo hi > /hi",
        "RUN true",
        "COPY --from=build /src/out /out",
        "COPY a.txt /",
    ]


def test_diff_says_where_two_caches_part(workshop: Workshop) -> None:
    workshop.build(tag="app:1")
    same = workshop.run("cache", "diff", workshop.ref("app:1"), workshop.ref("app:1"))
    assert (same.returncode, "7 steps in both" in same.stdout) == (0, True)
    workshop.write("a.txt", "changed\n")
    workshop.build("--cache-from", workshop.ref("app:1"), tag="app:2")
    changed = workshop.run("cache", "diff", workshop.ref("app:1"), workshop.ref("app:2"))
    assert changed.returncode == 1
    assert "files that it reads differ" in changed.stdout
    assert [line[:1] for line in changed.stdout.splitlines() if "COPY a.txt /" in line] == ["-", "+", "-", "+"]
    facts = json.loads(
        workshop.run("cache", "diff", "--format", "json", workshop.ref("app:1"), workshop.ref("app:2")).stdout
    )
    assert (facts["equal"], facts["parting"]) == (False, {"first": 7, "second": 7, "why": "files"})
    assert len(facts["both"]) == 6


def test_a_cache_that_cannot_be_read_is_trouble_and_no_difference(workshop: Workshop) -> None:
    for arguments in (
        ("inspect", workshop.ref("none:1")),
        ("inspect", f"type=local,src={workshop.folder}/nowhere"),
        ("inspect", "--platform", "linux/s390x", workshop.base),
        ("diff", workshop.base, workshop.ref("none:1")),
    ):
        done = workshop.run("cache", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Error: " in done.stderr
