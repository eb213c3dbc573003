"""Caches that are no image, and a current buildkitd: ours are for it, its are for us, whatever shape and place."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.bases import push_base
from tests.interop.workshop import Workshop
from tests.support import forked
from tests.support.build_options import Options
from tests.support.daemons import Buildkitd, Steps
from tests.support.images import push_busybox
from tests.support.program import environment

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]

FORMS = {
    "registry": "type=registry,ref={host}/{who}/cache:{name},image-manifest=true",
    "index": "type=registry,ref={host}/{who}/cache:{name},image-manifest=false",
    "docker": "type=registry,ref={host}/{who}/cache:{name},oci-mediatypes=false",
    "local": "type=local,dest={folder}/{who}-{name}",
}
DOCKERFILE = """FROM {base} AS build
WORKDIR /src
COPY x .
RUN cat x > out && echo building $((6 * 7))
FROM {base}
WORKDIR /app
RUN echo final $((6 * 8)) > /final
COPY --from=build /src/out /out
COPY x y /
"""
BUILDING = "building 42"
"""What the builder stage prints if it runs."""


@dataclass(frozen=True)
class Project:
    """A context, and our engine at work on it."""

    host: str
    context: Path

    def change_final_stage(self) -> None:
        """Something else of the builder stage is wanted now."""
        path = self.context / "Dockerfile"
        path.write_text(path.read_text().replace("/src/out /out", "/src/x /x"))

    def cache(self, form: str, who: str, name: str) -> tuple[str, str]:
        """As a target and as a source."""
        text = FORMS[form].format(
            host=self.host, folder=self.context.parent, who=who, name=f"{self.context.name}-{name}"
        )
        kind, place = text.split(",")[:2]
        return text, f"{kind},{place}".replace("dest=", "src=")

    def attached(self) -> str:
        """The attached cache of what our engine built last, as a source."""
        metadata = json.loads((self.context.parent / "metadata.json").read_text())
        exports = metadata["imagebuild.result"]["cache"]["exports"]
        (found,) = (export for export in exports if export["type"] == "attached")
        return f"type=registry,ref={found['ref']}@{found['digest']}"

    def tag(self, who: str) -> str:
        return f"{self.host}/{who}/{self.context.name}:1"

    def ours(self, *options: str) -> dict[str, str]:
        """Outcomes of the steps that our engine has with these options."""
        metadata = self.context.parent / "metadata.json"
        command = [
            *("build", "--progress", "plain", "--push", "--tag", self.tag("ours")),
            *("--metadata-file", str(metadata), *options, str(self.context)),
        ]
        given = environment(os.environ["IMAGEBUILD_RUNTIME"], self.context.parent)
        done = forked.run(command, given)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(metadata.read_text())["imagebuild.result"]
        return {step["instruction"]: step["outcome"] for step in result["steps"]}


@pytest.fixture
def project(workshop: Workshop, tmp_path: Path) -> Project:
    context = tmp_path / f"context-{abs(hash(tmp_path)):x}"
    context.mkdir()
    for name in ("x", "y"):
        (context / name).write_text(name)
        (context / name).chmod(0o644)
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=push_busybox(workshop.registry.host)))
    return Project(workshop.registry.host, context)


def misses(outcomes: dict[str, str]) -> set[str]:
    return {step for step, outcome in outcomes.items() if outcome != "hit"}


def assert_all_cached(steps: Steps) -> None:
    assert steps.executed == [], steps.log
    assert len(steps.outcomes) >= 4, steps.log
    assert BUILDING not in steps.log


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("form", FORMS)
def test_their_cache_is_all_that_we_need(project: Project, buildkitd: Buildkitd, form: str, mode: str) -> None:
    to, source = project.cache(form, "theirs", mode)
    buildkitd.forget()
    buildkitd.build_with(project.context, project.tag("theirs"), exports=[f"{to},mode={mode}"])
    assert misses(project.ours("--cache-from", source)) == set()


@pytest.mark.parametrize("form", FORMS)
def test_their_stages_are_hits_for_us_when_the_final_one_changes(
    project: Project, buildkitd: Buildkitd, form: str
) -> None:
    to, source = project.cache(form, "theirs", "max")
    buildkitd.forget()
    buildkitd.build_with(project.context, project.tag("theirs"), exports=[f"{to},mode=max"])
    project.change_final_stage()
    assert misses(project.ours("--cache-from", source)) == {"COPY --from=build /src/x /x", "COPY x y /"}


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("form", FORMS)
def test_our_cache_is_all_that_they_need(project: Project, buildkitd: Buildkitd, form: str, mode: str) -> None:
    to, source = project.cache(form, "ours", mode)
    project.ours("--cache-to", f"{to},mode={mode}")
    buildkitd.forget()
    assert_all_cached(buildkitd.build_with(project.context, project.tag("theirs"), imports=[source]))


@pytest.mark.parametrize("form", FORMS)
def test_our_stages_are_hits_for_them_when_the_final_one_changes(
    project: Project, buildkitd: Buildkitd, form: str
) -> None:
    to, source = project.cache(form, "ours", "max")
    project.ours("--cache-to", f"{to},mode=max")
    project.change_final_stage()
    buildkitd.forget()
    steps = buildkitd.build_with(project.context, project.tag("theirs"), imports=[source])
    assert BUILDING not in steps.log
    assert [step for step in steps.executed if "COPY --from=build /src/x /x" in step], steps.log


def test_our_attached_cache_is_a_cache_of_every_stage_for_them(project: Project, buildkitd: Buildkitd) -> None:
    """By its digest, though it has a subject, a type of its own and two layers that are none."""
    project.ours()
    attached = project.attached()
    buildkitd.forget()
    assert_all_cached(buildkitd.build_with(project.context, project.tag("theirs"), imports=[attached]))
    project.change_final_stage()
    buildkitd.forget()
    steps = buildkitd.build_with(project.context, project.tag("theirs"), imports=[attached])
    assert BUILDING not in steps.log
    assert [step for step in steps.executed if "COPY --from=build /src/x /x" in step], steps.log


@pytest.mark.parametrize("form", ["registry", "local"])
def test_a_cache_that_went_through_both_is_still_one(project: Project, buildkitd: Buildkitd, form: str) -> None:
    """Theirs, then ours from it, then theirs from ours: with the builder stage needed at the end."""
    (to, first), (again, second) = project.cache(form, "theirs", "first"), project.cache(form, "ours", "second")
    buildkitd.forget()
    buildkitd.build_with(project.context, project.tag("theirs"), exports=[f"{to},mode=max"])
    assert misses(project.ours("--cache-from", first, "--cache-to", f"{again},mode=max")) == set()
    buildkitd.forget()
    assert_all_cached(buildkitd.build_with(project.context, project.tag("theirs"), imports=[second]))
    project.change_final_stage()
    buildkitd.forget()
    assert BUILDING not in buildkitd.build_with(project.context, project.tag("theirs"), imports=[second]).log


def test_our_image_in_a_layout_is_a_cache_for_them(project: Project, buildkitd: Buildkitd) -> None:
    layout = project.context.parent / "layout"
    project.ours("--cache-to", "type=inline", "--output", f"type=oci,dest={layout},tar=false")
    index = json.loads((layout / "index.json").read_text())
    source = f"type=local,src={layout},digest={index['manifests'][0]['digest']}"
    buildkitd.forget()
    assert_all_cached(buildkitd.build_with(project.context, project.tag("theirs"), imports=[source]))


@pytest.mark.parametrize("form", ["registry", "local"])
def test_layers_that_lie_on_nothing_are_hits_for_them(project: Project, buildkitd: Buildkitd, form: str) -> None:
    """COPY --link: a layer of its own in the table, and the same one on others."""
    dockerfile = project.context / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "COPY --link x /linked\nCOPY --link --from=build /src/out /too\n")
    to, source = project.cache(form, "ours", "linked")
    project.ours("--cache-to", f"{to},mode=max")
    buildkitd.forget()
    assert_all_cached(buildkitd.build_with(project.context, project.tag("theirs"), imports=[source]))


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
def test_each_image_of_their_index_is_a_cache_for_its_platform(
    project: Project, buildkitd: Buildkitd, platform: str
) -> None:
    """Nothing has to run for it: a machine can make both."""
    base = push_base(project.host, "multi", project.context.name)
    (project.context / "Dockerfile").write_text(f"FROM {base}\nARG TARGETARCH\nWORKDIR /app\nCOPY x $TARGETARCH\n")
    both = Options(platform="linux/amd64,linux/arm64")
    buildkitd.forget()
    buildkitd.build_with(project.context, project.tag("theirs"), exports=["type=inline"], options=both)
    outcomes = project.ours("--platform", platform, "--cache-from", project.tag("theirs"))
    assert len(outcomes) == 2
    assert misses(outcomes) == set()
