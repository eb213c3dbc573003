"""Why a step was not taken from a cache: one enum for both sides (API document, section 4)."""

from collections.abc import Sequence
from enum import StrEnum


class MissReason(StrEnum):
    """A closed set. The first group is about the caches, the second about what the step is made of."""

    NO_CACHE_SOURCE = "NoCacheSource"
    CACHE_DISABLED = "CacheDisabled"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_UNAUTHORIZED = "SourceUnauthorized"
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    SOURCE_UNTRUSTED = "SourceUntrusted"
    NO_INLINE_METADATA = "NoInlineMetadata"
    METADATA_INVALID = "MetadataInvalid"
    FORMAT_VERSION_MISMATCH = "FormatVersionMismatch"
    PLATFORM_MISMATCH = "PlatformMismatch"
    INTERMEDIATE_STAGE_NOT_EXPORTED = "IntermediateStageNotExported"
    EXPIRED = "Expired"
    BLOB_MISSING = "BlobMissing"

    BASE_IMAGE_CHANGED = "BaseImageChanged"
    INSTRUCTION_CHANGED = "InstructionChanged"
    BUILD_ARG_CHANGED = "BuildArgChanged"
    ENVIRONMENT_CHANGED = "EnvironmentChanged"
    FILES_CHANGED = "FilesChanged"
    FILE_MODE_CHANGED = "FileModeChanged"
    SECRET_ID_CHANGED = "SecretIdChanged"  # noqa: S105 (a reason, no secret)
    PARENT_MISSED = "ParentMissed"
    UNCACHEABLE = "Uncacheable"
    STEP_NEW = "StepNew"


def miss_text(reason: MissReason | None, detail: Sequence[str], more: int) -> str:
    """One line for people: `FilesChanged: src/main.c, src/util.c (+3)`. Empty without a reason."""
    if reason is None:
        return ""
    text = f"{reason}: {', '.join(detail)}" if detail else str(reason)
    return f"{text} (+{more})" if more else text
