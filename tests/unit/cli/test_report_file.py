"""`--report FILE`: refused early where it cannot be, whole or not at all where it can."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from imagebuild_engine.cli.build import build
from imagebuild_engine.cli.report_file import checked, write

from tests.support.reports import all_hits, failed_build


def checked_here(path: Path) -> Path | None:
    return checked(str(path), in_pod=False, checks=False)


def test_a_page_may_be_new_or_take_the_place_of_a_file(tmp_path: Path) -> None:
    assert checked(None, in_pod=True, checks=True) is None
    path = tmp_path / "report.html"
    assert checked_here(path) == path
    path.write_text("old")
    path.chmod(0o600)
    write(path, all_hits())
    assert path.read_bytes().startswith(b"<!doctype html>")
    assert list(tmp_path.iterdir()) == [path], "nothing else is left"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link = tmp_path / "latest.html"
    link.symlink_to("report-7.html")
    path = checked_here(link)
    assert path == tmp_path / "report-7.html"
    write(path, failed_build())
    assert link.is_symlink()
    assert link.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing/report.html", "is no directory"),
        (".", "is no regular file"),
        ("/dev/null", "is no regular file"),
        ("nul\0byte.html", "cannot be written"),
        ("x" * 5000, "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_known_before_the_build(tmp_path: Path, path: str, why: str) -> None:
    with pytest.raises(click.BadParameter, match=why):
        checked_here(tmp_path / path)


def test_a_page_that_cannot_be_written_after_all_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "gone" / "report.html", all_hits())
    assert "warning: the build report cannot be written: " in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--request", "build.json"), ("--check", ".")])
def test_where_there_is_no_place_or_no_build_it_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    request = tmp_path / "build.json"
    request.write_text('{"source": {"type": "directory", "path": "."}}')
    name, value = option
    arguments = [name, str(request)] if name == "--request" else [name, value]
    done = CliRunner().invoke(build, ["--report", str(tmp_path / "r.html"), *arguments])
    assert done.exit_code == 2
    assert "--report cannot be given with " + name in done.output
