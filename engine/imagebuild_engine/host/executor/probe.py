"""What the present machine or pod allows, found out by trying."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..rootfs import Tree
from ..rootfs.namespace import in_user_namespace, mapped_ids
from .errors import ProbeFailed
from .runtime import Runtime, RuntimeUnusable, find_runtime

_PROGRAM = Path(__file__).with_name("probing.py")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Each is about this process in its present namespaces; `own_*` about a user namespace made by it."""

    uid: int
    user_namespace: bool
    """Are we in a user namespace already (a rootless container, a pod with hostUsers: false, our own)?"""
    ids: int
    """How many user ids are mapped here, counted from 0."""
    chroot: bool
    switch_ids: bool
    """setuid, setgid and setgroups to other ids."""
    chown: bool
    devices: bool
    mounts: bool
    """Overlay on the state directory, with whiteouts, and pivot_root."""
    fresh_proc: bool
    own_ids: bool
    """A user namespace with 65,536 ids."""
    own_mounts: bool
    own_fresh_proc: bool
    cgroups: bool
    """May we make cgroups?"""
    runtime: Runtime | None
    runtime_problem: str = ""


def probe(state_directory: Path | str, environ: Mapping[str, str] | None = None) -> Capabilities:
    """Takes some 50 ms. `state_directory` is where snapshots would be: overlayfs depends on its file system.

    Raises ProbeFailed.
    """
    environ = os.environ if environ is None else environ
    directory = Path(state_directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix="probe-", dir=directory))
    except OSError as error:
        raise ProbeFailed(f"{directory} cannot be used: {error.strerror}") from error
    own = in_user_namespace()
    ids = mapped_ids()
    try:
        found = _try(place, ids, userxattr=own)
    finally:
        with suppress(OSError), Tree(directory) as tree:
            tree.remove(place.name)  # overlayfs makes directories there that even root may not open as they are
    runtime, problem = None, ""
    try:
        runtime = find_runtime(environ)
    except RuntimeUnusable as error:
        problem = str(error)
    return Capabilities(
        uid=os.geteuid(),
        user_namespace=own,
        ids=ids,
        cgroups=not own and _may_make_cgroups(),
        runtime=runtime,
        runtime_problem=problem,
        **found,
    )


def _try(place: Path, ids: int, *, userxattr: bool) -> dict[str, bool]:
    command = [sys.executable, "-I", "-S", str(_PROGRAM), str(place), str(ids), "1" if userxattr else "0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env={})
        found: dict[str, bool] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise ProbeFailed(str(error)) from error
    return found


def _may_make_cgroups() -> bool:
    """Version 2 at the root of the hierarchy, or version 1's pids controller."""
    roots = [_CGROUPS] if (_CGROUPS / "cgroup.controllers").exists() else [_CGROUPS / "pids", _CGROUPS / "devices"]
    for root in roots:
        trial = root / f"imagebuild-probe-{os.getpid()}"
        try:
            trial.mkdir()
            trial.rmdir()
        except OSError:
            return False
    return True
