"""One file made like another: its kind, its content, its metadata."""

import os
from contextlib import suppress

from .entry import TYPE_BITS, Entry, Kind
from .owner import Owner, Ownership
from .scan import HIDDEN_XATTRS
from .tree import Tree, fd_path

_SMALL = 1 << 16


def make_node(tree: Tree, entry: Entry, directory: int, name: bytes) -> None:
    """A device or a fifo; where owners are only recorded, both are empty files: those can carry a record."""
    if tree.ownership is Ownership.RECORDED:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=directory))
    elif entry.kind is Kind.FIFO:
        os.mkfifo(name, 0o600, dir_fd=directory)
    else:
        number = os.makedev(entry.devmajor, entry.devminor)
        os.mknod(name, TYPE_BITS[entry.kind] | 0o600, number, dir_fd=directory)


def copy_bytes(source: tuple[int, bytes], target: tuple[int, bytes]) -> None:
    """The content of a regular file to a new one. In the kernel, and shared where the file system can."""
    reading = os.open(source[1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source[0])
    try:
        writing = os.open(target[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target[0])
        try:
            _pump(reading, writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _pump(reading: int, writing: int) -> None:
    first = os.read(reading, _SMALL)
    _write_all(writing, first)
    if len(first) < _SMALL:
        return
    try:
        while os.copy_file_range(reading, writing, 1 << 30):
            pass
    except OSError as error:
        if error.errno in {28, 122, 5}:  # ENOSPC, EDQUOT, EIO: no other way will do better
            raise
        while chunk := os.read(reading, 1 << 18):
            _write_all(writing, chunk)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def set_metadata(tree: Tree, entry: Entry, directory: int, name: bytes) -> None:
    """Owner, xattrs, mode and mtime as the entry says, in an order that keeps set-uid and capabilities."""
    tree.set_owner_and_mode(
        directory,
        name,
        TYPE_BITS[entry.kind] | entry.mode,
        Owner(entry.uid, entry.gid),
        (entry.devmajor, entry.devminor),
    )
    if entry.xattrs:
        place = fd_path(directory, name)
        for key, value in entry.xattrs:
            with suppress(OSError):  # what the file system or our rights do not allow is left out, as BuildKit does
                os.setxattr(place, key, value, follow_symlinks=False)
    os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=directory, follow_symlinks=False)


def replace_xattrs(directory: int, name: bytes, xattrs: tuple[tuple[str, bytes], ...]) -> None:
    """Takes away what a file that existed before has and its new metadata do not say."""
    place = fd_path(directory, name)
    kept = {key for key, _ in xattrs}
    with suppress(OSError):
        for key in os.listxattr(place, follow_symlinks=False):
            if key not in kept and key.startswith("user.") and not key.startswith(HIDDEN_XATTRS):
                os.removexattr(place, key, follow_symlinks=False)
