"""How findings are told: the texts of all rules, the forms of a report. `IMAGEBUILD_UPDATE_GOLDEN=1` rewrites."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from imagebuild_engine.core.checks import RULES, Facts, Report, check
from imagebuild_engine.core.dockerfile import Dockerfile, DockerfileError, IgnorePatterns, Location, parse_dockerfile
from imagebuild_engine.core.oci import Digest, ImageConfig, Platform, Reference, RunConfig

from tests.support.check_cases import AMD64, GOLDEN

TOLD = GOLDEN / "told"
PREDEFINED = {"TARGETPLATFORM": "linux/amd64"}


def facts(**more: object) -> Facts:
    return Facts(platform=AMD64, build_platform=AMD64, predefined=PREDEFINED, **more)  # type: ignore[arg-type]


def report(text: str, **more: object) -> tuple[Report, Dockerfile]:
    dockerfile = parse_dockerfile(text.encode())
    return check(dockerfile, facts(**more)), dockerfile


def same(path: Path, actual: str) -> None:
    if os.environ.get("IMAGEBUILD_UPDATE_GOLDEN") == "1":
        path.write_text(actual)
    assert actual == path.read_text(), f"{path} differs; if the new text is right, update it"


def everything() -> tuple[Report, Dockerfile]:
    """A file that breaks every rule."""
    base = ImageConfig(platform=AMD64, config=RunConfig(env=("BASE=1",)), diff_ids=(Digest.of(b"diff"),))
    other = ImageConfig(platform=Platform("linux", "arm64"), diff_ids=(Digest.of(b"diff"),))
    images = {(Reference.parse("base"), AMD64): base, (Reference.parse("other"), AMD64): other}
    text = (TOLD / "Dockerfile").read_text()
    return report(text, images=images, ignored=IgnorePatterns.parse("a\n").matcher)


def test_the_golden_file_breaks_every_rule_but_those_of_argument_defaults() -> None:
    found, _ = everything()
    assert RULES.keys() - {violation.rule.name for violation in found.violations} == {"InvalidDefaultArgInFrom"}


def test_the_text_for_people_is_golden() -> None:
    found, dockerfile = everything()
    same(TOLD / "text", found.text(dockerfile.source))


def test_the_short_lines_of_a_build_are_golden() -> None:
    found, _ = everything()
    same(TOLD / "lines", "".join(f"{violation}\n" for violation in found.violations))


def test_the_form_for_programs_is_that_of_buildx() -> None:
    found, dockerfile = report("FROM scratch\nCMD a \\\n b\n")
    assert found.json(dockerfile.source) == {
        "warnings": [
            {
                "ruleName": "JSONArgsRecommended",
                "description": RULES["JSONArgsRecommended"].description,
                "url": "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/",
                "detail": found.violations[0].detail,
                "location": {"ranges": [{"start": {"line": n}, "end": {"line": n}} for n in (2, 3)]},
            }
        ],
        "sources": [
            {
                "filename": "Dockerfile",
                "language": "Dockerfile",
                "data": base64.b64encode(b"FROM scratch\nCMD a \\\n b\n").decode(),
            }
        ],
    }
    told = found.json(dockerfile.source, "it is wrong", Location(2, 2))
    assert told["buildError"] == {
        "message": "it is wrong",
        "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
    }
    assert json.loads(json.dumps(told)) == told


def test_a_report_without_findings_says_so() -> None:
    found, dockerfile = report("FROM scratch\n")
    assert found.text(dockerfile.source) == "Check complete, no warnings found.\n"
    assert found.failure(dockerfile.source) is None


def test_findings_are_told_from_top_to_bottom_and_not_without_end() -> None:
    found, dockerfile = report("FROM scratch\n" + "ENV A=$B\n" * 1200 + "MAINTAINER me\n")
    text = found.text(dockerfile.source)
    assert text.startswith("Check complete, 1201 warnings have been found!\n\nWARNING: UndefinedVar - ")
    assert "MaintainerDeprecated" not in text
    assert text.endswith("and 201 more; --call=check,format=json tells them all\n")


def test_a_name_cannot_repaint_a_terminal() -> None:
    found, dockerfile = report("FROM scratch\nENV \x1b[31mTOKEN_\x1b]0;_KEY=1\nWORKDIR a\x1b\u202e\n")
    assert len(found.violations) == 2
    text = found.text(dockerfile.source) + "".join(map(str, found.violations))
    assert not any(char in text for char in ("\x1b", "\u202e"))


def test_a_long_name_is_cut() -> None:
    found, _ = report("FROM scratch\nENV A=$" + "B" * 10_000 + "\n")
    assert len(str(found.violations[0])) < 200


def test_nearby_names_are_suggested() -> None:
    found, _ = report("ARG VERSION\nFROM scratch${VERSOIN}\nENV GREETING=1\nENV A=$GRETING B=$OTHER\n")
    assert [violation.detail for violation in found.violations] == [
        'there is no ARG VERSOIN before the first FROM (did you mean "VERSION"?)',
        '$GRETING is not defined here (did you mean "GREETING"?)',
        "$OTHER is not defined here",
    ]


def test_too_many_unknown_names_get_fewer_suggestions_and_not_a_longer_wait() -> None:
    found, _ = report("FROM scratch\n" + "".join(f"ENV NAME{n:05}=$NOME{n:05}\n" for n in range(1500)))
    suggested = [violation for violation in found.violations if "did you mean" in violation.detail]
    assert len(found.violations) == 1500
    assert 10 < len(suggested) < 500
    assert found.violations[-1] not in suggested


def test_errors_are_asked_for_by_line_or_build_argument() -> None:
    found, dockerfile = report("# check=error=true\nFROM scratch AS A\nCMD a\nCMD b\n")
    failure = found.failure(dockerfile.source)
    assert failure is not None
    assert failure.message == (
        "checks failed (error=true): JSONArgsRecommended, MultipleInstructionsDisallowed, StageNameCasing"
    )
    assert failure.location == Location(2, 2, 1)
    given = {"BUILDKIT_DOCKERFILE_CHECK": "error=1;skip=all"}
    found, dockerfile = report("FROM scratch AS A\n", build_args=given)
    assert found.failure(dockerfile.source) is None


@pytest.mark.parametrize(
    ("option", "column", "said"),
    [
        ("skip", 9, 'invalid check option "skip" (skip, experimental or error)'),
        ("skip=a;skips=all", 16, 'invalid check option "skips=all" (skip, experimental or error)'),
        ("error=maybe", 15, 'invalid check option "error=maybe" (true or false)'),
        ("skip=a;", 1, 'invalid check option "" (skip, experimental or error)'),
    ],
)
def test_a_wrong_option_is_an_error_with_its_place(option: str, column: int, said: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        report(f"# check={option}\nFROM scratch\n")
    assert str(caught.value) == f"Dockerfile:1:{column}: {said}"
    with pytest.raises(DockerfileError) as caught:
        report("FROM scratch\n", build_args={"BUILDKIT_DOCKERFILE_CHECK": option})
    assert str(caught.value) == f"build argument BUILDKIT_DOCKERFILE_CHECK: {said}"


def test_three_options_are_all_there_are_and_the_third_takes_the_rest() -> None:
    found, _ = report("# check=skip=StageNameCasing;error=true;experimental=b;c\nFROM scratch AS A\n")
    assert (found.violations, found.as_errors) == ((), True)


def test_about_an_unknown_base_image_less_is_said() -> None:
    found, _ = report("FROM nowhere\nENV A=$B\nCMD a\nWORKDIR b\n")
    assert [violation.rule.name for violation in found.violations] == ["JSONArgsRecommended", "WorkdirRelativePath"]
