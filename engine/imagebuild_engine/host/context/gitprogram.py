"""The git program, run so that nothing of its surroundings matters.

No configuration of the machine is used, no hook runs, no helper program is started, no protocol is spoken but the ones
named here. A user and password in a URL never stand on a command line or in a message: they are handed over as a header
in the environment.
"""

import asyncio
import base64
import contextlib
import os
import re
import signal
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PROTOCOLS = "https:http:ssh:git"
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^:].*")
_NOT_FOUND = ("couldn't find remote ref", "not found", "does not exist", "repository not exported", "not our ref")
_UNAUTHORIZED = ("authentication failed", "could not read username", "permission denied", "403", "401")
_OUTPUT = 8 << 20
"""Bytes of output that are read. What we ask for is short; a server may answer at any length."""


class GitFailed(Exception):
    """The source could not be had. `kind` says whether that is for the user to mend or worth another try."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind
        """`not_found`, `unauthorized`, `invalid` or `unavailable`."""


class Remote:
    """A repository's URL that git may be told to ask. Raises GitFailed for any other.

    `allow_local` permits paths and file: URLs, which only a person on their own machine may use.
    """

    def __init__(self, url: str, *, allow_local: bool = False) -> None:
        scheme = urlsplit(url).scheme if "://" in url else ""
        local = not _SCP_LIKE.fullmatch(url) and scheme not in ("https", "http", "ssh", "git")
        if url.startswith("-") or "::" in url.partition("://")[0] or (local and not allow_local):
            raise GitFailed("the repository's URL is not one of https, http, ssh or git", "invalid")
        self.protocols = _PROTOCOLS + (":file" if allow_local else "")
        self.url = url
        self.header: tuple[str, str] | None = None
        """Where it is sent (a URL), and the header that proves who we are."""
        parts = urlsplit(url)
        if scheme in ("https", "http") and "@" in parts.netloc:
            user, _, host = parts.netloc.rpartition("@")
            self.url = parts._replace(netloc=host).geturl()
            token = base64.b64encode(unquote(user).encode()).decode()
            self.header = (f"{scheme}://{host}/", f"Authorization: Basic {token}")


class Git:
    """Runs git in a directory, each command within `seconds`."""

    def __init__(self, directory: Path, remote: Remote, seconds: float) -> None:
        self._directory = directory
        self._timeout = seconds
        self._environment = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": str(directory.parent),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": remote.protocols,
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
            "GIT_ADVICE": "0",
        }
        if remote.header is not None:
            place, header = remote.header
            self._environment |= {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{place}.extraHeader",
                "GIT_CONFIG_VALUE_0": header,
            }
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "https_proxy", "http_proxy", "no_proxy"):
            if name in os.environ:
                self._environment[name] = os.environ[name]

    async def run(self, command: str, *arguments: str) -> str:
        """What the command printed. Raises GitFailed."""
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
            umask=0o022,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            async with asyncio.timeout(self._timeout):
                output, errors = await asyncio.gather(
                    _bounded(process.stdout, command), _bounded(process.stderr, command)
                )
                await process.wait()
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


async def _bounded(stream: asyncio.StreamReader, command: str) -> bytes:
    found = bytearray()
    while piece := await stream.read(1 << 16):
        found += piece
        if len(found) > _OUTPUT:
            raise GitFailed(f"git {command} prints more than {_OUTPUT >> 20} MiB", "invalid")
    return bytes(found)


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
