"""What is run, where its output goes, and the seam behind which it is run."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from ..rootfs import User


class Network(StrEnum):
    """What a step may reach. HOST is whatever the surroundings (the machine, the pod) have."""

    HOST = "host"
    NONE = "none"


HOSTNAME = "buildkitsandbox"
"""A step's own name of its host, unless it is given another; as BuildKit has it."""


class Stream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


Output = Callable[[Stream, bytes], None]
"""Gets one line at a time, without its line feed, in the loop's thread. Lines beyond 64 KiB come in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """A file, directory or socket outside the tree that the step sees at `destination` (absolute, in the tree)."""

    source: Path
    destination: str
    readonly: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsMount:
    """An empty tree in memory. `size` is in bytes, 0 for no limit but the machine's."""

    destination: str
    size: int = 0
    readonly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimit:
    """`name` as setrlimit has it, in lower case without RLIMIT_ (`nofile`); -1 is unlimited."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One step's process. `env` is all that it gets, in this order; a later name wins over an earlier one."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: User = User()  # noqa: RUF009 (a frozen value)
    network: Network = Network.HOST
    hostname: str = HOSTNAME
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """Pairs of name and address for /etc/hosts."""
    mounts: tuple[BindMount | TmpfsMount, ...] = ()
    """On top of the tree, in this order; one where the executor has a mount of its own takes that one's place.

    Destinations are resolved inside the tree. What had to be made in the tree to mount on is gone afterwards.
    """
    insecure: bool = False
    """With every privilege that the engine itself has (`RUN --security=insecure`)."""
    limits: tuple[ResourceLimit, ...] = ()
    cgroup_parent: str = ""
    """The cgroup below which the step's own is made; empty is the executor's default."""
    timeout: float | None = None
    """Seconds until the whole process tree is killed and StepTimedOut raised."""
    pids_limit: int | None = None
    """How many processes the step may have at once; None is the executor's default."""


class Executor(Protocol):
    """Runs processes in trees. Several may run at once, each in a tree of its own.

    Cancelling the task that awaits `run` ends the step's whole process tree (SIGTERM, after a grace period SIGKILL)
    before CancelledError leaves `run`. Whatever the step left running is gone when `run` returns; nothing stays
    mounted, and nothing that the executor put into the tree stays there, but for the empty directories /proc, /dev and
    /sys: other builders leave them in the layer of a step that finds none, so every executor does.
    """

    name: str
    can_mount: bool
    """May a process have mounts? False: `run` refuses such ones, and nothing need be got ready for them."""

    async def run(self, root: Path, process: Process, output: Output) -> int:
        """The exit code; 128 + n for a process that died of signal n.

        Raises StartFailed (ExecutableMissing, NotExecutable) if it could not be started, StepTimedOut,
        NotPossibleHere for what this executor cannot do, ExecutorUnavailable if the executor itself is at fault.
        """
        ...
