"""What operator and engine say to each other: request, result, failures, wire form, layout in the pod.

The operator imports this package and nothing else of the engine. `names` from the image spec come through here too.
"""

from ..core.oci import Digest, InvalidDigest, InvalidReference, Reference
from . import layout
from .failure import FAILURES, Category, FailureClass, Reason, reason_of_exit_code
from .request import (
    ArchiveSource,
    BuildRequest,
    CacheSource,
    CacheTarget,
    DirectorySource,
    Dockerfile,
    GitSource,
    Output,
    Source,
)
from .result import (
    BuildResult,
    Bytes,
    CacheResult,
    CacheSourceResult,
    FailureResult,
    ImageResult,
    ImportOutcome,
    Seconds,
    StepOutcome,
    StepResult,
)
from .wire import (
    TERMINATION_MESSAGE_LIMIT,
    InvalidWire,
    decode_request,
    decode_result,
    encode_request,
    encode_result,
    failure,
)

__all__ = [
    "FAILURES",
    "TERMINATION_MESSAGE_LIMIT",
    "ArchiveSource",
    "BuildRequest",
    "BuildResult",
    "Bytes",
    "CacheResult",
    "CacheSource",
    "CacheSourceResult",
    "CacheTarget",
    "Category",
    "Digest",
    "DirectorySource",
    "Dockerfile",
    "FailureClass",
    "FailureResult",
    "GitSource",
    "ImageResult",
    "ImportOutcome",
    "InvalidDigest",
    "InvalidReference",
    "InvalidWire",
    "Output",
    "Reason",
    "Reference",
    "Seconds",
    "Source",
    "StepOutcome",
    "StepResult",
    "decode_request",
    "decode_result",
    "encode_request",
    "encode_result",
    "failure",
    "layout",
    "reason_of_exit_code",
]
