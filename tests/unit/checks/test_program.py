"""Findings in a build and with `--check`: what is printed where, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from imagebuild_engine.build import Settings, run
from imagebuild_engine.cli.main import cli
from imagebuild_engine.contract import BuildRequest, BuildResult, Dockerfile, Output, Source
from imagebuild_engine.contract import DirectorySource as Directory

from tests.support.views import Recorder

FOUND = "FROM scratch AS Build\nENV A 1\nFROM scratch\nENV B=$C\n"


async def built(folder: Path, text: str, **arguments: str) -> tuple[BuildResult, list[str]]:
    """A build of stages that need no step, and its warnings."""
    request = BuildRequest(
        source=Source(directory=Directory(path=str(folder))),
        dockerfile=Dockerfile(inline=text),
        build_args=arguments,
        output=Output(oci_layout=str(folder / "image")),
    )
    view = Recorder()
    result = await run(request, Settings(state=folder / "state"), view)
    return result, view.warnings


async def test_a_build_warns_in_one_line_each_about_the_stages_that_it_needs(tmp_path: Path) -> None:
    result, warnings = await built(tmp_path, FOUND)
    assert result.failure is None
    assert warnings == [
        "StageNameCasing: the name of stage 'Build' is not in lower case (line 1)",
        "UndefinedVar: $C is not defined here (line 4)",
    ]


async def test_a_build_does_not_warn_without_end(tmp_path: Path) -> None:
    _, warnings = await built(tmp_path, "FROM scratch\n" + "ENV A=$B\n" * 60)
    assert len(warnings) == 51
    assert warnings[-1] == "10 more findings: `imagebuild build --check` shows them"


async def test_findings_fail_a_build_if_that_is_asked_for(tmp_path: Path) -> None:
    result, warnings = await built(tmp_path, "# check=error=true\n" + FOUND)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.line) == ("DockerfileInvalid", 2)
    assert result.failure.message == "Dockerfile:2:1: checks failed (error=true): StageNameCasing, UndefinedVar"
    assert len(warnings) == 2
    result, warnings = await built(tmp_path, "# check=error=true\n" + FOUND, BUILDKIT_DOCKERFILE_CHECK="skip=all")
    assert (result.failure, warnings) == (None, [])


async def test_a_wrong_check_line_fails_a_build(tmp_path: Path) -> None:
    result, _ = await built(tmp_path, "# check=skips\n" + FOUND)
    assert result.failure is not None
    assert (result.failure.reason, result.failure.line) == ("DockerfileInvalid", 1)


def checked(folder: Path, text: str, *options: str) -> Result:
    (folder / "Dockerfile").write_text(text)
    return CliRunner().invoke(cli, ["build", *options, str(folder)])


def test_check_prints_findings_of_all_stages_and_ends_with_one(tmp_path: Path) -> None:
    done = checked(tmp_path, FOUND, "--check")
    assert done.exit_code == 1
    assert [line for line in done.stdout.splitlines() if line.startswith(("Check", "WARNING", "Dockerfile:"))] == [
        "Check complete, 3 warnings have been found!",
        "WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
        "Dockerfile:1",
        "WARNING: LegacyKeyValueFormat - https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/",
        "Dockerfile:2",
        "WARNING: UndefinedVar - https://docs.docker.com/go/dockerfile/rule/undefined-var/",
        "Dockerfile:4",
    ]
    assert done.stderr == ""


def test_check_of_a_target_leaves_other_stages_out(tmp_path: Path) -> None:
    done = checked(tmp_path, FOUND, "--call=check", "--target=build")
    assert "LegacyKeyValueFormat" in done.stdout
    assert "UndefinedVar" not in done.stdout


def test_check_of_a_clean_file_ends_with_zero(tmp_path: Path) -> None:
    done = checked(tmp_path, "FROM scratch\n", "--check")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "Check complete, no warnings found.\n", "")


def test_check_reads_dockerignore_and_build_arguments(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a\n")
    done = checked(tmp_path, "FROM scratch\nARG F\nCOPY $F /x\n", "--check", "--build-arg", "F=a")
    assert "WARNING: CopyIgnoredFile" in done.stdout


def test_check_for_programs_is_json(tmp_path: Path) -> None:
    done = checked(tmp_path, FOUND, "--call", "check,format=json")
    told = json.loads(done.stdout)
    assert [warning["ruleName"] for warning in told["warnings"]] == [
        "StageNameCasing",
        "LegacyKeyValueFormat",
        "UndefinedVar",
    ]
    assert done.exit_code == 1


@pytest.mark.parametrize("output", ["text", "json"])
@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("FROM scratch\nRUM x\n", "unknown instruction: RUM", 2),
        ("FROM scratch\nEXPOSE x\n", "EXPOSE x", 2),
        ("# check=skips\nFROM scratch\n", "invalid check option", 1),
    ],
)
def test_check_tells_what_would_fail_the_build(tmp_path: Path, text: str, said: str, line: int, output: str) -> None:
    done = checked(tmp_path, text, f"--call=check,format={output}")
    assert done.exit_code == 10
    if output == "json":
        error = json.loads(done.stdout)["buildError"]
        assert said in error["message"]
        assert error["location"] == {"ranges": [{"start": {"line": line}, "end": {"line": line}}]}
    else:
        assert f"error: Dockerfile:{line}:" in done.stderr
        assert said in done.stderr
        assert done.stdout == ""


def test_check_tells_findings_beside_an_error(tmp_path: Path) -> None:
    done = checked(tmp_path, "FROM scratch AS A\nENV A 1\nEXPOSE x\n", "--check")
    assert done.exit_code == 10
    assert "WARNING: StageNameCasing" in done.stdout
    assert "WARNING: LegacyKeyValueFormat" in done.stdout
    assert "error: Dockerfile:3:1: EXPOSE x" in done.stderr


@pytest.mark.parametrize("call", ["outline", "targets", "check,format=xml", "nothing", "check,x"])
def test_other_calls_are_refused(tmp_path: Path, call: str) -> None:
    done = checked(tmp_path, FOUND, "--call", call)
    assert done.exit_code == 2
    assert "--call" in done.stderr
