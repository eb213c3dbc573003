"""Trees as values, for comparing."""

import os
from pathlib import Path

from imagebuild_engine.host.rootfs import Entry, Kind, scan

Picture = dict[bytes, tuple[object, ...]]


def picture(root: Path, *, times: bool = False) -> Picture:
    """What a tree looks like to its users: kinds, modes, owners, xattrs, targets, content, and which names are one
    file.

    Directories' sizes and inode numbers are none of it. The root is left out.
    """
    entries = [entry for entry in scan(root) if entry.path]
    first: dict[tuple[int, int], bytes] = {}
    for entry in entries:
        first.setdefault(entry.inode, entry.path)
    return {entry.path: _look(root, entry, first[entry.inode], times) for entry in entries}


def _look(root: Path, entry: Entry, first: bytes, times: bool) -> tuple[object, ...]:
    content = b""
    if entry.kind is Kind.FILE:
        with open(os.path.join(os.fsencode(root), entry.path), "rb") as file:
            content = file.read()
    return (
        entry.kind.value,
        oct(entry.mode),
        entry.uid,
        entry.gid,
        entry.xattrs,
        entry.linkname,
        (entry.devmajor, entry.devminor),
        content,
        first if entry.kind is not Kind.DIRECTORY else None,
        entry.mtime_ns if times else None,
    )
