"""Why a build failed: one enum for both sides, with category, exit code and whether another attempt can help.

The categories and reasons are those of the API document, "Failure classes and retry policy". A reason that only the
operator can see (a pod evicted, a node lost) has no exit code.
"""

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """Whose turn it is: the user's, the infrastructure's, nobody knows, a policy's, somebody cancelled, ours."""

    USER = "User"
    INFRASTRUCTURE = "Infrastructure"
    AMBIGUOUS = "Ambiguous"
    POLICY = "Policy"
    CANCELLED = "Cancelled"
    INTERNAL = "Internal"


class Reason(StrEnum):
    """A closed set; a value that a newer builder sends and we do not know becomes OperatorBug."""

    # the user's
    INVALID_SPEC = "InvalidSpec"
    DOCKERFILE_INVALID = "DockerfileInvalid"
    STEP_FAILED = "StepFailed"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_UNAUTHORIZED = "SourceUnauthorized"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    CONTEXT_PATH_MISSING = "ContextPathMissing"
    BASE_IMAGE_NOT_FOUND = "BaseImageNotFound"
    BUILD_ARG_MISSING = "BuildArgMissing"
    PUSH_DENIED = "PushDenied"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 (a reason, no secret)
    NOT_SUPPORTED = "NotSupported"
    # policy
    PROFILE_NOT_ALLOWED = "ProfileNotAllowed"
    CACHE_SOURCE_UNTRUSTED = "CacheSourceUntrusted"
    QUOTA_FORBIDDEN = "QuotaForbidden"
    # the infrastructure's
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    NETWORK_TIMEOUT = "NetworkTimeout"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    DISK_PRESSURE = "DiskPressure"
    BUILDER_CRASHED = "BuilderCrashed"
    POD_EVICTED = "PodEvicted"
    NODE_LOST = "NodeLost"
    PREEMPTED = "Preempted"
    POD_DELETED = "PodDeleted"
    BUILDER_IMAGE_PULL_FAILED = "BuilderImagePullFailed"
    POD_UNSCHEDULABLE = "PodUnschedulable"
    # ambiguous
    OUT_OF_MEMORY = "OutOfMemory"
    TIMED_OUT = "TimedOut"
    REGISTRY_AUTH_EXPIRED = "RegistryAuthExpired"
    EPHEMERAL_STORAGE_EXCEEDED = "EphemeralStorageExceeded"
    # cancelled
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
    DELETED = "Deleted"
    # ours
    OPERATOR_BUG = "OperatorBug"


@dataclass(frozen=True, slots=True)
class FailureClass:
    """What follows from a reason."""

    category: Category
    exit_code: int | None = None
    """The builder's exit code; None for what only the operator sees."""
    retry: bool = False
    """Can another attempt of the same build help?"""
    disruption: bool = False
    """Not the build's doing at all (evicted, preempted, node lost): counted apart from other retries."""


_USER = Category.USER
_INFRA = Category.INFRASTRUCTURE

FAILURES: dict[Reason, FailureClass] = {
    Reason.INVALID_SPEC: FailureClass(_USER, 15),
    Reason.DOCKERFILE_INVALID: FailureClass(_USER, 10),
    Reason.STEP_FAILED: FailureClass(_USER, 11),
    Reason.CONTEXT_PATH_MISSING: FailureClass(_USER, 12),
    Reason.BASE_IMAGE_NOT_FOUND: FailureClass(_USER, 13),
    Reason.PUSH_DENIED: FailureClass(_USER, 14),
    Reason.SOURCE_NOT_FOUND: FailureClass(_USER, 16),
    Reason.SOURCE_UNAUTHORIZED: FailureClass(_USER, 17),
    Reason.CHECKSUM_MISMATCH: FailureClass(_USER, 18),
    Reason.NOT_SUPPORTED: FailureClass(_USER, 19),
    Reason.BUILD_ARG_MISSING: FailureClass(_USER),
    Reason.SECRET_MISSING: FailureClass(_USER),
    Reason.PROFILE_NOT_ALLOWED: FailureClass(Category.POLICY),
    Reason.CACHE_SOURCE_UNTRUSTED: FailureClass(Category.POLICY, 40),
    Reason.QUOTA_FORBIDDEN: FailureClass(Category.POLICY),
    Reason.REGISTRY_UNAVAILABLE: FailureClass(_INFRA, 20, retry=True),
    Reason.NETWORK_TIMEOUT: FailureClass(_INFRA, 21, retry=True),
    Reason.DISK_PRESSURE: FailureClass(_INFRA, 22, retry=True),
    Reason.BUILDER_CRASHED: FailureClass(_INFRA, 23, retry=True),
    Reason.SOURCE_UNAVAILABLE: FailureClass(_INFRA, 24, retry=True),
    Reason.POD_EVICTED: FailureClass(_INFRA, retry=True, disruption=True),
    Reason.NODE_LOST: FailureClass(_INFRA, retry=True, disruption=True),
    Reason.PREEMPTED: FailureClass(_INFRA, retry=True, disruption=True),
    Reason.POD_DELETED: FailureClass(_INFRA, retry=True),
    Reason.BUILDER_IMAGE_PULL_FAILED: FailureClass(_INFRA, retry=True),
    Reason.POD_UNSCHEDULABLE: FailureClass(_INFRA, retry=True),
    Reason.OUT_OF_MEMORY: FailureClass(Category.AMBIGUOUS, 30),
    Reason.TIMED_OUT: FailureClass(Category.AMBIGUOUS, 31, retry=True),
    Reason.REGISTRY_AUTH_EXPIRED: FailureClass(Category.AMBIGUOUS, 32, retry=True),
    Reason.EPHEMERAL_STORAGE_EXCEEDED: FailureClass(Category.AMBIGUOUS, retry=True),
    Reason.CANCELLED: FailureClass(Category.CANCELLED, 130),
    Reason.SUPERSEDED: FailureClass(Category.CANCELLED),
    Reason.DELETED: FailureClass(Category.CANCELLED),
    Reason.OPERATOR_BUG: FailureClass(Category.INTERNAL, 1, retry=True),
}

_BY_EXIT_CODE = {known.exit_code: reason for reason, known in FAILURES.items() if known.exit_code is not None}


def reason_of_exit_code(code: int) -> Reason:
    """The best guess where a builder left nothing but its exit code."""
    if code in _BY_EXIT_CODE:
        return _BY_EXIT_CODE[code]
    return Reason.OUT_OF_MEMORY if code == 137 else Reason.BUILDER_CRASHED
