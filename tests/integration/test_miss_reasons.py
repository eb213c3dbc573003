"""Why steps of real builds ran: compared with an image whose attached cache says what its steps were made of."""

from collections.abc import Iterator

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY, Built, Workshop, opened_workshop

pytestmark = NEEDS_A_REGISTRY

FILE = """FROM {base} AS build
ARG VERSION=1
WORKDIR /src
COPY src .
RUN sleep 0.1 && cat main.c > out && echo $VERSION >> out
FROM {base}
RUN echo hi > /hi
COPY --from=build /src/out /out
COPY run.sh /
"""
COPY, MAKE, SCRIPT = "COPY src .", "RUN sleep 0.1 && cat main.c > out && echo $VERSION >> out", "COPY run.sh /"
FROM_BUILD = "COPY --from=build /src/out /out"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with opened_workshop(tmp_path_factory.mktemp("reasons")) as made:
        for number in range(8):
            made.write(f"src/{number}.c", "x")
        made.write("Dockerfile", FILE.format(base=made.base))
        restore(made)
        assert made.build("--build-arg", "VERSION=v4lue").code == 0
        yield made


def restore(workshop: Workshop) -> None:
    workshop.write("src/main.c", "main")
    workshop.write("run.sh", "go")


def told(built: Built) -> dict[str, tuple[str, list[str]]]:
    assert built.code == 0, built.log
    steps = [step for step in built.result["steps"] if step["outcome"] == "miss"]
    return {step["instruction"]: (step["reason"], step["detail"]) for step in steps}


def again(workshop: Workshop, *, version: str = "v4lue", tag: str = "app:2") -> Built:
    source = workshop.ref("app:1")
    return workshop.build("--cache-from", source, "--build-arg", f"VERSION={version}", tag=tag)


def test_each_change_is_named_and_what_it_was_compared_with(workshop: Workshop) -> None:
    workshop.write("src/main.c", "other")
    workshop.write("run.sh", "go", mode=0o755)
    built = again(workshop)
    restore(workshop)
    assert told(built) == {
        COPY: ("FilesChanged", ["src/main.c"]),
        MAKE: ("ParentMissed", [f"step 2: {COPY}"]),
        FROM_BUILD: ("FilesChanged", ["/src/out"]),
        SCRIPT: ("FileModeChanged", ["run.sh (mode 644 → 755)"]),
    }
    assert built.result["cache"]["reasons"] == {"FilesChanged": 2, "ParentMissed": 1, "FileModeChanged": 1}
    names = {step["compared_with"] for step in built.result["steps"] if step["outcome"] == "miss"}
    assert len(names) == 1
    assert names.pop().startswith(workshop.ref("app:1") + "@sha256:")


def test_a_build_argument_is_named_and_its_value_is_nowhere(workshop: Workshop) -> None:
    built = again(workshop, version="an0ther")
    assert told(built)[MAKE] == ("BuildArgChanged", ["VERSION"])
    assert "an0ther" not in str(built.result)
    assert "v4lue" not in str(built.result)


def test_what_a_hit_saves_is_known_also_after_several_rebuilds(workshop: Workshop) -> None:
    second = again(workshop)
    source = workshop.ref("app:2")
    third = workshop.build("--cache-from", source, "--build-arg", "VERSION=v4lue", tag="app:3")
    assert told(second) == told(third) == {}
    saved = {step["instruction"]: (step["saved_seconds"], step["bytes"]) for step in third.result["steps"]}
    assert saved == {step["instruction"]: (step["saved_seconds"], step["bytes"]) for step in second.result["steps"]}
    assert saved[MAKE][0] >= 0.1
    assert all(size > 0 for _, size in saved.values())
