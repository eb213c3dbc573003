"""Who we are towards a registry: from docker's config and from its credential helpers."""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...contract.docker_config import MAX_BYTES, DockerConfig, InvalidDockerConfig, server_address
from .errors import Unauthorized

HELPER_SECONDS = 30.0
HELPER_BYTES = 64 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A name with a password, or an identity token that a token server exchanges for access tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


class CredentialStore(Protocol):
    """Asked at most once for each registry, and only after the registry demanded proof.

    None means that nothing is known: the registry is then used anonymously. Raises Unauthorized where something
    should be known and cannot be had (a broken helper): going on without would only hide the cause.
    """

    async def get(self, registry: str) -> Credentials | None: ...


class DockerCredentials:
    """`$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, read when first needed. A missing file knows nothing."""

    def __init__(self, directory: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> None:
        self._directory = directory
        self._environ = environ
        self._config: DockerConfig | None = None

    def __repr__(self) -> str:
        return f"<DockerCredentials {self._file()}>"

    async def get(self, registry: str) -> Credentials | None:
        if self._config is None:
            self._config = await asyncio.to_thread(self._read, registry)
        helper = self._config.helper(registry)
        if helper:
            found = await self._ask(helper, registry)
            if found:
                return found
        login = self._config.login(registry)
        if login is None:
            return None
        return Credentials(username=login.username, password=login.password, identity_token=login.identity_token)

    def _file(self) -> Path:
        configured = self._environ.get("DOCKER_CONFIG")
        home = Path(self._environ.get("HOME") or "/root")
        return (self._directory or (Path(configured) if configured else home / ".docker")) / "config.json"

    def _read(self, registry: str) -> DockerConfig:
        try:
            with self._file().open("rb") as file:
                return DockerConfig.parse(file.read(MAX_BYTES + 1))
        except (FileNotFoundError, NotADirectoryError):
            return DockerConfig()
        except OSError as error:
            raise Unauthorized(registry, f"{self._file()}: {error.strerror}") from error
        except InvalidDockerConfig as error:
            raise Unauthorized(registry, f"{self._file()}: {error}") from error

    async def _ask(self, helper: str, registry: str) -> Credentials | None:
        """What `docker-credential-<helper> get` says; its answer and its standard error are never quoted."""
        command = f"docker-credential-{helper}"
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                "get",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=dict(self._environ),
            )
        except OSError as error:
            raise Unauthorized(registry, f"{command} cannot be run: {error.strerror}") from error
        try:
            async with asyncio.timeout(HELPER_SECONDS):
                output = await _converse(process, server_address(registry).encode() + b"\n")
                status = await process.wait()
        except TimeoutError:
            raise Unauthorized(registry, f"{command} did not answer within {HELPER_SECONDS:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return _answer(registry, command, status, output)


async def _converse(process: asyncio.subprocess.Process, question: bytes) -> bytes:
    """Writes the question and reads a bounded answer; one byte past the bound tells that there was more."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(question)
        await process.stdin.drain()
    process.stdin.close()
    output = b""
    while len(output) <= HELPER_BYTES:
        data = await process.stdout.read(HELPER_BYTES)
        if not data:
            return output
        output += data
    process.kill()
    return output


def _answer(registry: str, command: str, status: int, output: bytes) -> Credentials | None:
    if len(output) > HELPER_BYTES:
        raise Unauthorized(registry, f"{command} answered with more than {HELPER_BYTES} bytes")
    if status != 0:
        # The helpers' protocol knows this case by its words alone.
        if b"credentials not found" in output.lower():
            return None
        raise Unauthorized(registry, f"{command} failed with status {status}")
    try:
        value = json.loads(output)
        username, secret = value["Username"], value["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unauthorized(registry, f"{command} gave an answer that is not credentials") from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise Unauthorized(registry, f"{command} gave an answer that is not credentials")
    if username == "<token>":
        return Credentials(identity_token=secret)
    return Credentials(username=username, password=secret)
