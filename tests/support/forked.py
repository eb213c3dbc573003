"""`imagebuild` in a process of its own, without its start: forked by `forge.py`, which has everything imported.

A start from nothing costs 0.4 s of a processor, more than most of the tests' builds. Tests that are about the process
itself (signals, capabilities, what a process inherits) start the program anew: `program.PROGRAM`.

All runs have the hash seed of the forge, so something that depends on the order of a set is seen between two starts
only: `test_build.py::test_processes_that_know_nothing_of_each_other_make_the_same_image`.
"""

import atexit
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.program import PROGRAM

_ROOT = Path(__file__).parents[2]
_SECONDS = 120.0
_END_SECONDS = 10.0
_lock = threading.Lock()
_forges: list["_Forge"] = []


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    cwd: Path | None = None,
    stdin: bytes = b"",
    seconds: float = _SECONDS,
) -> "subprocess.CompletedProcess[str]":
    """The program's end and what it printed, as `subprocess.run` would tell; any number of threads may call.

    After so many seconds it is killed (SIGKILL), and TimeoutError raised.
    """
    with _lock:
        if not _forges:
            _forges.append(_Forge())
            atexit.register(_forges[0].close)
    return _forges[0].run(arguments, environment, cwd or Path.cwd(), stdin, seconds)


class _Forge:
    """The forge of this session. It ends with the session, however that ends: its socket does."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forge", str(theirs.fileno())],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, stdin: bytes, seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            order = {"arguments": list(arguments), "environment": dict(environment), "directory": os.fspath(cwd)}
            code = self._wait(order, [file.fileno() for file in (given, out, err)], seconds)
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode(errors="replace"))
        return subprocess.CompletedProcess([PROGRAM, *arguments], code, *said)

    def close(self) -> None:
        self._control.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self, order: dict[str, object], standard: Sequence[int], seconds: float) -> int:
        assert self._process.poll() is None, "the forge has ended: see what it printed"
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._control, [b"+"], [theirs.fileno(), *standard])
            ours.settimeout(seconds)
            ours.sendall(json.dumps(order).encode() + b"\n")
            with ours.makefile("rb") as file:
                answer = file.readline()
        assert answer, f"no end of imagebuild is known: {order['arguments']}"
        return int(answer)
