"""What an overlay's upper directory changed, said as a layer says it.

overlayfs copies more than what changed (a file that was opened for writing, each directory above), marks deletions by
devices, and marks a directory that was deleted and made again as opaque. Here each name is held against the tree below;
an opaque directory becomes the deletions of what it hides, so that the layer is the same as if two trees were compared.
"""

import os
from contextlib import suppress
from pathlib import Path

from ..layers import Added, Change, Changes, Deleted, Modified
from ..layers.change import complete, same
from ..rootfs import Entry, Kind, entry_at, scan
from ..rootfs.scan import open_directory
from ..rootfs.tree import fd_path

_CHUNK = 1 << 18


def overlay_changes(upper: Path, parent: Path | None, opaque_xattr: str) -> Changes:
    """`parent` is the merged tree below, None if there is none."""
    entries = [entry for entry in scan(upper) if entry.path and entry.kind is not Kind.SOCKET]
    if parent is None:
        return Changes(upper, tuple(Added(entry) for entry in entries if not entry.is_whiteout))
    with_below = _Below(upper, parent)
    try:
        found = list(_compare(entries, with_below, opaque_xattr))
    finally:
        with_below.close()
    present = {entry.path: entry for entry in entries if not entry.is_whiteout}
    return Changes(upper, tuple(complete(_with_links(found, entries), present)))


class _Below:
    """The tree below, and the upper directory, by descriptors."""

    def __init__(self, upper: Path, parent: Path) -> None:
        self.upper = os.open(upper, os.O_PATH | os.O_DIRECTORY)
        self._parent = os.open(parent, os.O_PATH | os.O_DIRECTORY)

    def close(self) -> None:
        os.close(self.upper)
        os.close(self._parent)

    def entry(self, path: bytes) -> Entry | None:
        """None also if something above is no directory there."""
        directory, _, name = path.rpartition(b"/")
        try:
            fd = open_directory(self._parent, directory)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return entry_at(fd, name, path)
        except FileNotFoundError:
            return None
        finally:
            os.close(fd)

    def names(self, path: bytes) -> set[bytes]:
        fd = open_directory(self._parent, path)
        try:
            return {os.fsencode(name) for name in os.listdir(fd)}
        finally:
            os.close(fd)

    def same_content(self, path: bytes) -> bool:
        left, right = (_open_file(root, path) for root in (self.upper, self._parent))
        try:
            while (data := os.read(left, _CHUNK)) == os.read(right, _CHUNK):
                if not data:
                    return True
            return False
        finally:
            os.close(left)
            os.close(right)


def _open_file(root: int, path: bytes) -> int:
    directory, _, name = path.rpartition(b"/")
    fd = open_directory(root, directory)
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    finally:
        os.close(fd)


def _compare(entries: list[Entry], below: _Below, opaque_xattr: str) -> list[Change]:
    changes: list[Change] = []
    alone: set[bytes] = set()
    """Directories that hide what lies below them: opaque ones, and all inside those."""
    names: dict[bytes, set[bytes]] = {}
    for entry in entries:
        parent, _, name = entry.path.rpartition(b"/")
        names.setdefault(parent, set()).add(name)
    for entry in entries:
        before = below.entry(entry.path)
        if entry.is_whiteout:
            if before is not None:
                changes.append(Deleted(entry.path))
            continue
        if before is None:
            changes.append(Added(entry))
        elif not same(before, entry) or (entry.kind is Kind.FILE and not below.same_content(entry.path)):
            changes.append(Modified(entry))
        is_merged = entry.kind is Kind.DIRECTORY and before is not None and before.kind is Kind.DIRECTORY
        parent = entry.path.rpartition(b"/")[0]
        if is_merged and (parent in alone or _is_opaque(below.upper, entry.path, opaque_xattr)):
            alone.add(entry.path)
            hidden = below.names(entry.path) - names.get(entry.path, set())
            changes.extend(Deleted(entry.path + b"/" + name) for name in hidden)
    return changes


def _is_opaque(upper: int, path: bytes, xattr: str) -> bool:
    directory, _, name = path.rpartition(b"/")
    fd = open_directory(upper, directory)
    try:
        with suppress(OSError):
            return os.getxattr(fd_path(fd, name), xattr, follow_symlinks=False) == b"y"
        return False
    finally:
        os.close(fd)


def _with_links(changes: list[Change], entries: list[Entry]) -> list[Change]:
    """If one name of a hard-linked file changed, all its names did."""
    known = {change.path for change in changes}
    linked = {
        change.entry.inode
        for change in changes
        if not isinstance(change, Deleted) and change.entry.nlink > 1 and change.entry.kind is not Kind.DIRECTORY
    }
    return changes + [
        Modified(entry)
        for entry in entries
        if entry.path not in known
        and entry.nlink > 1
        and entry.inode in linked
        and entry.kind is not Kind.DIRECTORY
        and not entry.is_whiteout
    ]
