"""CONTEXT as people give it: archives and Dockerfiles from files, URLs and standard input."""

import gzip
import os
import subprocess

import pytest

from tests.support.program import PROGRAM, environment
from tests.support.root import needs_root
from tests.support.scratch_builds import Bench
from tests.support.tars import directory, file, tar
from tests.support.web import Answer, Web

pytestmark = [pytest.mark.root, needs_root]

ARCHIVE = tar(
    [
        file("Dockerfile", "FROM scratch\nCOPY . /\n"),
        file(".dockerignore", "Dockerfile\n.dockerignore\nignored\n"),
        directory("d", uid=3, gid=4),
        file("d/f", "hello", uid=3, gid=4, mode=0o640),
        file("ignored"),
    ]
)
FILES = {"d": (3, 4, 0o755), "d/f": (3, 4, 0o640)}


@pytest.mark.parametrize("data", [ARCHIVE, gzip.compress(ARCHIVE)], ids=["tar", "tar.gz"])
def test_an_archive_from_anywhere_is_a_context_with_its_owners(bench: Bench, web: Web, data: bytes) -> None:
    (bench.folder / "context.tar").write_bytes(data)
    contexts = [(str(bench.folder / "context.tar"), b""), (web.serve("/c", Answer(data)), b""), ("-", data)]
    for context, stdin in contexts:
        bench.build(context, stdin=stdin)
        assert bench.files() == FILES, context


def test_a_dockerfile_alone(bench: Bench, web: Web) -> None:
    (bench.folder / "Dockerfile.alone").write_bytes(b"FROM scratch\nCOPY Dockerfile /\n")
    bench.build(str(bench.folder / "Dockerfile.alone"))
    assert set(bench.files()) == {"Dockerfile"}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (gzip.compress(b"no tar"), "compressed, but no tar archive"),
        (gzip.compress(ARCHIVE)[:-40], "cannot be unpacked"),
        (b"", "file with no instructions"),
        (os.urandom(4096), ""),
    ],
    ids=["compressed", "broken", "empty", "noise"],
)
def test_what_is_no_context_is_refused_in_words(bench: Bench, data: bytes, told: str) -> None:
    done = subprocess.run(
        [PROGRAM, "build", "--progress", "plain", "-"],
        input=data,
        env=environment("/nonexistent", bench.folder),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (10, 12), done.stderr
    assert b"Traceback" not in done.stderr
    assert told in done.stderr.decode(errors="replace")


def test_a_url_that_is_not_there(bench: Bench, web: Web) -> None:
    assert f"{web.base}/nope: the server answers 404" in bench.build(web.base + "/nope", code=16)


def test_standard_input_serves_one_master(bench: Bench) -> None:
    assert "both the context and the Dockerfile" in bench.build("-f", "-", "-", code=2)
