"""Snapshots: overlayfs where mounting is allowed, flat trees where it is not. One Protocol, one test suite."""

from .flat import FlatSnapshotter
from .gate import Closed
from .overlay import OverlaySnapshotter
from .snapshotter import LayerSource, MountFailed, SnapshotError, SnapshotExists, SnapshotMissing, Snapshotter

__all__ = [
    "Closed",
    "FlatSnapshotter",
    "LayerSource",
    "MountFailed",
    "OverlaySnapshotter",
    "SnapshotError",
    "SnapshotExists",
    "SnapshotMissing",
    "Snapshotter",
]
