"""A step as an OCI runtime configuration (runtime-spec, config.md and config-linux.md). Values in, a value out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .process import Network, Process

CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
    "CAP_AUDIT_WRITE",
)  # fmt: skip
"""Docker's default set."""

_MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
_OF_OTHERS = ("/sys/fs/cgroup",)
"""What /sys has mounted inside where it is the surroundings' own: read-only does not reach down to that."""
_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the place allows, as far as the configuration depends on it."""

    user_namespace: bool = False
    """We are in a user namespace: no sysfs of our own, no cgroups."""
    fresh_proc: bool = True
    """May a new proc be mounted? Else the step shares our process ids and sees our /proc."""
    cgroups: bool = True
    seccomp: dict[str, object] | None = None


def make_config(
    process: Process,
    *,
    env: tuple[str, ...],
    root: Path,
    name: str,
    files: tuple[tuple[Path, bytes], ...],
    surroundings: Surroundings,
    pids_limit: int,
) -> dict[str, Any]:
    """`files` are bound read-only over paths in the tree (relative, without links)."""
    user = process.user
    linux: dict[str, Any] = {
        "namespaces": _namespaces(process, surroundings),
        "maskedPaths": [*_MASKED, *([] if _owns_sysfs(process, surroundings) else _OF_OTHERS)],
        "readonlyPaths": list(_READONLY),
    }
    if surroundings.cgroups:
        linux["cgroupsPath"] = f"/imagebuild/{name}"
        linux["resources"] = {
            "devices": _DEVICE_RULES,
            "pids": {"limit": pids_limit},
        }
    if surroundings.seccomp is not None:
        linux["seccomp"] = surroundings.seccomp
    capabilities = list(CAPABILITIES)
    config: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {
                "uid": user.uid,
                "gid": user.gid,
                # The primary group is listed too, as in every engine since CVE-2022-36109.
                "additionalGids": [user.gid, *(gid for gid in user.groups if gid != user.gid)],
                "umask": 0o022,
            },
            "args": list(process.args),
            "env": list(env),
            "cwd": process.cwd,
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities if user.uid == 0 else [],
                "permitted": capabilities if user.uid == 0 else [],
            },
            "noNewPrivileges": False,
        },
        "root": {"path": str(root), "readonly": False},
        "hostname": process.hostname,
        "mounts": _mounts(process, surroundings, files),
        "linux": linux,
    }
    if not surroundings.cgroups:
        config["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": pids_limit, "hard": pids_limit}]
    return config


_DEVICE_RULES = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *(
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2))
    ),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
]


def _namespaces(process: Process, surroundings: Surroundings) -> list[dict[str, str]]:
    kinds = ["mount", "ipc", "uts"]
    if surroundings.fresh_proc:
        kinds.append("pid")
    if process.network is Network.NONE:
        kinds.append("network")
    return [{"type": kind} for kind in kinds]


def _mounts(
    process: Process, surroundings: Surroundings, files: tuple[tuple[Path, bytes], ...]
) -> list[dict[str, Any]]:
    proc: dict[str, Any] = {"destination": "/proc", "type": "proc", "source": "proc", "options": _QUIET}
    if not surroundings.fresh_proc:
        proc = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind", *_QUIET]}
    sysfs: dict[str, Any] = {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_QUIET, "ro"]}
    if not _owns_sysfs(process, surroundings):
        sysfs = {"destination": "/sys", "type": "bind", "source": "/sys", "options": ["rbind", *_QUIET, "ro"]}
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
    shm = [*_QUIET, "mode=1777", "size=65536k"]
    return [
        proc,
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shm},  # noqa: S108
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": _QUIET},
        sysfs,
        *(
            {
                "destination": "/" + path.decode("utf-8", "surrogateescape"),
                "type": "bind",
                "source": str(source),
                "options": ["bind", "ro", "nosuid", "noexec", "nodev"],
            }
            for source, path in files
        ),
    ]


def _owns_sysfs(process: Process, surroundings: Surroundings) -> bool:
    """It belongs to the network namespace: whoever does not own that may not mount one."""
    return not surroundings.user_namespace or process.network is Network.NONE


_QUIET = ["nosuid", "noexec", "nodev"]
