"""The engine's end of the supervisor: starting it, giving it steps, hearing how they ended."""

import asyncio
import atexit
import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import ExecutorUnavailable, NotExecutable, NotPossibleHere, StartFailed
from .limits import TOO_HIGH
from .process import Output, Stream
from .subprocesses import attend

_PROGRAM = Path(__file__).with_name("supervisor.py")
_SOCKET = 3
"""The descriptor's number in the supervisor."""
_STATUS_LIMIT = 1 << 16
_EXEC_ERRORS = {
    errno.ENOEXEC: "exec format error (another architecture, or a script without #!)",
    errno.EACCES: "permission denied",
    errno.ENOENT: "its interpreter is not in the image",
    errno.E2BIG: "arguments and environment are too long",
}


def look_after(directory: Path | str) -> None:
    """Should this process die before `forget`, all below the directory is unmounted and deleted. Takes no time."""
    _supervisor.look_after(str(directory))


def forget(directory: Path | str) -> None:
    """The directory is deleted, or shall stay."""
    _supervisor.forget(str(directory))


def start_supervisor() -> None:
    """So that it is there when the first step comes. Takes no time."""
    _supervisor.start()


def as_ourselves(args: Sequence[str], executable: str, env: Sequence[str], cwd: str) -> dict[str, Any]:
    """What `run_supervised` takes for a program that runs as we do: in our own tree, with our own rights and limits."""
    return {
        "args": list(args),
        "executable": executable,
        "env": list(env),
        "cwd": cwd,
        "root": None,
        "uid": None,
        "gid": None,
        "groups": None,
        "capabilities": None,
        "limits": [],
        "processes": 0,
        "at_most": 0,
        "afterwards": [],
    }


class _Supervisor:
    """The one of this process. It ends when our end of its socket closes, however that comes about."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._directories: list[str] = []
        atexit.register(self._close)

    def start(self) -> socket.socket:
        with self._lock:
            if self._socket is None:
                self._socket = _spawn()
                for directory in self._directories:
                    self._socket.send(json.dumps({"look_after": directory}).encode())
            return self._socket

    def look_after(self, directory: str) -> None:
        with self._lock:
            self._send({"look_after": directory})
            self._directories.append(directory)

    def forget(self, directory: str) -> None:
        with self._lock:
            if directory in self._directories:
                self._directories.remove(directory)
                self._send({"forget": directory})

    def run(self, fds: list[int]) -> None:
        self._send({"run": True}, fds)

    def _send(self, message: Mapping[str, object], fds: list[int] | None = None) -> None:
        data = json.dumps(message).encode()
        with self._lock:
            try:
                socket.send_fds(self.start(), [data], fds or [])
            except (BrokenPipeError, ConnectionResetError):  # somebody has killed it
                self._close()
                socket.send_fds(self.start(), [data], fds or [])

    def _close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


def _spawn() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        # Nothing of our descriptors may stay open in it: whoever reads our output waits for all who hold it.
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        command = [sys.executable, "-I", "-S", str(_PROGRAM), str(_SOCKET)]
        place = (os.POSIX_SPAWN_DUP2, theirs.fileno(), _SOCKET)
        try:
            # A session of its own: a terminal's Ctrl-C is for the engine to pass on.
            os.posix_spawn(command[0], command, {}, file_actions=[*null, place], setsid=True)
        except BaseException:
            ours.close()
            raise
    return ours


_supervisor = _Supervisor()


async def run_supervised(
    executor: str,
    spec: Mapping[str, object],
    output: Output,
    *,
    timeout: float | None,
    grace: float,
) -> int:
    """Runs the spec (see `supervisor`) and returns the exit code; nothing of it is left then."""
    readers: list[_Pipe] = []
    theirs: list[int] = []
    control = -1
    try:
        theirs.append(_in_memory(json.dumps(spec).encode()))
        status = await _Pipe.open(readers, theirs)
        control_read, control = os.pipe()
        theirs.append(control_read)
        stdout, stderr = await _Pipe.open(readers, theirs), await _Pipe.open(readers, theirs)
        try:
            _supervisor.run(theirs)
        except OSError as error:
            raise ExecutorUnavailable(executor, f"its supervisor does not start: {error.strerror}") from error
        while theirs:
            os.close(theirs.pop())
        ended = asyncio.ensure_future(status.reader.read(_STATUS_LIMIT))

        async def kill() -> None:
            for order, seconds in ((b"T", grace), (b"K", 60.0)):
                with suppress(BrokenPipeError):
                    os.write(control, order)
                done, _ = await asyncio.wait({ended}, timeout=seconds)
                if done:
                    return

        word = await attend(ended, stdout.reader, stderr.reader, output, timeout=timeout, kill=kill)
    finally:
        for fd in (*theirs, control):
            if fd >= 0:
                os.close(fd)
        for pipe in readers:
            pipe.close()
    return _result(executor, str(spec["executable"]), word, output)


class _Pipe:
    """The reading end of a pipe, in the loop."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self.reader = reader
        self._transport = transport

    @classmethod
    async def open(cls, ours: "list[_Pipe]", theirs: list[int]) -> "_Pipe":
        """Adds itself to ours and the writing end to theirs."""
        read, write = os.pipe()
        theirs.append(write)
        file = os.fdopen(read, "rb", buffering=0)  # the transport closes it
        reader = asyncio.StreamReader()
        try:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), file
            )
        except BaseException:
            file.close()
            raise
        pipe = cls(reader, transport)
        ours.append(pipe)
        return pipe

    def close(self) -> None:
        self._transport.close()


def _in_memory(data: bytes) -> int:
    """A descriptor from which the data can be read: arguments may be longer than a pipe holds."""
    fd = os.memfd_create("spec", os.MFD_CLOEXEC)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _result(executor: str, executable: str, word: bytes, output: Output) -> int:
    try:
        report = json.loads(word)
    except ValueError:
        raise ExecutorUnavailable(executor, "its supervisor was killed") from None
    if "exit" in report:
        if "said" in report:
            output(Stream.STDERR, str(report["said"]).encode())
        return int(report["exit"])
    what, number = report["failed"], int(report["errno"])
    reason = os.strerror(number) if number else report.get("message", "")
    if what == "exec" and number:
        raise NotExecutable(executable, _EXEC_ERRORS.get(number, reason))
    if what == "limits":
        raise NotPossibleHere(executor, TOO_HIGH)
    if what == "cwd":
        raise StartFailed(executable, f"cannot enter its working directory: {reason}")
    raise ExecutorUnavailable(executor, f"{what}: {reason}")
