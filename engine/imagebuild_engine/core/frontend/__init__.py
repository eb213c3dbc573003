"""Instructions → graph and image config, with BuildKit's semantics also where they are odd."""

from .lower import lower
from .options import (
    BuildOptions,
    CommitRequest,
    ImageRequest,
    Lowered,
    NeedsPins,
    PinnedCommit,
    PinnedFile,
    PinnedImage,
    Pins,
)
from .scope import predefined_args

__all__ = [
    "BuildOptions",
    "CommitRequest",
    "ImageRequest",
    "Lowered",
    "NeedsPins",
    "PinnedCommit",
    "PinnedFile",
    "PinnedImage",
    "Pins",
    "lower",
    "predefined_args",
]
