"""What a step with all privileges is given (`RUN --security=insecure`): no more than the engine has itself."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip
"""Capabilities by number (capabilities(7))."""
_DEVICES = ("kmsg", "cuse", "fuse", "kvm", "net/tun", "loop-control", *(f"loop{number}" for number in range(8)))
"""In /dev, besides the usual ones (BuildKit's util/entitlements/security), where the machine has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileges:
    """`capabilities` by name; `devices` as a runtime's configuration lists them."""

    capabilities: tuple[str, ...]
    devices: tuple[dict[str, Any], ...]


def own_privileges() -> Privileges:
    """Those that this process can use now."""
    with open("/proc/self/status", "rb") as file:
        mask = next((int(line.split()[1], 16) for line in file if line.startswith(b"CapEff:")), 0)
    return Privileges(
        capabilities=tuple(f"CAP_{name}" for number, name in enumerate(_NAMES) if mask >> number & 1),
        devices=tuple(device for name in _DEVICES if (device := _device(f"/dev/{name}"))),
    )


def _device(path: str) -> dict[str, Any] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    kind = "b" if stat.S_ISBLK(found.st_mode) else "c"
    return {"path": path, "type": kind, "major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}
