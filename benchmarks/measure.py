"""Time, processor time and memory of one command, and of a daemon that works for it."""

import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STOPWATCH = Path(__file__).with_name("stopwatch.py")
_LIMIT_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """`cpu` is user and system time of the process and all it waited for; `peak` the largest of them, in bytes."""

    seconds: float
    cpu: float
    peak: int


class CommandFailed(RuntimeError):
    """The command did not end with 0; the message has the end of what it said."""


def run(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[Usage, str]:
    """What the command used and said. Raises CommandFailed."""
    report, log = folder / "stopwatch.txt", folder / "output.log"
    report.unlink(missing_ok=True)
    watched = [sys.executable, "-I", "-S", str(_STOPWATCH), str(report), str(log), *command]
    os.sync()  # what the run before has left to be written is not this one's work
    subprocess.run(watched, check=True, env=dict(environment), timeout=_LIMIT_SECONDS)
    seconds, cpu, peak, code = report.read_text().split()
    text = log.read_text(errors="replace")
    if code != "0":
        raise CommandFailed(f"{' '.join(command)} ended with {code}:\n{text[-4000:]}")
    return Usage(seconds=float(seconds), cpu=float(cpu), peak=int(peak)), text


@dataclass(frozen=True, slots=True)
class Daemon:
    """A process that was there before the run and stays after it."""

    pid: int

    @classmethod
    def behind(cls, path: str) -> "Daemon":
        """The one that listens at a Unix socket: the kernel knows who."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", peer)[0]
        return cls(pid)

    def cpu(self) -> float:
        """Seconds so far, its own and those of the children that it has waited for."""
        text = Path(f"/proc/{self.pid}/stat").read_text()
        ticks = text.rpartition(")")[2].split()[11:15]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self) -> None:
        """Let its peak begin anew, at what it holds now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most memory that it has held since then, in bytes."""
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024
