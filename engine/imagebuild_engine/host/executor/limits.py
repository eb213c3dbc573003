"""Resource limits by the names that docker gives them (--ulimit; setrlimit(2) in lower case without RLIMIT_)."""

import resource
from collections.abc import Sequence
from typing import Any

from .process import ResourceLimit

LIMITS = {
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "data": resource.RLIMIT_DATA,
    "fsize": resource.RLIMIT_FSIZE,
    "locks": 10,
    "memlock": resource.RLIMIT_MEMLOCK,
    "msgqueue": resource.RLIMIT_MSGQUEUE,
    "nice": resource.RLIMIT_NICE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
    "rss": resource.RLIMIT_RSS,
    "rtprio": resource.RLIMIT_RTPRIO,
    "rttime": resource.RLIMIT_RTTIME,
    "sigpending": resource.RLIMIT_SIGPENDING,
    "stack": resource.RLIMIT_STACK,
}
"""The kernel's numbers, on x86-64 and arm64. Python lacks the one of `locks`."""

_UNLIMITED = (1 << 64) - 1
TOO_HIGH = "a resource limit (--ulimit) above what the builder itself may have"


def numbered(limits: Sequence[ResourceLimit]) -> list[tuple[int, int, int]]:
    """For the supervisor: number, soft, hard."""
    return [(LIMITS[limit.name], limit.soft, limit.hard) for limit in limits]


def as_rlimits(limits: Sequence[ResourceLimit], processes: int | None) -> list[dict[str, Any]]:
    """For a runtime: each once, the last wins. `processes` is how many there may be where nothing else counts them."""
    found = {"nproc": (processes, processes)} if processes is not None else {}
    found |= {limit.name: (limit.soft, limit.hard) for limit in limits}
    return [
        {"type": f"RLIMIT_{name.upper()}", "soft": soft & _UNLIMITED, "hard": hard & _UNLIMITED}
        for name, (soft, hard) in found.items()
    ]
