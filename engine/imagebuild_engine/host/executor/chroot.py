"""Steps by chroot, where nothing may be mounted: real users and the whole tree, but no /proc and no isolation.

The files that a mount would cover (resolv.conf, hosts) and the devices that nearly everything needs are put into the
tree for the time of the step. No mount of a step's own is imitated, not even by copying: what a secret leaves on the
disk, and what a cache leaves in the layer, would be seen when it is too late. A step's host name is only in its hosts.
"""

import asyncio
from pathlib import Path

from ..rootfs import Tree
from .environment import (
    HOSTS,
    MOUNT_POINTS,
    RESOLV_CONF,
    environment,
    find_executable,
    hosts_file,
    make_working_directory,
    resolv_conf,
)
from .errors import ExecutorUnavailable, NotPossibleHere
from .limits import numbered
from .oci_mounts import SHM
from .process import Network, Output, Process
from .stubs import Stubs
from .supervised import run_supervised, start_supervisor

_DEVICES = (
    (b"dev/null", 1, 3),
    (b"dev/zero", 1, 5),
    (b"dev/full", 1, 7),
    (b"dev/random", 1, 8),
    (b"dev/urandom", 1, 9),
)
_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31})
"""Docker's default set, by number (capabilities(7)): the same as `oci_spec.CAPABILITIES`."""


class ChrootExecutor:
    """`grace`: seconds between SIGTERM and SIGKILL when a step is cancelled or too slow."""

    name = "chroot"
    can_mount = False

    def __init__(self, *, grace: float = 3.0, pids_limit: int = 4096) -> None:
        self._grace = grace
        self._pids_limit = pids_limit
        start_supervisor()

    def __repr__(self) -> str:
        return "<ChrootExecutor>"

    async def run(self, root: Path, process: Process, output: Output) -> int:
        if missing := _impossible(process):
            raise NotPossibleHere(self.name, missing)
        try:
            tree = Tree(root)
        except OSError as error:
            raise ExecutorUnavailable(self.name, f"{root}: {error.strerror}") from error
        with tree:
            executable = find_executable(tree, process)
            with Stubs(tree) as stubs:
                for path in (RESOLV_CONF, HOSTS):
                    stubs.note_missing(path)
                make_working_directory(tree, process)
                await asyncio.to_thread(_furnish, stubs, process)
                spec = {
                    "args": list(process.args),
                    "executable": executable,
                    "env": list(environment(process)),
                    "cwd": process.cwd,
                    "root": str(root),
                    "uid": process.user.uid,
                    "gid": process.user.gid,
                    "groups": [process.user.gid, *process.user.groups],
                    "capabilities": sorted(_CAPABILITIES),
                    "limits": numbered(process.limits),
                    "processes": process.pids_limit or self._pids_limit,
                    "at_most": process.pids_limit or self._pids_limit,
                    "afterwards": [],
                }
                return await run_supervised(self.name, spec, output, timeout=process.timeout, grace=self._grace)


def _impossible(process: Process) -> str:
    """What the process asks for that takes mounts, namespaces or cgroups, in the Dockerfile's and docker's words."""
    asked = {
        "RUN --mount": any(mount.destination != SHM for mount in process.mounts),
        "another size of /dev/shm (--shm-size)": any(mount.destination == SHM for mount in process.mounts),
        "a step with all privileges (--security=insecure)": process.insecure,
        "a step without network (--network=none)": process.network is Network.NONE,
        "a cgroup of the step's own (--cgroup-parent)": bool(process.cgroup_parent),
    }
    return " and ".join(feature for feature, wanted in asked.items() if wanted)


def _furnish(stubs: Stubs, process: Process) -> None:
    for path in MOUNT_POINTS:
        stubs.mount_point(path, directory=True)
    stubs.put(RESOLV_CONF, resolv_conf())
    stubs.put(HOSTS, hosts_file(process))
    for path, major, minor in _DEVICES:
        if not stubs.put_device(path, major, minor) and path == b"dev/null":
            # Better a file that swallows what is written, and is thrown away, than "cannot create /dev/null".
            stubs.put(path, b"", 0o666)
    stubs.ready()
