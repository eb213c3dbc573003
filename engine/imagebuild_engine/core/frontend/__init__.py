"""Instructions → graph and image config, with BuildKit's semantics also where they are odd."""

from .lower import lower
from .options import BuildOptions, Lowered, NeedsImages, PinnedImage

__all__ = ["BuildOptions", "Lowered", "NeedsImages", "PinnedImage", "lower"]
