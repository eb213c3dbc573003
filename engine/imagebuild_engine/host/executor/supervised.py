"""Starting the supervisor and talking to it."""

import asyncio
import errno
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .errors import ExecutorUnavailable, NotExecutable, StartFailed
from .process import Output
from .subprocesses import attend

_PROGRAM = Path(__file__).with_name("supervisor.py")
_EXEC_ERRORS = {
    errno.ENOEXEC: "exec format error (another architecture, or a script without #!)",
    errno.EACCES: "permission denied",
    errno.ENOENT: "its interpreter is not in the image",
    errno.E2BIG: "arguments and environment are too long",
}


async def run_supervised(
    executor: str,
    spec: Mapping[str, object],
    output: Output,
    *,
    timeout: float | None,
    grace: float,
) -> int:
    """Runs the spec (see `supervisor`) and returns the exit code; nothing of it is left then."""
    spec_read, spec_write = os.pipe()
    status_read, status_write = os.pipe()
    control_read, control_write = os.pipe()
    mine = [spec_write, status_read, control_write]
    theirs = [spec_read, status_write, control_read]
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", str(_PROGRAM), *map(str, theirs),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=theirs,
            env={},
            cwd="/",
        )  # fmt: skip
        for fd in theirs:
            os.close(fd)
        theirs.clear()

        async def kill() -> None:
            for order, seconds in ((b"T", grace), (b"K", 60.0)):
                try:
                    os.write(control_write, order)
                except BrokenPipeError:
                    return
                try:
                    await asyncio.wait_for(asyncio.shield(child.wait()), seconds)
                except TimeoutError:
                    continue
                return
            child.kill()

        os.set_blocking(spec_write, False)
        sending = asyncio.ensure_future(_send(spec_write, json.dumps(spec).encode()))
        mine.remove(spec_write)
        try:
            code = await attend(child, output, timeout=timeout, kill=kill)
        finally:
            sending.cancel()
        status = os.read(status_read, 65536)
    finally:
        for fd in (*mine, *theirs):
            os.close(fd)
    return _result(executor, str(spec["executable"]), code, status)


async def _send(fd: int, data: bytes) -> None:
    try:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            except BrokenPipeError:
                return
    finally:
        os.close(fd)


def _result(executor: str, executable: str, code: int, status: bytes) -> int:
    try:
        report = json.loads(status)
    except ValueError:
        raise ExecutorUnavailable(executor, f"its supervisor ended with {code} and no word") from None
    if "exit" in report:
        return int(report["exit"])
    what, number = report["failed"], int(report["errno"])
    reason = os.strerror(number) if number else report.get("message", "")
    if what == "exec" and number:
        raise NotExecutable(executable, _EXEC_ERRORS.get(number, reason))
    if what == "cwd":
        raise StartFailed(executable, f"cannot enter its working directory: {reason}")
    raise ExecutorUnavailable(executor, f"{what}: {reason}")
