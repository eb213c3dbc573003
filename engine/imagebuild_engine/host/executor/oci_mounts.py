"""What is mounted for a step, as an OCI runtime's configuration lists it (runtime-spec, config.md). Values only."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .process import BindMount, TmpfsMount

QUIET = ("nosuid", "noexec", "nodev")

Spec = dict[str, Any]


def system_mounts(*, fresh_proc: bool, own_sysfs: bool, cgroups: bool, trusted: bool) -> list[Spec]:
    """What every step has. `trusted`: a step with all privileges may write to /sys, and to its cgroup if `cgroups`."""
    access = () if trusted else ("ro",)
    proc = _mount("/proc", "proc", "proc", *QUIET)
    if not fresh_proc:
        proc = _mount("/proc", "bind", "/proc", "rbind", *QUIET)
    sysfs = _mount("/sys", "sysfs", "sysfs", *QUIET, *access)
    if not own_sysfs:
        sysfs = _mount("/sys", "bind", "/sys", "rbind", *QUIET, *access)
    pts = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    mounts = [
        proc,
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", *pts),
        _mount(SHM, "tmpfs", "shm", *QUIET, "mode=1777", "size=65536k"),
        _mount("/dev/mqueue", "mqueue", "mqueue", *QUIET),
        sysfs,
    ]
    if trusted and cgroups:
        mounts.append(_mount("/sys/fs/cgroup", "cgroup", "cgroup", *QUIET))
    return mounts


SHM = "/dev/shm"  # noqa: S108 (of the step)


def file_mount(source: Path, place: bytes) -> Spec:
    """A file of ours over one of the tree (relative, without links)."""
    return _mount("/" + place.decode("utf-8", "surrogateescape"), "bind", str(source), "bind", "ro", *QUIET)


def asked_mount(mount: BindMount | TmpfsMount, destination: str, mode: int | None) -> Spec:
    """One of the step's own. `mode` is the one that a tmpfs shall have; None leaves it to the runtime."""
    match mount:
        case BindMount():
            access = ("ro",) if mount.readonly else ()
            return _mount(destination, "bind", str(mount.source), "rbind", *access)
        case TmpfsMount():
            options = ["nosuid", *(["ro"] if mount.readonly else [])]
            options += [f"size={mount.size}"] if mount.size else []
            options += [f"mode={mode:o}"] if mode is not None else []
            if destination == SHM:
                options = [*QUIET, *options[1:]]
            return _mount(destination, "tmpfs", "tmpfs", *options)


def in_place(mounts: Iterable[Spec]) -> list[Spec]:
    """Each destination once: a later one takes the place of an earlier one, also in the order."""
    found: dict[str, Spec] = {}
    for mount in mounts:
        found[mount["destination"]] = mount
    return list(found.values())


def _mount(destination: str, kind: str, source: str, *options: str) -> Spec:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
