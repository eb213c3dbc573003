"""Git repositories: what a revision is, and the files of a commit.

File modes are normalised: the same commit gives the same content keys on every machine.
"""

import asyncio
import os
import posixpath
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from .gitprogram import Git, GitFailed, Remote

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REVISION = re.compile(r"(?!-)[^\x00-\x20\x7f~^:?*\[\\]{1,255}")
"""As git-check-ref-format has it; nothing that git could take for an option or for two refs."""
_SECONDS = 600.0
_FETCHED = "refs/imagebuild/fetched"


@dataclass(frozen=True, slots=True)
class GitCheckout:
    """A work tree. `time` is the commit's, in seconds since the epoch."""

    directory: Path
    commit: str
    time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRef:
    """What a revision stands for. `ref` is its full name; the commit itself if it was one.

    `tag` is the object of an annotated tag; its commit is `commit`.
    """

    commit: str
    ref: str
    tag: str = ""


async def resolve(
    url: str, revision: str, *, scratch: Path, seconds: float = 60.0, allow_local: bool = False
) -> ResolvedRef:
    """Asks the repository; an empty revision is its default branch. Raises GitFailed.

    Where the name is ambiguous, a branch wins over a tag, and a name below refs/ over both (source/git/source.go).
    """
    if _COMMIT.fullmatch(revision):
        return ResolvedRef(commit=revision, ref=revision)
    remote = Remote(url, allow_local=allow_local)
    runner = Git(scratch, remote, seconds)
    name = revision
    if name:
        _check_revision(name)
    else:
        head = await runner.run("ls-remote", "--symref", "--", remote.url, "HEAD")
        name = next((line[5:].partition("\t")[0] for line in head.splitlines() if line.startswith("ref: ")), "")
        if not name:
            raise GitFailed("the repository has no default branch", "not_found")
    listed = await runner.run("ls-remote", "--", remote.url, name, f"{name}^{{}}")
    found = {ref: commit for commit, _, ref in (line.partition("\t") for line in listed.splitlines())}
    branch, tag = f"refs/heads/{name.removeprefix('refs/heads/')}", f"refs/tags/{name.removeprefix('refs/tags/')}"
    below = f"refs/{name.removeprefix('refs/')}"
    if below in (branch, tag):
        below = ""
    ref = next((ref for ref in (below, branch, tag) if ref in found), "")
    if not ref or not _COMMIT.fullmatch(found[ref]):
        raise GitFailed(f'the repository has no branch or tag "{revision or name}"', "not_found")
    peeled = found.get(f"{tag}^{{}}", "") if ref == tag else ""
    if _COMMIT.fullmatch(peeled):
        return ResolvedRef(commit=peeled, ref=ref, tag=found[ref])
    return ResolvedRef(commit=found[ref], ref=ref)


async def checkout(
    url: str, revision: str, *, depth: int, directory: Path, seconds: float = _SECONDS, allow_local: bool = False
) -> GitCheckout:
    """Fetch `revision` (branch, tag, full ref or commit) of the repository into `directory`, without its .git.

    `depth` 0 means whole history. Raises GitFailed.
    """
    _check_revision(revision)
    runner = await _repository(Remote(url, allow_local=allow_local), directory, seconds, sha256=len(revision) == 64)
    shallow = () if depth == 0 else (f"--depth={depth}",)
    try:
        await _fetch(runner, shallow, revision)
        fetched = "FETCH_HEAD"
    except GitFailed as failed:
        # Servers may refuse to serve a commit by name; then the history has to be searched for it.
        if failed.kind != "not_found" or not _COMMIT.fullmatch(revision):
            raise
        await _fetch_all(runner)
        fetched = revision
    commit = (await runner.run("rev-parse", "--verify", f"{fetched}^{{commit}}")).strip()
    return await _finish(runner, directory, commit, submodules=False, keep_git_dir=False)


async def checkout_commit(
    url: str,
    commit: str,
    *,
    ref: str,
    directory: Path,
    subdir: str = "",
    submodules: bool = True,
    keep_git_dir: bool = False,
    seconds: float = _SECONDS,
    allow_local: bool = False,
) -> GitCheckout:
    """The files of a commit (or of a tag's commit), or those of its directory `subdir`, as BuildKit gives them.

    `ref` is where the commit was found; it may be elsewhere by now. The .git directory is kept, if asked for, with the
    whole tree only. Raises GitFailed.
    """
    if not _COMMIT.fullmatch(commit):
        raise GitFailed(f'"{commit[:100]}" is not a Git commit', "invalid")
    inner = posixpath.normpath("/" + subdir).strip("/")
    keep = keep_git_dir and not inner
    runner = await _repository(Remote(url, allow_local=allow_local), directory, seconds, sha256=len(commit) == 64)
    await _fetch_commit(runner, commit, ref, keep_ref=keep)
    tree = await _finish(runner, directory, commit, submodules=submodules, keep_git_dir=keep)
    return GitCheckout(_below(directory, inner), tree.commit, tree.time)


def _check_revision(revision: str) -> None:
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise GitFailed(f'"{revision[:100]}" is not a Git revision', "invalid")


async def _repository(remote: Remote, directory: Path, seconds: float, *, sha256: bool) -> Git:
    """A new repository without commits, which knows its origin."""
    directory.mkdir(parents=True)
    runner = Git(directory, remote, seconds)
    objects = ("--object-format=sha256",) if sha256 else ()
    await runner.run("init", "--quiet", "--initial-branch=master", *objects, ".")
    await runner.run("remote", "add", "origin", remote.url)
    return runner


async def _fetch(runner: Git, shallow: tuple[str, ...], *specs: str) -> None:
    try:
        await runner.run("fetch", "--quiet", "--no-tags", "--update-head-ok", *shallow, "origin", *specs)
    except GitFailed as failed:
        if not shallow or "does not support shallow" not in str(failed):
            raise
        await _fetch(runner, (), *specs)  # a plain web server with files of a repository


async def _fetch_all(runner: Git) -> None:
    await runner.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")


async def _fetch_commit(runner: Git, commit: str, ref: str, *, keep_ref: bool) -> None:
    """By its ref first, which every server allows; by itself; then all of the history is searched for it."""
    ways: list[str] = [commit]
    if ref.startswith("refs/"):
        _check_revision(ref)
        ways.insert(0, f"+{ref}:{ref if keep_ref else _FETCHED}")
    for way in ways:
        try:
            await _fetch(runner, ("--depth=1",), way)
        except GitFailed as failed:
            if failed.kind != "not_found":
                raise
            continue
        if await _has(runner, commit):
            return
    await _fetch_all(runner)
    if not await _has(runner, commit):
        raise GitFailed(f"the repository has no commit {commit}", "not_found")


async def _has(runner: Git, commit: str) -> bool:
    try:
        await runner.run("cat-file", "-e", f"{commit}^{{commit}}")
    except GitFailed:
        return False
    return True


async def _finish(runner: Git, directory: Path, commit: str, *, submodules: bool, keep_git_dir: bool) -> GitCheckout:
    """The fetched commit's files, and when it was made."""
    await runner.run("checkout", "--quiet", "--detach", f"{commit}^{{commit}}")
    if submodules and (directory / ".gitmodules").is_file():
        await runner.run("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
    time, _, found = (await runner.run("show", "--no-patch", "--format=%ct %H", f"{commit}^{{commit}}")).partition(" ")
    if keep_git_dir:
        await runner.run("reflog", "expire", "--all", "--expire=now")
        (directory / ".git" / "FETCH_HEAD").unlink(missing_ok=True)
    await asyncio.to_thread(_normalize, directory, keep_git_dir)
    return GitCheckout(directory, found.strip(), int(time))


def _below(directory: Path, subdir: str) -> Path:
    """The directory in the work tree. No link is followed: it could lead anywhere."""
    for name in filter(None, subdir.split("/")):
        directory = directory / name
        if not directory.is_dir() or directory.is_symlink():
            raise GitFailed(f'"{subdir}" is not a directory of the repository', "not_found")
    return directory


def _normalize(directory: Path, keep_git_dir: bool) -> None:
    """Every file gets the mode that Git knows of (0644, 0755): a umask must not change a key.

    What is called .git goes, here and in submodules, where it names a place on this machine; kept is all of it.
    """
    directory.chmod(0o755)
    folders = [directory]
    while folders:  # os.walk calls itself for each level, and a tree may be deeper than that goes
        for entry in os.scandir(folders.pop()):
            path = Path(entry.path)
            if entry.name == ".git":
                if not keep_git_dir:
                    shutil.rmtree(path) if entry.is_dir(follow_symlinks=False) else path.unlink()
            elif entry.is_dir(follow_symlinks=False):
                path.chmod(0o755)
                folders.append(path)
            elif not entry.is_symlink():
                path.chmod(0o755 if entry.stat().st_mode & stat.S_IXUSR else 0o644)
