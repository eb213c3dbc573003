"""Files and Git trees from the web as sources of a build, from servers on loopback."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild_engine.build.failures import SourceFailed, StepRefused
from imagebuild_engine.build.layers import Fetched
from imagebuild_engine.build.pins import Pinner
from imagebuild_engine.contract import Reason
from imagebuild_engine.core.cache import ContentRequest, ContentSelector
from imagebuild_engine.core.dockerfile import Source
from imagebuild_engine.core.frontend import CommitRequest, NeedsPins, PinnedCommit, PinnedFile
from imagebuild_engine.core.graph import GitSource, HttpSource
from imagebuild_engine.core.oci import Digest
from imagebuild_engine.host.context import GitFailed, checkout_commit, resolve
from imagebuild_engine.host.registry import RegistryClient

from tests.support.file_steps import FileSteps, file_steps
from tests.support.product import Repository, git_server
from tests.support.root import needs_root
from tests.support.tars import file, tar
from tests.support.web import Answer, Web

pytestmark = [pytest.mark.root, needs_root]

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[FileSteps]:
    (tmp_path / "context").mkdir()
    with file_steps(tmp_path, tmp_path / "context", "flat") as steps:
        yield steps


# --- files ------------------------------------------------------------------------------------------------------------


def http(url: str, data: bytes, name: str = "f") -> HttpSource:
    return HttpSource(url=url, filename=name, checksum=Digest.of(data))


async def pinned(steps: FileSteps, needed: NeedsPins) -> Pinner:
    pinner = Pinner(RegistryClient(None), steps.worker.remote)
    await pinner.pin(needed)
    return pinner


async def test_a_file_is_fetched_once_to_be_pinned_and_to_be_copied(steps: FileSteps, web: Web) -> None:
    url = web.serve("/f", Answer(b"hello", headers={"last-modified": DATE}))
    pinner = await pinned(steps, NeedsPins(files=(url, url)))
    await pinner.pin(NeedsPins(files=(url,)))
    assert pinner.pins.files == {url: PinnedFile(checksum=Digest.of(b"hello"), last_modified=DATE)}
    fetched = await steps.execute(http(url, b"hello"))
    await steps.execute(http(url, b"hello"))
    assert len(web.asked) == 1
    made = await steps.copy_from(fetched, "/f", "/x/")
    assert await steps.look(made) == {"x": "d 755 0:0", "x/f": "- 600 0:0"}
    assert (await steps.picture(made, times=True))[b"x/f"][-1] == 784111777 * 10**9


async def test_a_pinned_file_is_fetched_when_its_step_runs(steps: FileSteps, web: Web) -> None:
    op = http(web.serve("/f", Answer(b"hello")), b"hello", "other name")
    assert not web.asked
    made = await steps.copy_from(await steps.execute(op), "/other name", "/x")
    assert (await steps.picture(made, times=True))[b"x"][-1] == 0, "without a date, the file is of 1970"


async def test_a_file_that_is_not_the_pinned_one_is_the_users_error(steps: FileSteps, web: Web) -> None:
    with pytest.raises(StepRefused, match="line 1: .*its checksum is sha256:") as caught:
        await steps.execute(http(web.serve("/f", Answer(b"hello")), b"bye"))
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert caught.value.excerpt


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, Reason.SOURCE_NOT_FOUND), (403, Reason.SOURCE_UNAUTHORIZED), (502, Reason.SOURCE_UNAVAILABLE)],
)
async def test_a_file_that_cannot_be_had(steps: FileSteps, web: Web, status: int, reason: Reason) -> None:
    with pytest.raises(StepRefused) as caught:
        await steps.execute(http(web.serve("/f", Answer(status=status)), b""))
    assert caught.value.reason is reason


async def test_a_file_that_cannot_be_pinned_is_shown_in_the_dockerfile(steps: FileSteps, web: Web) -> None:
    with pytest.raises(SourceFailed) as caught:
        await pinned(steps, NeedsPins(files=(web.base + "/f",)))
    located = caught.value.located(Source("Dockerfile", f"FROM scratch\nadd {web.base}/f /x\n"))
    assert isinstance(located, StepRefused)
    assert str(located) == f"line 2: ADD: {web.base}/f: the server answers 404"
    assert (located.reason, ">>> add" in located.excerpt) == (Reason.SOURCE_NOT_FOUND, True)
    assert caught.value.located(Source("Dockerfile", "ADD $URL /x")) is caught.value.problem


async def test_an_archive_from_the_web_is_unpacked_if_asked_for(steps: FileSteps, web: Web) -> None:
    data = tar([file("in/f", b"f")])
    fetched = await steps.execute(http(web.serve("/a.tar", Answer(data)), data, "a.tar"))
    assert set(await steps.look(await steps.copy_from(fetched, "/a.tar", "/x/", unpack_archive=True))) == {
        "x",
        "x/in",
        "x/in/f",
    }
    assert set(await steps.look(await steps.copy_from(fetched, "/a.tar", "/x/"))) == {"x", "x/a.tar"}


@pytest.mark.parametrize("name", ["../../f", "..", "", "a\nb", "/"])
async def test_a_hostile_file_name_stays_in_the_tree(steps: FileSteps, web: Web, name: str) -> None:
    fetched = await steps.execute(http(web.serve("/f", Answer(b"x")), b"x", name))
    assert isinstance(fetched, Fetched)
    assert [path.name for path in fetched.directory.iterdir()] in (["f"], ["download"])


async def test_content_of_a_fetched_file_belongs_to_root_whoever_fetched_it(steps: FileSteps, web: Web) -> None:
    fetched = await steps.execute(http(web.serve("/f", Answer(b"x")), b"x"))
    assert isinstance(fetched, Fetched)
    request = ContentRequest(selectors=(ContentSelector(path="/f"),))
    first = request.digest(await steps.worker.trees.described(fetched))
    other = steps.context.parent / "other"
    other.mkdir()
    (other / "f").write_bytes(b"x")
    (other / "f").chmod(0o600)
    os.chown(other / "f", 1000, 1000)
    assert request.digest(await steps.worker.trees.described(Fetched(other))) == first


# --- Git --------------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "git").mkdir()
    with git_server("127.0.0.1", tmp_path / "git") as base:
        yield base


@pytest.fixture
def repository(tmp_path: Path, served: str) -> Repository:
    repository = Repository(tmp_path / "git/r", f"{served}/r/.git")
    repository.write({"a": "one", "sub/b": "two", "sub/deep/c": "three"})
    return repository


async def found(repository: Repository, tmp_path: Path, ref: str) -> PinnedCommit:
    answer = await resolve(repository.url, ref, scratch=tmp_path)
    return PinnedCommit(commit=answer.commit, ref=answer.ref, tag=answer.tag)


async def test_revisions_stand_for_commits(repository: Repository, tmp_path: Path) -> None:
    first = git(repository.path, "rev-parse", "HEAD")
    git(repository.path, "tag", "light")
    git(repository.path, "tag", "--annotate", "--message=x", "heavy")
    heavy = git(repository.path, "rev-parse", "heavy")
    second = repository.write({"a": "two"})
    git(repository.path, "branch", "light")
    main = PinnedCommit(commit=second, ref="refs/heads/main")
    for ref in ("", "main", "refs/heads/main", "heads/main"):
        assert await found(repository, tmp_path, ref) == main, ref
    assert await found(repository, tmp_path, "light") == PinnedCommit(commit=second, ref="refs/heads/light")
    assert await found(repository, tmp_path, "refs/tags/light") == PinnedCommit(commit=first, ref="refs/tags/light")
    assert await found(repository, tmp_path, "heavy") == PinnedCommit(commit=first, ref="refs/tags/heavy", tag=heavy)
    assert await found(repository, tmp_path, first) == PinnedCommit(commit=first, ref=first)


@pytest.mark.parametrize("ref", ["nope", "--upload-pack=x", "a:b", "a b", "..", "mai?", "x" * 300])
async def test_revisions_that_stand_for_nothing(repository: Repository, tmp_path: Path, ref: str) -> None:
    with pytest.raises(GitFailed) as caught:
        await resolve(repository.url, ref, scratch=tmp_path)
    assert caught.value.kind in ("not_found", "invalid")


async def test_a_tree_of_a_commit(repository: Repository, steps: FileSteps) -> None:
    (repository.path / "run").write_text("#!/bin/sh\n")
    (repository.path / "run").chmod(0o777)
    (repository.path / "link").symlink_to("/etc/passwd")
    commit = repository.write({})
    op = GitSource(remote=repository.url, commit=commit, ref="refs/heads/main")
    fetched = await steps.execute(op)
    made = await steps.copy_from(
        fetched, "/", "/x", dir_copy_contents=False, follow_symlink=False, allow_wildcard=False
    )
    assert await steps.look(made) == {
        "x": "d 755 0:0",
        "x/a": "- 644 0:0",
        "x/link": "l 777 0:0",
        "x/run": "- 755 0:0",
        "x/sub": "d 755 0:0",
        "x/sub/b": "- 644 0:0",
        "x/sub/deep": "d 755 0:0",
        "x/sub/deep/c": "- 644 0:0",
    }
    below = await steps.execute(
        GitSource(remote=repository.url, commit=commit, ref="refs/heads/main", subdir="sub/./deep/")
    )
    assert set(await steps.look(below)) == {"c"}


@pytest.mark.parametrize("subdir", ["nope", "a", "link", "link/x"])
async def test_a_subdirectory_that_is_none(repository: Repository, steps: FileSteps, subdir: str) -> None:
    (repository.path / "link").symlink_to("sub")
    commit = repository.write({})
    with pytest.raises(StepRefused, match="is not a directory of the repository") as caught:
        await steps.execute(GitSource(remote=repository.url, commit=commit, ref="refs/heads/main", subdir=subdir))
    assert caught.value.reason is Reason.SOURCE_NOT_FOUND


async def test_a_commit_that_its_branch_has_left_behind(repository: Repository, tmp_path: Path) -> None:
    first = git(repository.path, "rev-parse", "HEAD")
    repository.write({"a": "newer"})
    tree = await checkout_commit(repository.url, first, ref="refs/heads/main", directory=tmp_path / "tree")
    assert (tree.commit, (tree.directory / "a").read_text()) == (first, "one")
    tree = await checkout_commit(repository.url, first, ref="refs/heads/gone", directory=tmp_path / "tree2")
    assert tree.commit == first
    with pytest.raises(GitFailed, match="has no commit") as caught:
        await checkout_commit(repository.url, "0" * 40, ref="refs/heads/main", directory=tmp_path / "tree3")
    assert caught.value.kind == "not_found"


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/heavy", ""])
async def test_a_kept_git_directory_knows_its_commit_and_its_origin(
    repository: Repository, tmp_path: Path, ref: str
) -> None:
    git(repository.path, "tag", "--annotate", "--message=x", "heavy")
    commit = git(repository.path, "rev-parse", ref or "HEAD")
    tree = await checkout_commit(
        repository.url, commit, ref=ref or commit, directory=tmp_path / "tree", keep_git_dir=True
    )
    assert git(tree.directory, "rev-parse", "HEAD") == tree.commit
    assert git(tree.directory, "status", "--porcelain") == ""
    assert git(tree.directory, "remote", "get-url", "origin") == repository.url
    assert not (tree.directory / ".git/FETCH_HEAD").exists()
    if ref:
        assert git(tree.directory, "rev-parse", ref) == commit


async def test_submodules_come_along(served: str, repository: Repository, tmp_path: Path) -> None:
    outer = Repository(tmp_path / "git/outer", f"{served}/outer/.git")
    outer.write({"o": "o"})
    git(outer.path, "submodule", "add", f"{served}/r/.git", "inner")
    commit = outer.write({})
    tree = await checkout_commit(outer.url, commit, ref="refs/heads/main", directory=tmp_path / "with")
    assert (tree.directory / "inner/sub/b").read_text() == "two"
    assert not list(tree.directory.rglob(".git"))
    tree = await checkout_commit(
        outer.url, commit, ref="refs/heads/main", directory=tmp_path / "without", submodules=False
    )
    assert list((tree.directory / "inner").iterdir()) == []


async def test_a_submodule_of_this_machine_is_not_fetched(served: str, tmp_path: Path, repository: Repository) -> None:
    outer = Repository(tmp_path / "git/outer", f"{served}/outer/.git")
    outer.write({"o": "o"})
    git(outer.path, "submodule", "add", str(repository.path), "inner")
    commit = outer.write({})
    with pytest.raises(GitFailed, match="not allowed"):
        await checkout_commit(outer.url, commit, ref="refs/heads/main", directory=tmp_path / "tree")


async def test_a_repository_behind_a_plain_web_server(repository: Repository, tmp_path: Path, web: Web) -> None:
    """And its password is in no message, no argument and no file."""
    git(repository.path, "repack", "-a", "-d")
    git(repository.path, "update-server-info")
    store = repository.path / ".git"
    for path in store.rglob("*"):
        if path.is_file():
            web.serve(f"/r.git/{path.relative_to(store)}", Answer(path.read_bytes()))
    url = web.base.replace("//", "//me:s3cret%21@") + "/r.git"
    answer = await resolve(url, "main", scratch=tmp_path)
    tree = await checkout_commit(url, answer.commit, ref=answer.ref, directory=tmp_path / "tree", keep_git_dir=True)
    assert (tree.directory / "a").read_text() == "one"
    assert {headers.get("authorization") for _, headers in web.asked} == {"Basic bWU6czNjcmV0IQ=="}
    assert not [path for path in tree.directory.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    with pytest.raises(GitFailed) as caught:
        await resolve(url + "/nope", "main", scratch=tmp_path)
    assert "s3cret" not in str(caught.value)


async def test_commits_are_pinned_once(repository: Repository, steps: FileSteps) -> None:
    request = CommitRequest(repository.url, "main")
    pinner = await pinned(steps, NeedsPins(commits=(request, request)))
    before = pinner.pins.commits[request]
    repository.write({"a": "newer"})
    await pinner.pin(NeedsPins(commits=(request,)))
    assert pinner.pins.commits[request] == before
