"""COPY and ADD in whole Dockerfiles, with sources from the web."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.oci import Digest

from tests.support.product import Repository, git_server
from tests.support.root import needs_root
from tests.support.scratch_builds import Bench
from tests.support.web import Answer, Web

pytestmark = [pytest.mark.root, needs_root]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    (tmp_path / "git").mkdir()
    with git_server("127.0.0.1", tmp_path / "git") as base:
        repository = Repository(tmp_path / "git/r.git", f"{base}/r.git")
        repository.write({"a": "one", "sub/b": "two"})
        yield repository


def test_everything_that_copy_can(bench: Bench) -> None:
    bench.write(
        """FROM scratch AS one
COPY --chmod=go-rwx,u+X dir /one/
COPY <<a <<"b" /docs/
hello
a
$not expanded
b
FROM scratch
COPY --parents --exclude=**/skip dir/*/ /two/
COPY --link --chown=7:8 file /three/
COPY --link --from=one / /
""",
        file="x",
        dir__sub__f="f",
        dir__sub__skip="s",
    )
    bench.build()
    assert bench.files() == {
        "two": (0, 0, 0o755),
        "two/dir": (0, 0, 0o755),
        "two/dir/sub": (0, 0, 0o755),
        "two/dir/sub/f": (0, 0, 0o644),
        "three": (7, 8, 0o755),
        "three/file": (7, 8, 0o644),
        "one": (0, 0, 0o755),
        "one/sub": (0, 0, 0o700),
        "one/sub/f": (0, 0, 0o600),
        "one/sub/skip": (0, 0, 0o600),
        "docs": (0, 0, 0o755),
        "docs/a": (0, 0, 0o644),
        "docs/b": (0, 0, 0o644),
    }
    assert len(bench.layers()) == 3


def test_a_file_from_the_web(bench: Bench, web: Web) -> None:
    url = web.serve("/f.txt", Answer(b"hello"))
    bench.write(f"FROM scratch\nADD {url} /x/\nADD --chmod=755 --chown=3 {url} /y\n")
    bench.build()
    assert bench.files() == {"x": (0, 0, 0o755), "x/f.txt": (0, 0, 0o600), "y": (3, 3, 0o755)}
    assert [path for path, _ in web.asked] == ["/f.txt"]


def test_a_file_whose_checksum_is_known_is_not_even_asked_for_when_it_is_cached(bench: Bench, web: Web) -> None:
    url = web.serve("/f", Answer(b"hello"))
    bench.write(f"FROM scratch\nADD --checksum={Digest.of(b'hello')} {url} /x\n")
    cache = bench.folder / "cache"
    bench.build("--cache-to", f"type=local,dest={cache}", str(bench.context))
    web.asked.clear()
    log = bench.build("--cache-from", f"type=local,src={cache}", str(bench.context))
    assert "1 of 1 steps from the cache" in log
    assert not web.asked


def test_a_file_that_is_another_one_is_shown_with_both_checksums(bench: Bench, web: Web) -> None:
    url = web.serve("/f", Answer(b"hello"))
    bench.write(f"FROM scratch\nARG AT={url}\nADD --checksum={Digest.of(b'bye')} $AT /x\n")
    log = bench.build(code=18)
    assert Digest.of(b"hello") in log
    assert Digest.of(b"bye") in log
    assert "line 3: ADD" in log
    assert ">>> ADD" in log


def test_a_file_that_is_not_there_names_the_line(bench: Bench, web: Web) -> None:
    bench.write(f"FROM scratch\nADD {web.base}/nope /x\n")
    assert "line 2: ADD: " in bench.build(code=16)


def test_trees_of_a_repository(bench: Bench, repository: Repository) -> None:
    bench.write(
        f"""FROM scratch
ADD {repository.url} /all
ADD {repository.url}#main:sub /part/
ADD --keep-git-dir=true {repository.url}#main /kept
"""
    )
    bench.build()
    seen = bench.files()
    assert {name for name in seen if not name.startswith("kept/.git/")} == {
        *("all", "all/a", "all/sub", "all/sub/b", "part", "part/b"),
        *("kept", "kept/.git", "kept/a", "kept/sub", "kept/sub/b"),
    }
    assert "kept/.git/HEAD" in seen
    assert seen["all/a"] == (0, 0, 0o644)


def test_a_tag_is_known_by_its_own_object_and_by_its_commit(bench: Bench, repository: Repository) -> None:
    git = ["git", "-C", str(repository.path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "tag", "--annotate", "--message=x", "v1"], check=True)
    for name in ("v1", "v1^{commit}"):
        commit = subprocess.run([*git, "rev-parse", name], check=True, capture_output=True, text=True).stdout.strip()
        bench.write(f"FROM scratch\nADD --keep-git-dir --checksum={commit} {repository.url}#v1 /x\n")
        bench.build()
    bench.write(f"FROM scratch\nADD --checksum={'0' * 40} {repository.url}#v1 /x\n")
    assert f"not at {'0' * 40}" in bench.build(code=10)


def test_a_revision_that_is_not_there_names_the_line(bench: Bench, repository: Repository) -> None:
    bench.write(f"FROM scratch\nADD {repository.url}#nope /x\n")
    assert 'line 2: ADD: the repository has no branch or tag "nope"' in bench.build(code=16)


def test_named_contexts_are_copied_from_and_built_on(bench: Bench, web: Web) -> None:
    other = bench.folder / "other"
    (other / "d").mkdir(parents=True)
    (other / "d/f").write_text("x")
    (other / "secret").write_text("x")
    (other / ".dockerignore").write_text("secret\n")
    url = web.serve("/f", Answer(b"hello"))
    bench.write("FROM named\nCOPY --from=named d /copied/\nCOPY --from=remote context /context\n")
    bench.build("--build-context", f"named={other}", "--build-context", f"remote={url}", str(bench.context))
    assert bench.files() == {
        ".dockerignore": (0, 0, 0o644),
        "d": (0, 0, 0o755),
        "d/f": (0, 0, 0o644),
        "copied": (0, 0, 0o755),
        "copied/f": (0, 0, 0o644),
        "context": (0, 0, 0o600),
    }
