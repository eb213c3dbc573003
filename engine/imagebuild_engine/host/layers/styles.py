"""Two ways to keep a layer in a directory."""

from enum import Enum


class Style(Enum):
    TREE = "tree"
    """Onto the tree itself: a whiteout deletes."""
    OVERLAY = "overlay"
    """As overlayfs wants a layer: a whiteout is a character device 0/0, an opaque directory has an attribute."""


OPAQUE_TRUSTED = "trusted.overlay.opaque"
OPAQUE_USER = "user.overlay.opaque"
"""For overlays mounted with `userxattr`, in user namespaces."""
