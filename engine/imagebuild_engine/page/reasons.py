"""What a miss reason means, in a sentence for people."""

from ..contract import MissReason

MEANING: dict[MissReason, str] = {
    MissReason.NO_CACHE_SOURCE: "No cache was named to look into.",
    MissReason.CACHE_DISABLED: "The build was told not to use the cache here.",
    MissReason.SOURCE_NOT_FOUND: "There is nothing under the cache source’s name.",
    MissReason.SOURCE_UNAUTHORIZED: "The cache source could not be read with these credentials.",
    MissReason.SOURCE_UNAVAILABLE: "The cache source did not answer in time, or with an error.",
    MissReason.SOURCE_UNTRUSTED: "The cache source is not among those that may be used.",
    MissReason.NO_INLINE_METADATA: "The cache source is an image without cache records.",
    MissReason.METADATA_INVALID: "The cache source’s records make no sense and were not used.",
    MissReason.FORMAT_VERSION_MISMATCH: "The cache source’s records are in a format that this version does not read.",
    MissReason.PLATFORM_MISMATCH: "The cache source is for another platform.",
    MissReason.INTERMEDIATE_STAGE_NOT_EXPORTED: "The cache knows the step, but not its files: its stage’s layers "
    "were not exported.",
    MissReason.EXPIRED: "The cached result is older than allowed.",
    MissReason.BLOB_MISSING: "The cache promised a layer that its registry no longer has.",
    MissReason.BASE_IMAGE_CHANGED: "The image that the stage begins with is another one.",
    MissReason.INSTRUCTION_CHANGED: "The instruction reads differently.",
    MissReason.BUILD_ARG_CHANGED: "A build argument that the step sees has another value.",
    MissReason.ENVIRONMENT_CHANGED: "An environment variable that the step sees has another value.",
    MissReason.FILES_CHANGED: "Files that the step copies or reads differ.",
    MissReason.FILE_MODE_CHANGED: "Files have other permissions or owners; what is in them is the same.",
    MissReason.SECRET_ID_CHANGED: "The step asks for other secrets.",
    MissReason.PARENT_MISSED: "A step that it rests on ran, and its result differs.",
    MissReason.UNCACHEABLE: "A step of this kind is never taken from a cache.",
    MissReason.STEP_NEW: "No cache has a step like it.",
}

ABOUT_CACHES = frozenset(list(MissReason)[: list(MissReason).index(MissReason.BASE_IMAGE_CHANGED)])
"""Reasons that lie in the caches and not in the step: the steps that have one are all alike."""
FOLLOWS = ABOUT_CACHES | {MissReason.PARENT_MISSED}
"""Reasons that say nothing about the step itself."""
