"""Whole files: what they are read as, and how the wrong ones are refused. `IMAGEBUILD_UPDATE_GOLDEN=1` rewrites."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.dockerfile import (
    Dockerfile,
    DockerfileError,
    ExecForm,
    Instruction,
    ShellForm,
    parse_dockerfile,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "dockerfile"
GOOD = sorted(path.parent for path in (GOLDEN / "good").glob("*/Dockerfile"))
BAD = sorted(path.parent for path in (GOLDEN / "bad").glob("*/Dockerfile"))


def tree(dockerfile: Dockerfile) -> str:
    """The file as text that a person can check."""
    return "\n".join(_lines(dockerfile)) + "\n"


def _lines(dockerfile: Dockerfile) -> Iterator[str]:
    for directive in dockerfile.directives:
        yield f"directive {directive.name} {directive.value!r}  [{directive.location}]"
    for arg in dockerfile.meta_args:
        yield from _instruction(arg, "")
    for stage in dockerfile.stages:
        yield f"stage {stage.index} name={stage.name} base={stage.base!r} platform={stage.platform}  [{stage.location}]"
        yield f"  | {stage.from_instruction.text!r}"
        for instruction in stage.instructions:
            yield from _instruction(instruction, "  ")


def _instruction(instruction: Instruction, indent: str) -> Iterator[str]:
    yield f"{indent}{type(instruction).__name__}  [{instruction.location}]"
    yield f"{indent}  | {instruction.text!r}"
    for field in dataclasses.fields(instruction):
        value = getattr(instruction, field.name)
        if field.name in ("location", "text") or not field.compare or (value is None and field.name != "test"):
            continue
        match value:
            case ShellForm(text=text):
                yield f"{indent}  {field.name}: shell {text!r}"
            case ExecForm(args=args):
                yield f"{indent}  {field.name}: exec {list(args)!r}"
            case tuple() if value and dataclasses.is_dataclass(value[0]):
                for pair in value:
                    yield f"{indent}  {dataclasses.astuple(pair)}"
            case _:
                yield f"{indent}  {field.name}: {value!r}"


def _check(expected: Path, actual: str) -> None:
    if os.environ.get("IMAGEBUILD_UPDATE_GOLDEN") == "1":
        expected.write_text(actual)
    assert actual == expected.read_text(), f"{expected} differs; if the new reading is right, update it"


@pytest.mark.parametrize("folder", GOOD, ids=lambda path: path.name)
def test_a_good_file_is_read_as_its_tree_says(folder: Path) -> None:
    _check(folder / "tree.txt", tree(parse_dockerfile((folder / "Dockerfile").read_bytes())))


@pytest.mark.parametrize("folder", BAD, ids=lambda path: path.name)
def test_a_bad_file_is_refused_with_place_and_excerpt(folder: Path) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse_dockerfile((folder / "Dockerfile").read_bytes())
    _check(folder / "error.txt", caught.value.render() + "\n")
    assert str(caught.value).startswith("Dockerfile:")
    assert (
        folder.name.startswith("refused_") == ("not supported yet: " in str(caught.value)) or "frontend" in folder.name
    )


def test_there_are_golden_files_to_read() -> None:
    assert len(GOOD) >= 20
    assert len(BAD) >= 12


CASES: dict[str, str] = json.loads((GOLDEN / "buildkit_cases.json").read_text())
REFUSED = {
    "t13_link": "COPY --link",
    "t14_parents": "COPY --parents",
    "t16_heredoc": "COPY <<EOF (heredoc)",
    "t18_addhttp": "ADD of a URL",
    "t19_addhttp_sum": "ADD --checksum",
    "t20_cache": "RUN --mount",
    "t20c_cacheuid": "RUN --mount",
    "t21_bindctx": "RUN --mount",
    "t21c_bindfrom": "RUN --mount",
    "t22_secret": "RUN --mount",
    "t22b_ssh": "RUN --mount",
    "t22d_secretenv": "RUN --mount",
    "t23_netnone": "RUN --network",
    "t23c_insecure": "RUN --security",
    "t40_fileexcl2": "COPY --exclude",
}


@pytest.mark.parametrize("name", CASES)
def test_the_dockerfiles_of_the_cache_key_cases_parse_or_are_refused_by_name(name: str) -> None:
    if name in REFUSED:
        with pytest.raises(DockerfileError) as caught:
            parse_dockerfile(CASES[name].encode())
        assert f"not supported yet: {REFUSED[name]}" in str(caught.value)
    else:
        written = [line for line in CASES[name].splitlines() if line]
        dockerfile = parse_dockerfile(CASES[name].encode())
        read = [arg.text for arg in dockerfile.meta_args]
        for stage in dockerfile.stages:
            read += [stage.from_instruction.text, *(instruction.text for instruction in stage.instructions)]
        assert read == written


def test_all_43_cases_are_here() -> None:
    assert len(CASES) == 43
    assert REFUSED.keys() <= CASES.keys()
