"""SSH agents that steps may use (`RUN --mount=type=ssh`): the caller's own, or one of ours with the caller's keys.

A step gets a socket of its own in front of the agent, with the owner and the mode that it asks for; keys never come
near it. An agent of ours is the ordinary ssh-agent. It keeps keys in memory, and ends with the build or the engine.
"""

import asyncio
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ..contract import SshForward
from ..core.graph import HandedOption
from ..host.executor import companion

DEFAULT = "default"
_KEY_LIMIT = 100 * 1024
"""Bytes, as in BuildKit (session/sshforward/sshprovider)."""
_START_MAY_TAKE = 20.0
_CONNECTIONS = 64
_CHUNK = 1 << 16
_NAME = "agent"


class SshUnusable(Exception):
    """An agent or a key that the caller offers cannot be used. The message has its id and its place."""


class SshAgents:
    """The caller's agents, by id. An async context manager; `directory` is the build's own."""

    def __init__(self, forwards: Sequence[SshForward] = (), directory: Path | None = None) -> None:
        self._forwards = {forward.id: forward for forward in forwards}
        self._directory = directory
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._started: dict[str, Path] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def check(self) -> None:
        """Is everything there? Raises SshUnusable."""
        for forward in self._forwards.values():
            _sockets_and_keys(forward)

    async def socket(self, name: str) -> Path | None:
        """Where the agent with that id listens; None for one that nobody offers. Raises SshUnusable."""
        forward = self._forwards.get(name)
        if forward is None:
            return None
        async with self._lock:
            if name not in self._started:
                given, keys = _sockets_and_keys(forward)
                self._started[name] = given if given is not None else await self._start(name, keys)
            return self._started[name]

    async def _start(self, name: str, keys: Sequence[Path]) -> Path:
        programs = {program: shutil.which(program) for program in ("ssh-agent", "ssh-add")}
        for program, found in programs.items():
            if found is None:
                raise SshUnusable(f'ssh "{name}": {program} is not installed, and keys need it (hand over an agent)')
        directory = Path(tempfile.mkdtemp(prefix="ssh-agent-", dir=self._directory))
        # By a relative name: a socket's path may have 107 bytes.
        arguments = ["-D", "-a", _NAME]
        running = await self._stack.enter_async_context(
            companion(Path(str(programs["ssh-agent"])), arguments, ["PATH=/usr/bin:/bin"], directory)
        )
        async with asyncio.timeout(_START_MAY_TAKE):
            while not (directory / _NAME).exists():
                if running.has_ended:
                    raise SshUnusable(f'ssh "{name}": ssh-agent does not start: {" ".join(running.said)}')
                await asyncio.sleep(0.02)
        for key in keys:
            await _add(name, key, str(programs["ssh-add"]), directory)
        return directory / _NAME


def _sockets_and_keys(forward: SshForward) -> tuple[Path | None, tuple[Path, ...]]:
    """One socket, or keys."""
    paths = tuple(Path(path) for path in forward.paths)
    if not paths:
        raise SshUnusable(f'ssh "{forward.id}": there is no agent (is SSH_AUTH_SOCK set?) and no key is named')
    for path in paths:
        try:
            kind = path.stat().st_mode
        except OSError as error:
            raise SshUnusable(f'ssh "{forward.id}": {path}: {error.strerror}') from error
        if stat.S_ISSOCK(kind):
            if len(paths) > 1:
                raise SshUnusable(f'ssh "{forward.id}": an agent\'s socket ({path}) and others cannot be one agent')
            return path, ()
        if not stat.S_ISREG(kind):
            raise SshUnusable(f'ssh "{forward.id}": {path} is neither a socket nor a key file')
    return None, paths


async def _add(name: str, key: Path, program: str, directory: Path) -> None:
    """Through ssh-add's standard input: it would refuse a file that others may read, such as one in a pod's volume."""
    try:
        with key.open("rb") as file:
            data = file.read(_KEY_LIMIT + 1)
    except OSError as error:
        raise SshUnusable(f'ssh "{name}": {key}: {error.strerror}') from error
    if len(data) > _KEY_LIMIT:
        raise SshUnusable(f'ssh "{name}": {key} is too large for a key')
    child = await asyncio.create_subprocess_exec(
        program,
        "-q",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "SSH_AUTH_SOCK": _NAME, "SSH_ASKPASS_REQUIRE": "never"},
        start_new_session=True,  # no terminal to ask for a passphrase on
    )
    try:
        async with asyncio.timeout(_START_MAY_TAKE):
            _, said = await child.communicate(data)
    except BaseException:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    if child.returncode:
        words = " ".join(said.decode(errors="replace").split())[:300]
        raise SshUnusable(f'ssh "{name}": the key {key} cannot be used (has it a passphrase?): {words}')


@asynccontextmanager
async def forwarded(agent: Path, directory: Path, option: HandedOption) -> AsyncIterator[Path]:
    """A socket in the directory, with the option's owner and mode, behind which the agent listens."""
    place = Path(tempfile.mkdtemp(prefix="ssh-", dir=directory))
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            if len(connections) <= _CONNECTIONS:
                await _join(reader, writer, agent)
        finally:
            connections.discard(task)
            writer.close()

    with _short(place) as short, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(f"{short}/{_NAME}")
        os.chown(place / _NAME, option.uid, option.gid)
        (place / _NAME).chmod(option.mode & 0o777)
        server = await asyncio.start_unix_server(serve, sock=listening, limit=_CHUNK)
        try:
            yield place / _NAME
        finally:
            server.close()
            for task in tuple(connections):
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            shutil.rmtree(place, ignore_errors=True)


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, agent: Path) -> None:
    with suppress(OSError), _short(agent.parent) as short:
        from_agent, to_agent = await asyncio.open_unix_connection(f"{short}/{agent.name}", limit=_CHUNK)
        ways = [asyncio.create_task(_pass_on(reader, to_agent)), asyncio.create_task(_pass_on(from_agent, writer))]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            to_agent.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@contextmanager
def _short(directory: Path) -> Iterator[str]:
    """A name for the directory that leaves room for a socket's."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
