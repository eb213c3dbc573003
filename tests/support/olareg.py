"""olareg on a free loopback port: a registry that knows referrers (Debian's docker-registry does not).

    with running_olareg(folder) as registry: …

It is used as RunningRegistry is. `python3 tests/cluster/tools.py path olareg` builds it if needed.
"""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest

from tests.support.processes import end_process
from tests.support.registry import Access, RunningRegistry

_TOOLS = Path(__file__).parents[1] / "cluster" / "tools.py"
_START_SECONDS = 30.0
_STARTS = 5
_ACCESS = re.compile(r'msg=ServeHTTP .*?method=(\S+) url="?([^\s"]+)"? status=(\d{3}) (?:.*?User-Agent:\[([^]]*)\])?')


class RunningOlareg(RunningRegistry):
    """With its own kind of log."""

    def requests(self) -> tuple[Access, ...]:
        log = (self.folder / "access.log").read_text()
        return tuple(
            Access(method, target.partition("?")[0], int(status), agent)
            for method, target, status, agent in _ACCESS.findall(log)
        )


@lru_cache
def _program() -> str:
    done = subprocess.run([sys.executable, str(_TOOLS), "path", "olareg"], check=False, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def running_olareg(folder: Path) -> Iterator[RunningOlareg]:
    """With its data below the folder. Skips the test where it cannot be built."""
    if not _program():
        pytest.skip("needs olareg: python3 tests/cluster/tools.py path olareg")
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with (folder / "access.log").open("ab") as log:
        for _ in range(_STARTS):
            port = _free_port()
            process = subprocess.Popen(
                [
                    *(_program(), "serve", "--addr", "127.0.0.1", "--port", str(port)),
                    *("--dir", str(folder / "data"), "--verbosity", "trace", "--api-delete", "--gc-frequency", "-1s"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin"},
            )
            if _answers(process, port):
                break
        else:
            raise AssertionError(f"olareg did not start:\n{(folder / 'access.log').read_text()[-2000:]}")
    try:
        yield RunningOlareg(host=f"127.0.0.1:{port}", folder=folder, process=process)
    finally:
        end_process(process)


def _free_port() -> int:
    """It takes a number only; that somebody else takes the port in between is why it is started more than once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5):
                return process.poll() is None
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    process.kill()
    process.wait()
    return False
