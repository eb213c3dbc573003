"""Whole files: what they are read as, and how the wrong ones are refused. `IMAGEBUILD_UPDATE_GOLDEN=1` rewrites."""

from __future__ import annotations

import dataclasses
import json
import os
import re
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

from tests.support.dockerfiles import judge

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
        if field.name in ("location", "text") or not field.compare:
            continue
        if value == field.default and field.name != "test":
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
        judge(parse_dockerfile((folder / "Dockerfile").read_bytes()))
    _check(folder / "error.txt", caught.value.render() + "\n")
    assert re.match(r"Dockerfile:[0-9]+:[0-9]+: ", str(caught.value))
    assert "^" in caught.value.render()
    assert (
        folder.name.startswith("refused_") == ("not supported yet: " in str(caught.value)) or "frontend" in folder.name
    )


def test_there_are_golden_files_to_read() -> None:
    assert len(GOOD) >= 20
    assert len(BAD) >= 60


CASES: dict[str, str] = json.loads((GOLDEN / "buildkit_cases.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_the_dockerfiles_of_the_cache_key_cases_parse(name: str) -> None:
    dockerfile = parse_dockerfile(CASES[name].encode())
    judge(dockerfile)
    read = [arg.text for arg in dockerfile.meta_args]
    for stage in dockerfile.stages:
        read += [stage.from_instruction.text, *(instruction.text for instruction in stage.instructions)]
    written = [line for line in CASES[name].splitlines() if line]
    assert [line for line in written if line in read] == read
    assert len(read) == len(written) or "<<" in CASES[name]


def test_all_43_cases_are_here() -> None:
    assert len(CASES) == 43
