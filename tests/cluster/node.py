"""A node: containerd, kubelet and kube-proxy in mount, network, pid, uts and ipc namespaces of their own.

Stopping it is killing it: with its process 1 the kernel ends every shim and pod and drops every mount, interface and
packet filter rule of the node. Nothing of it is ever visible in the host's own namespaces except its cable, its cgroups
and its folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import network, node_files
from tests.cluster.cgroups import Cgroup
from tests.cluster.control_plane import ENVIRONMENT
from tests.cluster.daemons import ClusterError, spawn
from tests.cluster.plan import Plan

INIT = Path(__file__).with_name("node-init.sh")
SECCOMP_PROFILE = "userns.json"
"""`localhostProfile` of pods that make namespaces within their user namespace."""


@dataclass(frozen=True, slots=True)
class Node:
    plan: Plan
    number: int

    @property
    def name(self) -> str:
        return f"n{self.number}"

    @property
    def folder(self) -> Path:
        return self.plan.node_state(self.number)

    @property
    def log(self) -> Path:
        """Of process 1; containerd, kubelet and kube-proxy have theirs beside it."""
        return self.folder / "log" / "init.log"

    @property
    def cgroup(self) -> Cgroup:
        return Cgroup(self.plan.cgroup).child(self.name)

    @property
    def _daemons(self) -> Cgroup:
        return self.cgroup.child("sys")

    def pid(self) -> int | None:
        """Process 1 of the node, by its number here; `nsenter -t PID -a` leads into the node."""
        for pid in self._daemons.own_pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if is_first_of_inner_namespace(status):
                return pid
        return None

    def running(self) -> bool:
        """Whether it lives and has its cable, that is, whether a start was completed."""
        return self.pid() is not None and (self.folder / "network-ready").exists()

    def start(self, seccomp_profile: str) -> bool:
        """Start it unless it runs. True if it had to be started. Its kubelet is then still on its way to Ready."""
        if self.running():
            return False
        self.kill()  # what a half-killed start left
        self._prepare(seccomp_profile)
        self._daemons.create()
        namespaces = ["--mount", "--propagation", "private", "--net", "--uts", "--ipc", "--pid", "--fork"]
        command = ["unshare", *namespaces, "--kill-child=SIGKILL", str(INIT), self.name, str(self.folder)]
        address = self.plan.networks.node_address(self.number)
        path = f"{self.plan.binaries}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        spawn(
            [*command, address, str(self.plan.pki)],
            cgroup=self._daemons,
            log=self.log,
            environment={**ENVIRONMENT, "PATH": path},
        )
        try:
            network.plug_in(self.plan, self.number, self._wait_for_pid())
        except subprocess.CalledProcessError as error:
            raise ClusterError(f"{self.name}: {error.cmd} failed: {error.stderr}", self.log) from error
        (self.folder / "network-ready").touch()
        return True

    def kill(self) -> None:
        """End it as a power failure would. Its folder stays; `start` brings it back with its disk."""
        if self.cgroup.pids():
            self.cgroup.stop(patience=0)
        self.cgroup.remove()
        (self.folder / "network-ready").unlink(missing_ok=True)

    def _prepare(self, seccomp_profile: str) -> None:
        for name in ("var/log", "var/lib", "var/tmp", "var/cache", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for link, target in (("run", "/run"), ("lock", "/run/lock")):
            if not (self.folder / "var" / link).is_symlink():
                (self.folder / "var" / link).symlink_to(target)
        shutil.rmtree(self.folder / "etc", ignore_errors=True)
        for file, text in node_files.files(self.plan, self.number).items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        profile = self.folder / "var" / "lib" / "kubelet" / "seccomp" / SECCOMP_PROFILE
        profile.parent.mkdir(parents=True, exist_ok=True)
        profile.write_text(seccomp_profile)

    def _wait_for_pid(self) -> int:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            pid = self.pid()
            if pid is not None:
                return pid
            time.sleep(0.02)
        raise ClusterError(f"{self.name}: its namespaces do not come up", self.log)


def is_first_of_inner_namespace(status: str) -> bool:
    """Whether `/proc/PID/status` is of a process 1 one pid namespace below ours."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) == 2 and numbers[1] == "1"
    return False


def nodes(plan: Plan) -> tuple[Node, ...]:
    """Those that have a folder, running or not."""
    folder = plan.state / "nodes"
    names = sorted(below.name for below in folder.iterdir()) if folder.is_dir() else []
    return tuple(Node(plan, int(name[1:])) for name in names if name[1:].isdigit())
