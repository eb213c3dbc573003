"""Steps by chroot, where nothing may be mounted: real users and the whole tree, but no /proc and no isolation.

The files that a mount would cover (resolv.conf, hosts) and the devices that nearly everything needs are put into the
tree for the time of the step.
"""

import asyncio
from pathlib import Path

from ..rootfs import Tree
from .environment import (
    HOSTS,
    RESOLV_CONF,
    environment,
    find_executable,
    hosts_file,
    make_working_directory,
    resolv_conf,
)
from .errors import ExecutorUnavailable, NotPossibleHere
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

    def __init__(self, *, grace: float = 3.0, pids_limit: int = 4096) -> None:
        self._grace = grace
        self._pids_limit = pids_limit
        start_supervisor()

    def __repr__(self) -> str:
        return "<ChrootExecutor>"

    async def run(self, root: Path, process: Process, output: Output) -> int:
        if process.network is Network.NONE:
            raise NotPossibleHere(self.name, "a step without network (--network=none)")
        try:
            tree = Tree(root)
        except OSError as error:
            raise ExecutorUnavailable(self.name, f"{root}: {error.strerror}") from error
        with tree:
            executable = find_executable(tree, process)
            make_working_directory(tree, process)
            with Stubs(tree) as stubs:
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
                    "processes": process.pids_limit or self._pids_limit,
                    "at_most": process.pids_limit or self._pids_limit,
                    "afterwards": [],
                }
                return await run_supervised(self.name, spec, output, timeout=process.timeout, grace=self._grace)


def _furnish(stubs: Stubs, process: Process) -> None:
    stubs.put(RESOLV_CONF, resolv_conf())
    stubs.put(HOSTS, hosts_file(process))
    for path, major, minor in _DEVICES:
        if not stubs.put_device(path, major, minor) and path == b"dev/null":
            # Better a file that swallows what is written, and is thrown away, than "cannot create /dev/null".
            stubs.put(path, b"", 0o666)
    stubs.ready()
