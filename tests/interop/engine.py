"""`imagebuild build`, each time in a fresh process: forked by `forge.py`, for a start from nothing takes 0.4 s."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.program import environment

_ROOT = Path(__file__).parent.parent.parent
_SECONDS = 120.0
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Built:
    """What our engine said of a build."""

    result: dict[str, Any]
    log: str
    plan: dict[str, Any]
    """What `imagebuild plan` had said of it."""

    @property
    def executed(self) -> list[str]:
        """Steps that ran, as the Dockerfile has them."""
        return [step["instruction"] for step in self.result["steps"] if step["outcome"] != "hit"]


@dataclass(frozen=True)
class Engine:
    """Our program, as often as wanted and several at a time."""

    address: str
    environment: dict[str, str]
    folder: Path

    def build(self, name: str, arguments: Sequence[str]) -> Built:
        """Plan, then build: both results. Raises AssertionError with the log if one fails. `name` is of this build
        alone.
        """
        folder = self.folder / name
        folder.mkdir(parents=True)
        metadata = folder / "metadata.json"
        plan = self._said(folder / "plan", ["plan", "--format", "json", *arguments])
        said = self._said(
            folder / "log", ["build", "--progress", "plain", "--metadata-file", str(metadata), *arguments]
        )
        result = json.loads(metadata.read_text())["imagebuild.result"]
        return Built(result, said, json.loads(plan[plan.index("{\n") :]))

    def _said(self, log: Path, command: Sequence[str]) -> str:
        """What the program printed; warnings are before all else."""
        code = self._run({"arguments": command, "environment": self.environment, "log": str(log)})
        said = log.read_text(errors="replace") if log.exists() else ""
        assert code == 0, f"imagebuild {' '.join(command)}\nexit code {code}\n{said}"
        return said

    def _run(self, order: dict[str, Any]) -> int:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(self.address)
            connection.sendall(json.dumps(order).encode() + b"\n")
            with connection.makefile("rb") as file:
                return int(file.readline())


@contextmanager
def running_engine(runtime: str, folder: Path) -> Iterator[Engine]:
    """An engine whose files, and the caches of whose steps, lie below the folder."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="ib-forge-") as short:
        address = f"{short}/socket"
        process = subprocess.Popen([sys.executable, "-m", "tests.interop.forge", address], cwd=_ROOT)
        try:
            deadline = time.monotonic() + _START_SECONDS
            while not Path(address).exists():
                assert process.poll() is None, "the forge has ended"
                assert time.monotonic() < deadline, "the forge does not answer"
                time.sleep(0.05)
            home = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
            yield Engine(address, environment(runtime, folder) | home, folder)
        finally:
            process.terminate()
            process.wait()
