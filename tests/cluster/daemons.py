"""Starting and stopping one long-running process, in a cgroup of its own and with a log file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cgroups import Cgroup


class ClusterError(RuntimeError):
    """Something of the cluster does not work; `log` is the file that says why."""

    def __init__(self, what: str, log: Path | None = None) -> None:
        self.log = log
        super().__init__(what if log is None else f"{what}\n--- the end of {log}\n{tail(log)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A program of the control plane, or a registry."""

    name: str
    command: tuple[str, ...]
    cgroup: Cgroup
    log: Path
    environment: Mapping[str, str]

    def running(self) -> bool:
        return bool(self.cgroup.pids())

    def start(self) -> bool:
        """Start it unless it runs. True if it had to be started."""
        if self.running():
            return False
        self.cgroup.create()
        spawn(self.command, cgroup=self.cgroup, log=self.log, environment=self.environment)
        return True

    def check(self) -> None:
        """Raise if it has ended."""
        if not self.running():
            raise ClusterError(f"{self.name} has ended", self.log)


def spawn(command: Sequence[str], *, cgroup: Cgroup, log: Path, environment: Mapping[str, str]) -> None:
    """Start a session of its own that outlives us. It is in the cgroup before its program begins."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        # setsid --fork: the daemon becomes init's child, which buries it. We end soon, or are a long test run.
        subprocess.run(
            ["setsid", "--fork", *command],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=cgroup.enter,
            env={**os.environ, **environment},
            cwd="/",
        )


def tail(log: Path, lines: int = 15) -> str:
    """The log's last lines."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(there is no such file)"
