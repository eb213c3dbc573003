"""Dockerfiles with what BuildKit's checks find in them: for each rule files that break it and the nearest that do not.

They lie in tests/golden/checks, a file for a theme:

    == name of the case
    :target b                what is built; without it all stages are gone through
    :arg NAME=value          a build argument
    :ignore pattern          a line of .dockerignore
    FROM {base}              the Dockerfile; `{base}` and its like stand for the IMAGES below
    -- UndefinedVar:2        the findings, each with its line (0 where it has none), in any order

Each expectation is what a real buildkitd says (tests/interop/test_checks.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild_engine.core.oci import Platform, RunConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "checks"
PATH = "PATH=/usr/bin:/bin"
IMAGES = {
    "base": RunConfig(env=(PATH, "BASE=1"), working_dir="/srv"),
    "shelled": RunConfig(env=(PATH,), shell=("/bin/bash", "-c")),
    "onbuild": RunConfig(env=(PATH,), on_build=("WORKDIR app", "CMD run $NOTHING", "ENV A_TOKEN=$NOWHERE")),
    "pathless": RunConfig(),
    "arm": RunConfig(env=(PATH,)),
}
PLATFORMS = {"arm": Platform("linux", "arm64")}
AMD64 = Platform("linux", "amd64")


@dataclass(frozen=True)
class CheckCase:
    """One Dockerfile, and how often each rule is broken at which line."""

    name: str
    text: str
    found: Counter[tuple[str, int]]
    arguments: Mapping[str, str] = field(default_factory=dict)
    ignore: str = ""
    target: str = ""

    @property
    def rules(self) -> set[str]:
        return {rule for rule, _ in self.found}

    def dockerfile(self, images: Mapping[str, str]) -> str:
        text = self.text
        for name, reference in images.items():
            text = text.replace("{" + name + "}", reference)
        return text

    def write(self, context: Path, images: Mapping[str, str]) -> None:
        """A build context of the case."""
        context.mkdir(parents=True)
        (context / "Dockerfile").write_bytes(self.dockerfile(images).encode())
        if self.ignore:
            (context / ".dockerignore").write_text(self.ignore)


def _found(text: str) -> Counter[tuple[str, int]]:
    pairs = (item.split(":") for item in text.split())
    return Counter((rule, int(line)) for rule, line in pairs)


def _read(path: Path) -> Iterator[CheckCase]:
    for section in path.read_text().split("\n== ")[1:]:
        name, *lines = section.split("\n")
        options: dict[str, list[str]] = {"target": [""], "arg": [], "ignore": []}
        while lines[0].startswith(":"):
            option, _, value = lines.pop(0)[1:].partition(" ")
            options[option].append(value)
        end = next(number for number, line in enumerate(lines) if line.startswith("--"))
        yield CheckCase(
            name=name,
            text="".join(f"{line}\n" for line in lines[:end]),
            found=_found(lines[end].removeprefix("--")),
            arguments=dict(argument.split("=", 1) for argument in options["arg"]),
            ignore="".join(f"{pattern}\n" for pattern in options["ignore"]),
            target=options["target"][-1],
        )


_SPECIAL_CHARACTERS = (
    CheckCase("blank-gap", "FROM scratch\nENV A=1 \\\n  \t \n  B=2 \\\n  C=3\n", _found("NoEmptyContinuation:5")),
    CheckCase(
        "tab-after-name",
        "# check=experimental=all\n# a\tis\nFROM scratch AS a\n",
        _found("InvalidDefinitionDescription:3"),
    ),
    CheckCase("byte-order-mark", "\ufeff# check=skip=all\nFROM scratch\nCMD run\n", _found("")),
    CheckCase(
        "crlf",
        "# check=skip=StageNameCasing\r\nFROM scratch AS A\r\n"
        "# check=skip=UndefinedVar\r\nENV A=$B \\\r\n\r\n  C=1\r\nCMD run\r\n",
        _found("NoEmptyContinuation:6 JSONArgsRecommended:7"),
    ),
)
CASES = (*(case for path in sorted(GOLDEN.glob("*.txt")) for case in _read(path)), *_SPECIAL_CHARACTERS)
