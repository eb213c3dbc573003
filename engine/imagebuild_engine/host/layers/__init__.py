"""Layers: a tar read onto a tree (`apply`), changes of a tree written as a tar (`pack`), archives for ADD."""

from .apply import Applied, apply
from .archive import is_archive, unpack_archive
from .change import Added, Change, Changes, Deleted, Modified, changes_between
from .compression import ByteSource, Compression, detect_compression
from .errors import DeviceRefused, InvalidLayer, LayerError, LayerTooLarge, OwnerRefused, UnsafeLayer, WrongDiffId
from .limits import Limits
from .pack import PackedLayer, pack
from .styles import Style

__all__ = [
    "Added",
    "Applied",
    "ByteSource",
    "Change",
    "Changes",
    "Compression",
    "Deleted",
    "DeviceRefused",
    "InvalidLayer",
    "LayerError",
    "LayerTooLarge",
    "Limits",
    "Modified",
    "OwnerRefused",
    "PackedLayer",
    "Style",
    "UnsafeLayer",
    "WrongDiffId",
    "apply",
    "changes_between",
    "detect_compression",
    "is_archive",
    "pack",
    "unpack_archive",
]
