"""Running a step in a tree: an OCI runtime, or chroot where there are no mounts; and finding out which is possible."""

from .choose import Choice, ExecutorKind, SnapshotterKind, choose, make_executor
from .chroot import ChrootExecutor
from .errors import (
    ExecutableMissing,
    ExecutorError,
    ExecutorUnavailable,
    NotExecutable,
    NotPossibleHere,
    StartFailed,
    StepTimedOut,
)
from .oci import OciExecutor
from .probe import Capabilities, probe
from .process import Executor, Network, Output, Process, Stream
from .runtime import Runtime
from .userns import enter_user_namespace, in_own_user_namespace

__all__ = [
    "Capabilities",
    "Choice",
    "ChrootExecutor",
    "ExecutableMissing",
    "Executor",
    "ExecutorError",
    "ExecutorKind",
    "ExecutorUnavailable",
    "Network",
    "NotExecutable",
    "NotPossibleHere",
    "OciExecutor",
    "Output",
    "Process",
    "Runtime",
    "SnapshotterKind",
    "StartFailed",
    "StepTimedOut",
    "Stream",
    "choose",
    "enter_user_namespace",
    "in_own_user_namespace",
    "make_executor",
    "probe",
]
