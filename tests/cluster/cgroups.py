"""Cgroups as the register of what belongs to a cluster: each daemon and each node runs in a cgroup of its own.

Whoever was started is in its cgroup from before its first instruction until its end, and so are its children. Hence
there are no pid files that could be stale: a process id is never remembered, it is read from the kernel when needed; an
`up` killed at any moment leaves nothing that `down` does not find; after a reboot the cgroups are gone with everything.

Version 1 (one hierarchy for each controller, perhaps with version 2 at `unified` beside them) and version 2 alone are
handled; version 2 alone has not been tried.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")


class CgroupError(RuntimeError):
    """Processes would not leave, or the machine has no cgroups as expected."""


def is_v2(mount: Path = MOUNT) -> bool:
    """Whether version 2 is all there is."""
    return (mount / "cgroup.controllers").exists()


def hierarchies(mount: Path = MOUNT) -> tuple[Path, ...]:
    """Roots in which our processes are registered."""
    if is_v2(mount):
        return (mount,)
    # `cpu -> cpu,cpuacct` is one hierarchy under two names. `unified` has no controllers to give.
    roots = {file.parent.resolve() for file in mount.glob("*/cgroup.procs")}
    return tuple(sorted(root for root in roots if not (root / "cgroup.controllers").exists()))


def all_roots(mount: Path = MOUNT) -> tuple[Path, ...]:
    """Roots in which directories of ours may be: on a hybrid host runc makes some in `unified` too."""
    if is_v2(mount):
        return (mount,)
    return tuple(sorted({file.parent.resolve() for file in mount.glob("*/cgroup.procs")}))


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One path below the root of every hierarchy."""

    path: str
    mount: Path = MOUNT

    def child(self, name: str) -> Cgroup:
        return Cgroup(f"{self.path}/{name}", self.mount)

    def create(self) -> None:
        """Make it, with its parents, in every hierarchy. Idempotent."""
        for root in hierarchies(self.mount):
            here = root
            for part in Path(self.path).parts:
                if is_v2(self.mount):
                    _enable_controllers(here)
                here = here / part
                here.mkdir(exist_ok=True)
                _inherit_cpuset(here)

    def enter(self) -> None:
        """Move the calling process into it."""
        for root in hierarchies(self.mount):
            (root / self.path / "cgroup.procs").write_text("0")

    def own_pids(self) -> tuple[int, ...]:
        """Processes in the cgroup itself, in every hierarchy."""
        return self._pids([root / self.path for root in hierarchies(self.mount)])

    def pids(self) -> tuple[int, ...]:
        """Processes in it and below, wherever they are registered."""
        return self._pids([folder for root in all_roots(self.mount) for folder in _tree(root / self.path)])

    def _pids(self, folders: list[Path]) -> tuple[int, ...]:
        found: set[int] = set()
        for folder in folders:
            with contextlib.suppress(OSError):  # the cgroup, or this member of it, ends while we look
                found.update(int(line) for line in (folder / "cgroup.procs").read_text().split())
        return tuple(sorted(pid for pid in found if pid and not is_zombie(pid)))

    def stop(self, *, patience: float) -> bool:
        """TERM to its processes, after `patience` seconds KILL. True if TERM was enough."""
        polite = self._send_until_empty(signal.SIGTERM, patience) if patience > 0 else False
        if not polite and not self._send_until_empty(signal.SIGKILL, 20):
            raise CgroupError(f"cgroup {self.path}: processes {self.pids()} survive SIGKILL")
        return polite

    def _send_until_empty(self, number: signal.Signals, patience: float) -> bool:
        deadline = time.monotonic() + patience
        sent: set[int] = set()
        while True:
            left = self.pids()
            if not left:
                return True
            for pid in left:
                # TERM once each: a second one makes some daemons stop at once. KILL as long as there is somebody.
                if pid not in sent or number is signal.SIGKILL:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                    sent.add(pid)
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)

    def remove(self) -> None:
        """Remove its directories, deepest first. Its processes must be gone."""
        deadline = time.monotonic() + 10
        for root in all_roots(self.mount):
            while (root / self.path).exists():
                try:
                    for folder in reversed(list(_tree(root / self.path))):
                        folder.rmdir()
                except OSError as error:
                    # The kernel lets go of a dead process's cgroup a moment after the process.
                    if time.monotonic() > deadline:
                        raise CgroupError(f"{root / self.path} cannot be removed: {error}") from error
                    time.sleep(0.05)


def _tree(folder: Path) -> Iterator[Path]:
    """The folder and every folder below, parents first."""
    if folder.is_dir():
        yield folder
        for below in sorted(folder.rglob("*")):
            if below.is_dir():
                yield below


def _enable_controllers(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    for controller in available:
        with contextlib.suppress(OSError):  # rt tasks, threaded parents: what cannot be given is done without
            (folder / "cgroup.subtree_control").write_text(f"+{controller}")


def _inherit_cpuset(folder: Path) -> None:
    """A new version 1 cpuset is empty, and no process may enter it as long as it is."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not is_v2_folder(folder) and not file.read_text().strip():
            file.write_text((folder.parent / name).read_text())


def is_v2_folder(folder: Path) -> bool:
    """Whether a cgroup directory is of version 2."""
    return (folder / "cgroup.controllers").exists()


def is_zombie(pid: int) -> bool:
    """Ended, but its parent has not asked for its exit status yet; or gone altogether."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return process_state(stat) in "ZX"


def process_state(stat: str) -> str:
    """The state letter of `/proc/PID/stat`; the name before it may hold spaces and brackets."""
    return stat.rpartition(")")[2].split()[0]
