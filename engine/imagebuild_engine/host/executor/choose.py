"""Which executor and which snapshots: the strongest that the surroundings allow, and why."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .chroot import ChrootExecutor
from .errors import ExecutorUnavailable
from .oci import OciExecutor
from .oci_spec import Surroundings
from .probe import Capabilities
from .process import Executor
from .seccomp import seccomp_profile


class ExecutorKind(StrEnum):
    OCI = "oci"
    CHROOT = "chroot"
    NONE = "none"


class SnapshotterKind(StrEnum):
    OVERLAY = "overlay"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    executor: ExecutorKind
    snapshotter: SnapshotterKind
    why: str
    """One sentence for people."""
    own_user_namespace: bool = False
    """The engine must first enter a user namespace of its own (`enter_user_namespace`), then probe and choose again."""
    fresh_proc: bool = True


def choose(found: Capabilities, wanted: ExecutorKind | None = None) -> Choice:
    """The strongest choice, or the strongest with the wanted executor; raises ExecutorUnavailable if that cannot be."""
    choices = [choice for choice in _possible(found) if wanted in {None, choice.executor}]
    if not choices:
        raise ExecutorUnavailable(str(wanted), why_not(found, wanted or ExecutorKind.OCI))
    return choices[0]


def _possible(found: Capabilities) -> list[Choice]:
    choices: list[Choice] = []
    snapshotter = SnapshotterKind.OVERLAY if found.mounts and found.chown else SnapshotterKind.FLAT
    if found.runtime is not None:
        program = f"{found.runtime.kind} {found.runtime.version}"
        if found.mounts and found.chown and found.switch_ids:
            choices.append(
                Choice(
                    executor=ExecutorKind.OCI,
                    snapshotter=SnapshotterKind.OVERLAY,
                    why=f"{program} runs steps in containers on overlayfs" + _proc_note(fresh=found.fresh_proc),
                    fresh_proc=found.fresh_proc,
                )
            )
        elif found.own_ids and found.own_mounts:
            choices.append(
                Choice(
                    executor=ExecutorKind.OCI,
                    snapshotter=SnapshotterKind.OVERLAY,
                    why=f"{program} runs steps in containers on overlayfs, in a user namespace with 65,536 ids"
                    + _proc_note(fresh=found.own_fresh_proc),
                    own_user_namespace=True,
                    fresh_proc=found.own_fresh_proc,
                )
            )
    if found.chroot and found.switch_ids and found.chown:
        choices.append(
            Choice(
                executor=ExecutorKind.CHROOT,
                snapshotter=snapshotter,
                why=f"steps run by chroot, without isolation of their own: {why_not(found, ExecutorKind.OCI)}",
            )
        )
    why = f"no step can be run here: {why_not(found, ExecutorKind.CHROOT)}"
    choices.append(Choice(executor=ExecutorKind.NONE, snapshotter=snapshotter, why=why))
    return choices


def _proc_note(*, fresh: bool) -> str:
    return "" if fresh else " (a new /proc may not be mounted, so steps see the processes around them)"


def why_not(found: Capabilities, executor: ExecutorKind) -> str:
    """What is missing for that executor, as a sentence's end."""
    if executor is ExecutorKind.OCI:
        if not (found.mounts or (found.own_ids and found.own_mounts)):
            return "mounting is allowed neither here nor in a user namespace of our own"
        return f"there is no OCI runtime that will do ({found.runtime_problem})"
    missing = [
        text
        for there, text in (
            (found.chroot, "chroot"),
            (found.switch_ids, "changing to other users"),
            (found.chown, "giving files to other users"),
        )
        if not there
    ]
    ids = " (there is one user id here)" if found.ids == 1 else ""
    return f"not allowed: {', '.join(missing)}{ids}" if missing else "nothing is missing"


def make_executor(choice: Choice, found: Capabilities, directory: Path | str) -> Executor | None:
    """The chosen executor, for `found` of the namespace that we are in now; None for none."""
    match choice.executor:
        case ExecutorKind.OCI:
            if found.runtime is None or choice.own_user_namespace:
                raise ExecutorUnavailable("oci", why_not(found, ExecutorKind.OCI))
            surroundings = Surroundings(
                user_namespace=found.user_namespace,
                fresh_proc=found.fresh_proc,
                cgroups=found.cgroups,
                seccomp=seccomp_profile() if found.runtime.seccomp else None,
            )
            return OciExecutor(found.runtime, directory, surroundings=surroundings)
        case ExecutorKind.CHROOT:
            return ChrootExecutor()
        case ExecutorKind.NONE:
            return None
