"""A Git repository as a build context, fetched with the git program.

Nothing of the surroundings' configuration is used, no hook runs, no helper program is started, no protocol is spoken
but the ones named here, and file modes are normalised: the same commit gives the same content keys on every machine.
"""

import asyncio
import contextlib
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_PROTOCOLS = "https:http:ssh:git"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]{0,254}")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_NOT_FOUND = ("couldn't find remote ref", "not found", "does not exist", "repository not exported", "not our ref")
_UNAUTHORIZED = ("authentication failed", "could not read username", "permission denied", "403", "401")


class GitFailed(Exception):
    """The source could not be had. `kind` says whether that is for the user to mend or worth another try."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
        """`not_found`, `unauthorized`, `invalid` or `unavailable`."""


@dataclass(frozen=True, slots=True)
class GitCheckout:
    """A work tree without its .git directory. `time` is the commit's, in seconds since the epoch."""

    directory: Path
    commit: str
    time: int


async def checkout(
    url: str, revision: str, *, depth: int, directory: Path, seconds: float = 600.0, allow_local: bool = False
) -> GitCheckout:
    """Fetch `revision` (branch, tag, full ref or commit) of the repository into `directory`. Raises GitFailed.

    `allow_local` permits paths and file: URLs, which only a person on their own machine may use.
    """
    _check(url, revision, allow_local)
    directory.mkdir(parents=True)
    runner = _Git(directory, seconds, _PROTOCOLS + (":file" if allow_local else ""))
    await runner.run("init", "--quiet", "--initial-branch=build", ".")
    await runner.run("remote", "add", "origin", url)
    shallow = () if depth == 0 else (f"--depth={depth}",)
    try:
        await runner.run("fetch", "--quiet", "--no-tags", *shallow, "origin", revision)
        fetched = "FETCH_HEAD"
    except GitFailed as failed:
        # Servers may refuse to serve a commit by name; then the history has to be searched for it.
        if failed.kind != "not_found" or not _COMMIT.fullmatch(revision):
            raise
        await runner.run("fetch", "--quiet", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
        fetched = revision
    commit = (await runner.run("rev-parse", "--verify", f"{fetched}^{{commit}}")).strip()
    await runner.run("checkout", "--quiet", "--detach", commit)
    time = int((await runner.run("show", "--no-patch", "--format=%ct", commit)).strip())
    await asyncio.to_thread(_normalize, directory)
    return GitCheckout(directory, commit, time)


def _check(url: str, revision: str, allow_local: bool) -> None:
    if not _REVISION.fullmatch(revision) or ".." in revision:
        raise GitFailed(f'"{revision[:100]}" is not a Git revision', "invalid")
    scheme = urlsplit(url).scheme if "://" in url else ""
    scp_like = re.fullmatch(r"[\w.-]+@[\w.-]+:[^:].*", url) is not None
    if url.startswith("-") or "::" in url.partition("://")[0]:
        raise GitFailed("the repository's URL is not one of https, http, ssh or git", "invalid")
    if not scp_like and scheme not in ("https", "http", "ssh", "git") and not allow_local:
        raise GitFailed("the repository's URL is not one of https, http, ssh or git", "invalid")


class _Git:
    def __init__(self, directory: Path, timeout: float, protocols: str) -> None:
        self._directory = directory
        self._timeout = timeout
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": str(directory.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocols,
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
            "GIT_ADVICE": "0",
        }
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "https_proxy", "http_proxy", "no_proxy"):
            if name in os.environ:
                self._environment[name] = os.environ[name]

    async def run(self, command: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "git",
            *("-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.symlinks=true"),
            *("-c", "protocol.version=2", "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=60"),
            command,
            *arguments,
            cwd=self._directory,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._timeout):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise GitFailed(f"git {command} did not end within {self._timeout:.0f} s", "unavailable") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            raise _failure(command, errors.decode(errors="replace"))
        return output.decode(errors="replace")


def _failure(command: str, text: str) -> GitFailed:
    told = _USERINFO.sub("", " ".join(text.split()))[:500]
    lowered = told.lower()
    if any(word in lowered for word in _UNAUTHORIZED):
        kind = "unauthorized"
    elif any(word in lowered for word in _NOT_FOUND):
        kind = "not_found"
    else:
        kind = "unavailable"
    return GitFailed(f"git {command} failed: {told}", kind)


def _normalize(directory: Path) -> None:
    """Drop .git, and give every file the mode that Git knows of (0644, 0755): a umask must not change a key."""
    import shutil

    shutil.rmtree(directory / ".git")
    directory.chmod(0o755)
    folders = [directory]
    while folders:  # os.walk calls itself for each level, and a tree may be deeper than that goes
        for entry in os.scandir(folders.pop()):
            if entry.is_symlink():
                continue
            path = Path(entry.path)
            if entry.is_dir():
                path.chmod(0o755)
                folders.append(path)
            else:
                path.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
