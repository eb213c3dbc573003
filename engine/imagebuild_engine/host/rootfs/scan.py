"""Walking a tree: one Entry for every file, in the order of a layer."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .entry import KIND_OF_MODE, Entry, Kind
from .owner import RECORD_XATTR, Record
from .tree import fd_path

_STEP = 2048
"""Names are at most 255 bytes: a part of this length always fits into PATH_MAX with the next name."""
HIDDEN_XATTRS = ("trusted.overlay.", "user.overlay.", RECORD_XATTR)


def scan(root: Path | str | int, *, top: bytes = b"", xattrs: bool = True) -> Iterator[Entry]:
    """The tree below `top` (itself first), parents before children, names of a directory in byte order.

    So the whole is ordered by path components, as BuildKit's checksums and our layers are. Links are not followed.
    The tree must not be written to by others meanwhile. No depth is too deep, no path too long.
    """
    fd = os.dup(root) if isinstance(root, int) else os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        directory, name = _parent(fd, top)
        try:
            first = entry_at(directory, name, top, xattrs=xattrs)
        finally:
            os.close(directory)
        yield first
        if first.kind is Kind.DIRECTORY:
            yield from _below(fd, top, xattrs)
    finally:
        os.close(fd)


def _below(root: int, top: bytes, xattrs: bool) -> Iterator[Entry]:
    # The stack holds what is still to be said, last first. A directory is read when it is said.
    stack = _children(root, top, xattrs)
    while stack:
        entry = stack.pop()
        yield entry
        if entry.kind is Kind.DIRECTORY:
            stack.extend(_children(root, entry.path, xattrs))


def _children(root: int, path: bytes, xattrs: bool) -> list[Entry]:
    fd = open_directory(root, path)
    try:
        prefix = path + b"/" if path else b""
        names = sorted((os.fsencode(name) for name in os.listdir(fd)), reverse=True)
        return [entry_at(fd, name, prefix + name, xattrs=xattrs) for name in names]
    finally:
        os.close(fd)


def open_directory(root: int, path: bytes) -> int:
    """Opens a directory whose components are known to be directories, however long the path is."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    if len(path) <= _STEP:
        return os.open(path or b".", flags, dir_fd=root)
    current = os.dup(root)
    try:
        while path:
            cut = len(path) if len(path) <= _STEP else path.rindex(b"/", 0, _STEP)
            part, path = path[:cut], path[cut + 1 :]
            following = os.open(part, flags, dir_fd=current)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def _parent(root: int, path: bytes) -> tuple[int, bytes]:
    parent, _, name = path.rpartition(b"/")
    return open_directory(root, parent), name or b"."


def entry_at(directory: int, name: bytes, path: bytes, *, xattrs: bool = True) -> Entry:
    """The entry of one name in an open directory; `path` is what it shall be called."""
    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    kind = KIND_OF_MODE[stat.S_IFMT(found.st_mode)]
    attributes, record = _xattrs(directory, name) if xattrs else ((), None)
    mode, uid, gid, device = found.st_mode, found.st_uid, found.st_gid, found.st_rdev
    major, minor = (os.major(device), os.minor(device)) if kind in {Kind.CHAR, Kind.BLOCK} else (0, 0)
    if record is not None:
        mode, uid, gid, major, minor = record.mode, record.uid, record.gid, record.devmajor, record.devminor
        kind = KIND_OF_MODE.get(stat.S_IFMT(mode), kind)
    return Entry(
        path,
        kind,
        0o777 if kind is Kind.SYMLINK else stat.S_IMODE(mode),
        uid,
        gid,
        found.st_size if kind is Kind.FILE else 0,
        found.st_mtime_ns,
        os.readlink(name, dir_fd=directory) if kind is Kind.SYMLINK else b"",
        major,
        minor,
        attributes,
        (found.st_dev, found.st_ino),
        found.st_nlink,
        found.st_ctime_ns,
    )


def _xattrs(directory: int, name: bytes) -> tuple[tuple[tuple[str, bytes], ...], Record | None]:
    place = fd_path(directory, name)
    try:
        names = os.listxattr(place, follow_symlinks=False)
    except OSError:  # a file system without them
        return (), None
    if not names:
        return (), None
    found: list[tuple[str, bytes]] = []
    record = None
    for key in sorted(names):
        with suppress(OSError):  # gone, or not ours to read (trusted.*)
            value = os.getxattr(place, key, follow_symlinks=False)
            if key == RECORD_XATTR:
                record = Record.decode(value)
            elif not key.startswith(HIDDEN_XATTRS):
                found.append((key, value))
    return tuple(found), record
