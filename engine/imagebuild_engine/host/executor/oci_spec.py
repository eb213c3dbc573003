"""A step as an OCI runtime configuration (runtime-spec, config.md and config-linux.md). Values in, a value out."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from .limits import as_rlimits
from .oci_mounts import Spec, in_place, system_mounts
from .privileges import Privileges
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
    mounts: tuple[Spec, ...],
    surroundings: Surroundings,
    pids_limit: int,
    privileges: Privileges | None = None,
) -> dict[str, Any]:
    """`mounts` come on top of those that every step has; `privileges` are for a process that is insecure."""
    user = process.user
    own_sysfs = _owns_sysfs(process, surroundings)
    linux: dict[str, Any] = {"namespaces": _namespaces(process, surroundings)}
    if privileges is None:
        linux["maskedPaths"] = [*_MASKED, *([] if own_sysfs else _OF_OTHERS)]
        linux["readonlyPaths"] = list(_READONLY)
        if surroundings.seccomp is not None:
            linux["seccomp"] = surroundings.seccomp
    elif not surroundings.user_namespace:
        linux["devices"] = list(privileges.devices)
    if surroundings.cgroups:
        linux["cgroupsPath"] = str(PurePosixPath("/", process.cgroup_parent.strip("/"), "imagebuild", name))
        linux["resources"] = {
            "devices": _DEVICE_RULES if privileges is None else _ALL_DEVICES,
            "pids": {"limit": pids_limit},
        }
    rlimits = as_rlimits(process.limits, None if surroundings.cgroups else pids_limit)
    usual = system_mounts(
        fresh_proc=surroundings.fresh_proc,
        own_sysfs=own_sysfs,
        cgroups=surroundings.cgroups,
        trusted=privileges is not None,
    )
    return {
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
            "capabilities": _capabilities(process, privileges),
            "noNewPrivileges": False,
            **({"rlimits": rlimits} if rlimits else {}),
        },
        "root": {"path": str(root), "readonly": False},
        "hostname": process.hostname,
        "mounts": in_place([*usual, *mounts]),
        "linux": linux,
    }


def _capabilities(process: Process, privileges: Privileges | None) -> dict[str, list[str]]:
    if privileges is not None:  # as BuildKit has it: also for users, who keep them by the ambient set
        everything = list(privileges.capabilities)
        return dict.fromkeys(("bounding", "effective", "permitted", "inheritable", "ambient"), everything)
    capabilities = list(CAPABILITIES)
    of_root = capabilities if process.user.uid == 0 else []
    return {"bounding": capabilities, "effective": of_root, "permitted": of_root}


_ALL_DEVICES = [{"allow": True, "type": kind, "access": "rwm"} for kind in ("c", "b")]
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
    if process.insecure and surroundings.cgroups:
        kinds.append("cgroup")
    return [{"type": kind} for kind in kinds]


def _owns_sysfs(process: Process, surroundings: Surroundings) -> bool:
    """It belongs to the network namespace: whoever does not own that may not mount one."""
    return not surroundings.user_namespace or process.network is Network.NONE
