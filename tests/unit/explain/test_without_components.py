"""What can be told of an image whose builder wrote no components: from its records, its history and its variables."""

from dataclasses import replace

import pytest
from imagebuild_engine.core.miss import MissReason

from tests.support.explained_world import build
from tests.support.lowering import BASE

FILE = """FROM base
ARG VERSION=1
ENV MODE=fast
RUN make all
COPY a.txt /
RUN finish
"""
FILES = {"a.txt": "hello"}


def told(dockerfile: str, files: dict[str, str] = FILES, **options: object) -> dict[str, tuple[str, tuple[str, ...]]]:
    cache = build(FILE, FILES).cache(components=False)
    second = build(dockerfile, files, cache, **options)  # type: ignore[arg-type]
    return {text: (str(miss.reason), miss.detail) for text, miss in second.misses.items()}


def test_a_changed_command_is_told_with_the_old_one_of_the_history() -> None:
    found = told(FILE.replace("make all", "make all of it"))
    assert found["RUN make all of it"] == ("InstructionChanged", ("RUN make all → RUN make all of it",))
    assert found["COPY a.txt /"] == ("ParentMissed", ("step 1: RUN make all of it",))


def test_a_changed_argument_and_a_changed_variable_are_named() -> None:
    assert told(FILE, args={"VERSION": "2"})["RUN make all"] == ("BuildArgChanged", ("VERSION",))
    assert told(FILE.replace("fast", "slow"))["RUN make all"] == ("EnvironmentChanged", ("MODE",))
    assert told(FILE.replace("fast", "fast MORE=1"))["RUN make all"] == ("EnvironmentChanged", ("MORE (added)",))


def test_of_changed_files_it_is_said_that_nobody_knows_which() -> None:
    found = told(FILE, {"a.txt": "other"})
    assert found["COPY a.txt /"] == ("FilesChanged", ("the cache does not tell which",))
    assert found["RUN finish"] == ("ParentMissed", ("step 2: COPY a.txt /",))


def test_a_changed_base_image_is_told_by_its_new_digest() -> None:
    request, known = next(iter(BASE.items()))
    digest = known.digest.of(b"moved")
    moved = replace(known, digest=digest, config=replace(known.config, diff_ids=(digest,)))
    assert told(FILE, images={request: moved})["RUN make all"] == (
        "BaseImageChanged",
        (f"→ base:latest@{digest}",),
    )


def test_a_step_like_none_before_is_new() -> None:
    assert told(FILE.replace("RUN make all", "RUN something quite different"))["RUN something quite different"] == (
        "StepNew",
        (),
    )


@pytest.mark.parametrize("value", ["s3cret", "x /bin/sh -c s3cret", "a b s3cret"])
def test_values_in_a_history_are_never_told(value: str) -> None:
    args = {"VERSION": value}
    cache = build(FILE, FILES, args=args).cache(components=False)
    for text in (FILE, FILE.replace("make all", "make alls")):
        for more in ({}, {"VERSION": "2"}):
            second = build(text, FILES, cache, args=more)
            assert second.first.reason is not MissReason.NO_CACHE_SOURCE
            assert "s3cret" not in repr(second.misses)
