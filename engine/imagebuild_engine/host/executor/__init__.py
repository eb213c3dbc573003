"""Running a step in a tree: an OCI runtime, or chroot where there are no mounts; and finding out which is possible."""

from .choose import Choice, ExecutorKind, SnapshotterKind, choose, make_executor
from .chroot import ChrootExecutor
from .companion import Companion, companion
from .errors import (
    ExecutableMissing,
    ExecutorError,
    ExecutorUnavailable,
    NotExecutable,
    NotPossibleHere,
    ProbeFailed,
    StartFailed,
    StepTimedOut,
)
from .oci import OciExecutor
from .probe import Capabilities, probe
from .process import HOSTNAME, BindMount, Executor, Network, Output, Process, ResourceLimit, Stream, TmpfsMount
from .runtime import VARIABLE, Runtime
from .supervised import forget, look_after
from .userns import enter_user_namespace, in_own_user_namespace

__all__ = [
    "HOSTNAME",
    "VARIABLE",
    "BindMount",
    "Capabilities",
    "Choice",
    "ChrootExecutor",
    "Companion",
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
    "ProbeFailed",
    "Process",
    "ResourceLimit",
    "Runtime",
    "SnapshotterKind",
    "StartFailed",
    "StepTimedOut",
    "Stream",
    "TmpfsMount",
    "choose",
    "companion",
    "enter_user_namespace",
    "forget",
    "in_own_user_namespace",
    "look_after",
    "make_executor",
    "probe",
]
