"""The build graph: vertices, edges and what each vertex does, and how an op is keyed (its CacheMap)."""

from ..cache import ContentRequest
from .cache_map import CacheMap, InputKey, cache_map, chain_id, op_text
from .ops import (
    ROOT_MOUNT,
    SCRATCH,
    Chown,
    CopyAction,
    ExecOp,
    FileAction,
    FileOp,
    ImageSource,
    LocalSource,
    MkdirAction,
    Mount,
    MountKind,
    NetworkMode,
    Op,
    Owner,
    UserById,
    UserByName,
)
from .vertex import Edge, Origin, Vertex, walk

__all__ = [
    "ROOT_MOUNT",
    "SCRATCH",
    "CacheMap",
    "Chown",
    "ContentRequest",
    "CopyAction",
    "Edge",
    "ExecOp",
    "FileAction",
    "FileOp",
    "ImageSource",
    "InputKey",
    "LocalSource",
    "MkdirAction",
    "Mount",
    "MountKind",
    "NetworkMode",
    "Op",
    "Origin",
    "Owner",
    "UserById",
    "UserByName",
    "Vertex",
    "cache_map",
    "chain_id",
    "op_text",
    "walk",
]
