"""Every error that a build can end with, as a failure that people and the operator understand.

One table from exception to reason. What is not in it is a bug of ours and says so.
"""

import asyncio
import errno
import os
from dataclasses import dataclass

from ..contract import FailureResult, Reason, failure
from ..core.dockerfile import DockerfileError, Location, Source
from ..core.graph import Origin
from ..core.patterns import BadPattern
from ..core.solver import ResultLost
from ..host.content import ContentError, DiskFull
from ..host.context import ContextMissing, GitFailed
from ..host.executor import ExecutorError, NotPossibleHere, StepTimedOut
from ..host.fetch import FetchFailed, WrongChecksum
from ..host.layers import LayerError, WrongDiffId
from ..host.registry import Denied, NotFound, RegistryError, RegistryTimeout, Unauthorized
from ..host.rootfs import CopyError, CopySourceMissing, UserNotFound
from ..host.snapshots import SnapshotError
from .secrets import SecretUnreadable
from .ssh_agents import SshUnusable

_LOG_TAIL = 2048
_OF_THE_TREE = {
    errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EACCES,
    errno.EPERM, errno.EINVAL, errno.EMLINK,
}  # fmt: skip
"""What a file step may run into because of what lies in the tree or in the context."""
_OF_THE_MACHINE = {
    errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ESTALE, errno.ENODEV, errno.EUCLEAN,
}  # fmt: skip


class BuildFailed(Exception):
    """A build that ended without an image, with everything there is to say about it."""

    def __init__(self, result: FailureResult) -> None:
        super().__init__(result.message)
        self.result = result


@dataclass
class StepFailed(Exception):
    """A RUN step ended with a code other than zero. `tail` is the end of what it printed."""

    origin: Origin
    exit_code: int
    tail: str
    excerpt: str = ""
    problem: str = ""
    """What is wrong, where the step did not even start."""
    disk_full: bool = False
    """Was no space left when it ended? Then that is why."""

    def __str__(self) -> str:
        what = self.problem or f"ended with exit code {self.exit_code}"
        if self.exit_code > 128:
            what = f"was killed by signal {self.exit_code - 128}"
        if self.disk_full:
            what += f"; {_DISK_FULL}"
        return f"line {self.origin.line}: {self.origin.instruction}: {what}"


@dataclass
class StepRefused(Exception):
    """A step that cannot be done as it stands: its files, what it mounts, its platform. `problem` says why."""

    origin: Origin
    reason: Reason
    problem: str
    excerpt: str = ""

    def __str__(self) -> str:
        return f"line {self.origin.line}: {self.origin.instruction}: {self.problem}"


@dataclass
class StepNotPossible(Exception):
    """A RUN step for which the present machine or pod allows too little. `why` says what is missing.

    `profiles`: which of the operator's security profiles would do.
    """

    origin: Origin
    why: str
    profiles: str = "UserNamespace"
    excerpt: str = ""
    reason = Reason.NOT_SUPPORTED

    def __str__(self) -> str:
        return (
            f"line {self.origin.line}: {self.origin.instruction}: {self.why} (`imagebuild doctor` says more; in a "
            f"cluster, spec.pod.securityProfile {self.profiles} allows it)"
        )


class BaseImageMissing(Exception):
    """An image that the Dockerfile names is not there, or not for this platform."""


class SourceFailed(Exception):
    """A file or a repository that the Dockerfile names could not be had. `name` is its URL as it stands there."""

    def __init__(self, name: str, problem: GitFailed | FetchFailed) -> None:
        super().__init__(str(problem))
        self.name = name
        self.problem = problem

    def located(self, source: Source) -> Exception:
        """With the line of the Dockerfile that names it; what it was before where none does by the letter."""
        for number, line in enumerate(source.text.split("\n"), 1):
            if self.name in line:
                origin = Origin(stage="", line=number, instruction=line.split()[0].upper())
                excerpt = source.excerpt(Location(number, number))
                return StepRefused(origin, _source_reason(self.problem), str(self), excerpt)
        return self.problem


class PushFailed(Exception):
    """The image could not be pushed. The cause says why."""


class CacheTooSlow(Exception):
    """A cache could not be written in the time that it was given."""


class OutputUnwritable(Exception):
    """A directory that was to be written cannot be."""


class LayerBroken(Exception):
    """A layer that an image has cannot be unpacked: the image is at fault."""

    def __init__(self, image: str, problem: LayerError) -> None:
        super().__init__(f"a layer of {image} cannot be unpacked: {problem}")
        self.problem = problem


class LayerMissing(Exception):
    """A layer that a base image has is gone from its registry."""


class LayerLost(ResultLost):
    """A layer that a cache promised cannot be had from it: gone, wrong, or not to be waited for."""


class StateUnusable(Exception):
    """The directory for snapshots and blobs cannot be made or written to."""


class NotSupported(Exception):
    """A part of the design that this version does not have yet, or that the surroundings do not allow."""


def failure_of(error: BaseException) -> FailureResult:
    """The failure that stands for the error."""
    match error:
        case BuildFailed(result=result):
            return result
        case DockerfileError():
            reason = Reason.NOT_SUPPORTED if "not supported yet" in str(error) else Reason.DOCKERFILE_INVALID
            return failure(
                reason, str(error), line=error.location.start if error.location else 0, excerpt=_excerpt(error)
            )
        case StepFailed():
            reason = Reason.OUT_OF_MEMORY if error.exit_code == 137 else Reason.STEP_FAILED
            reason = Reason.DISK_PRESSURE if error.disk_full else reason
            return failure(
                reason,
                str(error),
                stage=error.origin.stage,
                step=error.origin.instruction,
                line=error.origin.line,
                excerpt=error.excerpt,
                log_tail=error.tail[-_LOG_TAIL:],
            )
        case StepRefused() | StepNotPossible():
            return failure(
                error.reason,
                str(error),
                stage=error.origin.stage,
                step=error.origin.instruction,
                line=error.origin.line,
                excerpt=error.excerpt,
            )
        case BaseImageMissing():
            return failure(Reason.BASE_IMAGE_NOT_FOUND, str(error))
        case ContextMissing():
            return failure(Reason.CONTEXT_PATH_MISSING, str(error))
        case GitFailed() | FetchFailed():
            return failure(_source_reason(error), str(error))
        case SecretUnreadable() | SshUnusable():
            return failure(Reason.INVALID_SPEC, str(error))
        case NotSupported():
            return failure(Reason.NOT_SUPPORTED, str(error))
        case PushFailed(__cause__=RegistryError() as cause):
            return failure(_push_reason(cause), f"{error}: {cause}")
        case CacheTooSlow():
            return failure(Reason.NETWORK_TIMEOUT, str(error))
        case OutputUnwritable():
            return failure(Reason.PUSH_DENIED, str(error))
        case RegistryError():
            return failure(_registry_reason(error), str(error))
        case LayerBroken():
            wrong = isinstance(error.problem, WrongDiffId)
            return failure(Reason.CHECKSUM_MISMATCH if wrong else Reason.BASE_IMAGE_NOT_FOUND, str(error))
        case DiskFull() | OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return failure(Reason.DISK_PRESSURE, f"{_DISK_FULL}{_where(error)}: {_MAKE_ROOM}")
        case LayerMissing() | LayerLost() | ContentError():
            return failure(Reason.REGISTRY_UNAVAILABLE, str(error))
        case NotPossibleHere():
            return failure(Reason.NOT_SUPPORTED, str(error))
        case StepTimedOut():
            return failure(Reason.TIMED_OUT, str(error))
        case StateUnusable() | ExecutorError() | SnapshotError() | LayerError():
            return failure(Reason.BUILDER_CRASHED, str(error))
        case TimeoutError():
            return failure(Reason.TIMED_OUT, "the build did not end within its timeout")
        case asyncio.CancelledError() | KeyboardInterrupt():
            return failure(Reason.CANCELLED, "the build was interrupted")
        case OSError() if error.errno in _OF_THE_MACHINE:
            return failure(Reason.BUILDER_CRASHED, f"the builder's machine is in trouble: {words(error)}")
        case RuntimeError(args=("can't start new thread",)):
            return failure(Reason.BUILDER_CRASHED, "no more threads can be started: is there a limit of processes?")
        case MemoryError():
            return failure(Reason.OUT_OF_MEMORY, "the builder ran out of memory")
        case _:
            return failure(Reason.OPERATOR_BUG, f"internal error, please report it: {type(error).__name__}: {error}")


def file_problem(origin: Origin, error: Exception) -> Exception:
    """The user's error behind what a file step ran into; anything else is given back as it is."""
    match error:
        case BadPattern():
            return StepRefused(origin, Reason.DOCKERFILE_INVALID, str(error))
        case CopySourceMissing() | FileNotFoundError():
            return StepRefused(origin, Reason.CONTEXT_PATH_MISSING, str(error))
        case LayerError():
            return StepRefused(origin, Reason.STEP_FAILED, f"the archive cannot be unpacked: {error}")
        case GitFailed() | FetchFailed():
            return StepRefused(origin, _source_reason(error), str(error))
        case UserNotFound() | CopyError():
            return StepRefused(origin, Reason.STEP_FAILED, str(error))
        case OSError() if error.errno in _OF_THE_TREE:
            return StepRefused(origin, Reason.STEP_FAILED, words(error))
        case _:
            return error


def is_full(free_bytes: int, free_inodes: int) -> bool:
    """Is so little left that a step which failed most likely failed for that?"""
    return free_bytes < 1 << 20 or free_inodes == 0


def words(error: OSError) -> str:
    """A system's error without numbers, and with the name that it is about."""
    name = error.filename
    text = error.strerror or str(error)
    if name is None:
        return text
    return f"/{os.fsdecode(name).lstrip('/')}: {text}" if isinstance(name, str | bytes) else text


_DISK_FULL = "the disk that holds the build is full"
_MAKE_ROOM = "make room there, or name a directory on another disk with --state"


def _where(error: BaseException) -> str:
    place = error.directory if isinstance(error, DiskFull) else getattr(error, "filename2", None) or _filename(error)
    return f" ({os.fsdecode(place)})" if isinstance(place, str | bytes | os.PathLike) else ""


def _filename(error: BaseException) -> object:
    return error.filename if isinstance(error, OSError) else None


_SOURCES = {
    "not_found": Reason.SOURCE_NOT_FOUND,
    "unauthorized": Reason.SOURCE_UNAUTHORIZED,
    "invalid": Reason.SOURCE_NOT_FOUND,
    "unavailable": Reason.SOURCE_UNAVAILABLE,
    "timeout": Reason.NETWORK_TIMEOUT,
}


def _source_reason(error: GitFailed | FetchFailed) -> Reason:
    return Reason.CHECKSUM_MISMATCH if isinstance(error, WrongChecksum) else _SOURCES[error.kind]


def _excerpt(error: DockerfileError) -> str:
    if error.source is None or error.location is None:
        return ""
    return error.source.excerpt(error.location)


def _push_reason(error: RegistryError) -> Reason:
    match error:
        case Unauthorized() | Denied():
            return Reason.PUSH_DENIED
        case NotFound():
            return Reason.PUSH_DENIED
        case _:
            return _registry_reason(error)


def _registry_reason(error: RegistryError) -> Reason:
    match error:
        case RegistryTimeout():
            return Reason.NETWORK_TIMEOUT
        case Unauthorized() | Denied():
            return Reason.SOURCE_UNAUTHORIZED
        case _:
            return Reason.REGISTRY_UNAVAILABLE
