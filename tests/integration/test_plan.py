"""`imagebuild plan` beside the builds that it foretells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Workshop, opened_workshop
from tests.support.registry import running_registry

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
RUN grep -c . x > out
FROM {made.base}
RUN echo hi > /hi
COPY --from=build /src/out /out
RUN cat /out
COPY a.txt /
""",
        )
        yield made


def planned(workshop: Workshop, *arguments: str) -> dict[str, Any]:
    done = workshop.run(
        *("plan", "--format", "json", "--push", "--tag", workshop.ref("app:1")), *arguments, str(workshop.context)
    )
    assert done.returncode == 0, done.stderr
    plan: dict[str, Any] = json.loads(done.stdout)
    return plan


def outcomes(result: dict[str, Any]) -> dict[str, str]:
    return {step["instruction"]: step["outcome"] for step in result["steps"]}


@pytest.mark.parametrize("form", ["type=registry,ref={},mode=max", "type=steps,ref={}"])
def test_step_that_reads_what_another_is_going_to_write_depends_on_it(workshop: Workshop, form: str) -> None:
    kept = form.format(workshop.ref("cache"))
    cache = kept.removesuffix(",mode=max")
    workshop.build("--cache-to", kept)
    workshop.write("src/x", "y")
    plan = planned(workshop, "--cache-from", cache)
    assert outcomes(plan) == {
        "WORKDIR /src": "hit",
        "COPY src .": "miss",
        "RUN grep -c . x > out": "miss",
        "RUN echo hi > /hi": "hit",
        "COPY --from=build /src/out /out": "depends",
        "RUN cat /out": "depends",
        "COPY a.txt /": "depends",
    }
    assert [step["depends_on"] for step in plan["steps"] if step["outcome"] == "depends"] == [[3], [3], [3]]
    assert (plan["cache"]["hits"], plan["cache"]["misses"], plan["cache"]["depends"]) == (2, 2, 3)

    built = workshop.build("--cache-from", cache, tag="app:2")
    certain = {step: outcome for step, outcome in outcomes(plan).items() if outcome != "depends"}
    assert certain.items() <= built.outcomes.items()
    assert built.outcomes["COPY --from=build /src/out /out"] == "hit"
    assert plan["bytes"]["pulled"] <= built.result["bytes"]["pulled"]
    assert (plan["bytes"]["at_most"] is None) == form.startswith("type=steps")


def test_a_plan_asks_and_writes_nothing(workshop: Workshop) -> None:
    workshop.build()
    before = len(workshop.registry.requests_after(0))
    planned(
        workshop, "--cache-from", workshop.ref("app:1"), "--cache-to", f"type=registry,ref={workshop.ref('cache:1')}"
    )
    asked = workshop.registry.requests_after(0)[before:]
    assert asked
    assert {access.method for access in asked} <= {"GET", "HEAD"}


def test_layers_that_another_registry_has_not_got_are_among_what_is_pulled(workshop: Workshop, tmp_path: Path) -> None:
    workshop.build()
    with running_registry(tmp_path / "other") as other:
        arguments = ("--cache-from", workshop.ref("app:1"), "--push", "--tag", f"{other.host}/app:1")
        plan = json.loads(workshop.run("plan", "--format", "json", *arguments, str(workshop.context)).stdout)
        assert set(outcomes(plan).values()) == {"hit"}
        assert sum(step["pulled"] for step in plan["steps"]) == 0

        metadata = tmp_path / "other.json"
        done = workshop.run("build", "--metadata-file", str(metadata), *arguments, str(workshop.context))
        assert done.returncode == 0, done.stderr
        pulled = json.loads(metadata.read_text())["imagebuild.result"]["bytes"]["pulled"]
        assert plan["bytes"] == {"pulled": pulled, "at_most": pulled}
        assert pulled > 0


@pytest.mark.parametrize("output", ["layout", "nothing"])
def test_what_an_output_pulls(workshop: Workshop, output: str, tmp_path: Path) -> None:
    workshop.build()
    arguments = ["--cache-from", workshop.ref("app:1"), str(workshop.context)]
    if output == "layout":
        arguments[:0] = ["--output", f"type=oci,dest={tmp_path / 'layout'},tar=false"]
    plan = json.loads(workshop.run("plan", "--format", "json", *arguments).stdout)
    assert not (tmp_path / "layout").exists()
    metadata = tmp_path / "metadata.json"
    assert workshop.run("build", "--metadata-file", str(metadata), *arguments).returncode == 0
    pulled = json.loads(metadata.read_text())["imagebuild.result"]["bytes"]["pulled"]
    assert plan["bytes"]["pulled"] == pulled
    assert (pulled > 0) == (output == "layout")


def test_the_exit_code_tells_whether_every_step_is_a_hit_if_that_is_asked_for(workshop: Workshop) -> None:
    workshop.build()
    context = str(workshop.context)
    assert workshop.run("plan", context).returncode == 0
    assert workshop.run("plan", "--exit-code", context).returncode == 1
    full = workshop.run("plan", "--exit-code", "--cache-from", workshop.ref("app:1"), context)
    assert (full.returncode, full.stdout.splitlines()[-1]) == (0, "7 of 7 steps hit, 0 run; 0 B to pull")


@pytest.mark.parametrize(("dockerfile", "code"), [("FRM x\n", 10), ("FROM {base}\nCOPY missing /\n", 12)])
def test_a_plan_fails_as_the_build_would(workshop: Workshop, dockerfile: str, code: int) -> None:
    workshop.write("Dockerfile", dockerfile.format(base=workshop.base))
    done, built = (workshop.run(verb, str(workshop.context)) for verb in ("plan", "build"))
    assert (done.returncode, built.returncode) == (code, code)
    assert done.stderr == built.stderr[built.stderr.index("error: ") :]
