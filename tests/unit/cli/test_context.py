"""What CONTEXT means."""

from pathlib import Path

import click
import pytest
from imagebuild_engine.cli.options import context
from imagebuild_engine.contract import ArchiveSource, DirectorySource, GitSource, Source


def git(url: str, revision: str = "HEAD", directory: str = ".") -> Source:
    return Source(git=GitSource(url=url, revision=revision), context_dir=directory)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://host/r.git", git("https://host/r.git")),
        ("https://host/r.git#main:sub/dir", git("https://host/r.git", "main", "sub/dir")),
        ("https://host/r.git?branch=main&subdir=x", git("https://host/r.git", "refs/heads/main", "x")),
        ("git://host/r#:sub", git("git://host/r", directory="sub")),
        ("git@host:team/r.git#v1", git("git@host:team/r.git", "v1")),
        ("github.com/team/r#v1", git("https://github.com/team/r", "v1")),
        ("file:///srv/r#main", git("file:///srv/r", "main")),
        ("https://host/archive.tar.gz", Source(archive=ArchiveSource(url="https://host/archive.tar.gz"))),
        ("https://host/r", Source(archive=ArchiveSource(url="https://host/r"))),
    ],
)
def test_a_context_elsewhere(text: str, meant: Source) -> None:
    assert context(text) == meant


def test_a_context_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "github.com").mkdir()
    (tmp_path / "a.tar").touch()
    assert context("github.com") == Source(directory=DirectorySource(path=str(tmp_path / "github.com")))
    assert context("a.tar") == Source(archive=ArchiveSource(path=str(tmp_path / "a.tar")))
    assert context("missing") == Source(directory=DirectorySource(path=str(tmp_path / "missing")))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://host/r.git?checksum=abc", "not supported yet: checksum"),
        ("https://host/r.git?keep-git-dir=1", "not supported yet: keep-git-dir"),
        ("https://host/r.git?nonsense=1", "unexpected key nonsense"),
    ],
)
def test_what_a_git_context_cannot_be(text: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match=told):
        context(text)
