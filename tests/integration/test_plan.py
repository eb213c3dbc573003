"""`imagebuild plan` beside the builds that it foretells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Workshop, runtime_for
from tests.support.images import push_busybox
from tests.support.registry import running_registry

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    context = tmp_path / "context"
    context.mkdir()
    with running_registry(tmp_path / "registry") as registry:
        made = Workshop(registry, push_busybox(registry.host), context, tmp_path, runtime_for("oci"))
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


def test_step_that_reads_what_another_is_going_to_write_depends_on_it(workshop: Workshop) -> None:
    cache = f"type=registry,ref={workshop.ref('cache:1')}"
    workshop.build("--cache-to", f"{cache},mode=max")
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
    assert plan["bytes"]["pulled"] < plan["bytes"]["at_most"]
    assert (plan["cache"]["hits"], plan["cache"]["misses"], plan["cache"]["depends"]) == (2, 2, 3)

    built = workshop.build("--cache-from", cache, tag="app:2")
    assert built.outcomes == {**outcomes(plan), **dict.fromkeys(list(outcomes(plan))[-3:], "hit")}
    assert built.result["bytes"]["pulled"] == plan["bytes"]["pulled"]
