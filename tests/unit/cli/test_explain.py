"""`imagebuild explain` of metadata files; of images it is told in tests/integration/test_explain.py."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from imagebuild_engine.build import metadata
from imagebuild_engine.cli.main import cli
from imagebuild_engine.contract import BuildResult, CacheResult, ImageResult, MissReason, StepResult

AGAINST = "registry.example/shop/web@sha256:" + "7" * 64
DIGEST = "sha256:" + "9" * 64


def step(number: int, instruction: str, **more: object) -> StepResult:
    return StepResult(number=number, stage="", line=number, instruction=instruction, **more)  # type: ignore[arg-type]


RESULT = BuildResult(
    image=ImageResult(
        digest=DIGEST,
        config_digest=DIGEST,
        media_type="",
        platform="linux/amd64",
        size=1,
        refs=("registry.example/a:1",),
    ),
    steps=(
        step(9, "WORKDIR /srv/app", outcome="hit", source="registry.example/shop/web:1", saved_seconds=0.4),
        step(
            10,
            "COPY app/\n  /srv/app\x1b[2J",
            outcome="miss",
            reason=MissReason.FILES_CHANGED,
            detail=("app/views.py",),
            more=2,
            compared_with=AGAINST,
            seconds=0.25,
        ),
        step(11, "RUN make", outcome="miss", reason=MissReason.PARENT_MISSED, compared_with=AGAINST, seconds=42.0),
    ),
    cache=CacheResult(total=3, hits=1, misses=2),
)


def explained(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["explain", str(path), *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metadata.json"
    path.write_bytes(metadata(RESULT))
    return path


def test_what_became_of_each_step_and_why(file: Path) -> None:
    assert explained(file).output.splitlines() == [
        f"registry.example/a:1@{DIGEST}",
        f"compared with {AGAINST}",
        "step  9/11  WORKDIR /srv/app    HIT   from registry.example/shop/web:1, 400 ms saved",
        "step 10/11  COPY app/ /srv/app  MISS  FilesChanged: app/views.py (+2), 250 ms",
        "step 11/11  RUN make            MISS  ParentMissed, 42 s",
        f"first miss: step 10, COPY app/ /srv/app: FilesChanged: app/views.py (+2) (compared with {AGAINST})",
        "1 of 3 steps from the cache, 400 ms saved",
    ]


def test_as_json_it_is_the_build_result_with_the_image(file: Path) -> None:
    shown = json.loads(explained(file, "--format", "json").output)
    assert (shown["ref"], shown["digest"], shown["cache"]) == ("registry.example/a:1", DIGEST, None)
    assert shown["result"] == json.loads(file.read_text())["imagebuild.result"]


def test_as_a_page(file: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert explained(file, "--html", str(page)).exit_code == 0
    assert "app/views.py" in page.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read as a metadata file"),
        ("[]", "it has no imagebuild.result"),
        ('{"containerimage.digest": "sha256:1"}', "it has no imagebuild.result"),
        ('{"imagebuild.result": {"steps": [{"line": "one"}]}}', "cannot be read as a metadata file"),
        ("[" * 100_000, "cannot be read as a metadata file"),
    ],
)
def test_what_is_no_metadata_file_is_said_to_be_none(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    done = explained(path)
    assert (done.exit_code, words in done.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--against", "registry.example/a:2"), "not a metadata file"),
        (("--html", "/nowhere/page.html"), "is no directory"),
    ],
)
def test_options_that_do_not_fit_are_refused(file: Path, arguments: tuple[str, ...], words: str) -> None:
    done = explained(file, *arguments)
    assert (done.exit_code, words in done.output) == (2, True)
