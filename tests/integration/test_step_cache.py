"""The step cache: what one builder made is found by all, step by step, whatever image it was made for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, opened_workshop

pytestmark = NEEDS_A_REGISTRY

DOCKERFILE = """FROM {base} AS build
WORKDIR /src
COPY src .
RUN cat x > out
RUN wc -c out > size
FROM {base}
RUN echo hi > /hi
COPY --from=build /src/out /out
RUN cat /out /hi > /both
COPY a.txt /
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path) as made:
        made.write("src/x", "x\n")
        made.write("a.txt", "hello\n")
        made.write("Dockerfile", DOCKERFILE.format(base=made.base))
        yield made


def shared(workshop: Workshop, *arguments: str, tag: str, write: bool = True) -> Built:
    """A build of a builder that knows nothing but the step cache."""
    steps = f"type=steps,ref={workshop.ref('steps')}"
    to = ("--cache-to", steps, "--cache-to", "type=inline") if write else ()
    built = workshop.build("--cache-from", steps, *to, *arguments, tag=tag)
    assert built.code == 0, built.log
    return built


def written(built: Built) -> dict[str, Any]:
    """What became of the step cache."""
    found: dict[str, Any] = next(item for item in built.result["cache"]["exports"] if item["type"] == "steps")
    return found


def ran(built: Built) -> set[str]:
    return {name for name, outcome in built.outcomes.items() if outcome != "hit"}


def test_another_builder_finds_every_step(workshop: Workshop) -> None:
    first = shared(workshop, tag="app:1")
    plan = workshop.run(
        *("plan", "--format", "json", "--push", "--tag", workshop.ref("other:1")),
        *("--cache-from", f"type=steps,ref={workshop.ref('steps')}", str(workshop.context)),
    )
    assert {step["outcome"] for step in json.loads(plan.stdout)["steps"]} == {"hit"}
    second = shared(workshop, tag="other:1")
    assert len(ran(first)) == len(first.outcomes)
    assert ran(second) == set()
    assert second.digest == first.digest
    assert second.result["bytes"]["pulled"] == 0
    took, saved = (
        [step[name] for step in built.result["steps"]]
        for built, name in ((first, "seconds"), (second, "saved_seconds"))
    )
    assert saved == took
    assert written(second)["outcome"] == "unchanged"


def test_a_change_runs_what_follows_it_and_nothing_else(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    workshop.write("src/x", "changed\n")
    second = shared(workshop, tag="app:2")
    assert ran(second) == {
        *("COPY src .", "RUN cat x > out", "RUN wc -c out > size"),
        *("COPY --from=build /src/out /out", "RUN cat /out /hi > /both", "COPY a.txt /"),
    }
    third = shared(workshop, tag="other:1")
    assert (ran(third), third.digest) == (set(), second.digest)


def test_who_only_writes_it_leaves_all_steps_too(workshop: Workshop) -> None:
    workshop.build("--cache-to", f"type=steps,ref={workshop.ref('steps')}", tag="app:1")
    assert ran(shared(workshop, "--target", "build", tag="app:2", write=False)) == set()


def test_a_comment_changes_no_name(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    dockerfile = (workshop.context / "Dockerfile").read_text()
    workshop.write("Dockerfile", dockerfile.replace("RUN cat x > out", "RUN cat x > out # as it is"))
    assert ran(shared(workshop, tag="app:2")) == set()


def test_steps_above_an_unchanged_result_are_found_by_its_content(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    dockerfile = (workshop.context / "Dockerfile").read_text()
    workshop.write("Dockerfile", dockerfile.replace("RUN cat x > out", "RUN cat ./x > out"))
    second = shared(workshop, tag="app:2")
    assert ran(second) == {"RUN cat ./x > out", "RUN wc -c out > size"}
    # Who makes it in the second way need not look at the content any more.
    third = shared(workshop, tag="app:3")
    assert (ran(third), third.digest, third.result["bytes"]["pulled"]) == (set(), second.digest, 0)


def test_the_results_of_other_stages_are_there_when_they_are_needed(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    dockerfile = (workshop.context / "Dockerfile").read_text()
    workshop.write("Dockerfile", dockerfile.replace("/src/out /out", "/src/x /out"))
    built = shared(workshop, tag="app:2")
    assert ran(built) == {"COPY --from=build /src/x /out", "RUN cat /out /hi > /both", "COPY a.txt /"}


def test_a_step_that_another_source_has_is_not_asked_for(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    mark = len(workshop.registry.requests())
    built = shared(workshop, "--cache-from", workshop.ref("app:1"), tag="app:2", write=False)
    assert ran(built) == set()
    assert not [item for item in workshop.registry.requests_after(mark) if item.path.startswith("/v2/steps/manifests")]
    assert {step["source"] for step in built.result["steps"]} == {workshop.ref("app:1")}


def test_hits_of_other_sources_are_shared_too(workshop: Workshop) -> None:
    cache = f"type=registry,ref={workshop.ref('cache:max')}"
    workshop.build("--cache-to", f"{cache},mode=max", tag="app:1")
    filled = shared(workshop, "--cache-from", cache, tag="app:2")
    assert ran(filled) == set()
    assert ran(shared(workshop, tag="other:1")) == set()


def test_no_cache_runs_everything_and_leaves_what_is_there(workshop: Workshop) -> None:
    first = shared(workshop, tag="app:1")
    tags = workshop.registry.tags("steps")
    again = shared(workshop, "--no-cache", tag="app:2")
    assert len(ran(again)) == len(again.outcomes)
    assert workshop.registry.tags("steps") == tags
    assert written(again)["outcome"] == "unchanged"
    assert shared(workshop, tag="app:3").digest == first.digest


def test_a_cache_that_cannot_be_written_fails_only_who_wants_that(workshop: Workshop) -> None:
    nowhere = "type=steps,ref=127.0.0.1:1/steps"
    built = workshop.build("--cache-to", nowhere, tag="app:1")
    assert (built.code, written(built)["outcome"]) == (0, "failed")
    assert workshop.build("--cache-to", f"{nowhere},ignore-error=false", tag="app:1").code == 20


def test_a_record_whose_layers_are_gone_is_made_anew(workshop: Workshop) -> None:
    shared(workshop, tag="app:1")
    top = workshop.registry.manifest("app", "1")["layers"][-1]["digest"]
    repository = workshop.registry.data / "docker/registry/v2/repositories/steps"
    (repository / "_layers" / top.replace(":", "/") / "link").unlink()
    second = shared(workshop, tag="other:1")
    assert ran(second) == {"COPY a.txt /"}
    assert written(second)["outcome"] == "exported"
    assert ran(shared(workshop, tag="other:2")) == set()
