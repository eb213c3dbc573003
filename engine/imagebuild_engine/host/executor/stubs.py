"""What an executor must put into a tree for the time of a step, and takes out again without a trace.

Mount points need something to be mounted on, and what was made for that is gone afterwards as BuildKit has it
(executor/stubs.go, recursive): of every name on the way to a mount that was missing before the step, what is an empty
directory or an empty file after it is taken away, whoever made it. The directories `proc`, `dev` and `sys` that a
runtime makes for its own mounts stay: they are in the layers of every other builder.

A chroot needs files in the places themselves. Whatever was there before
is moved out of the tree and back by renaming, so that it is the very same file afterwards; where the tree is a mount
of its own (an overlay) it is copied instead, with all its metadata. Directories get their times back unless the step
itself changed what is in them.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ..rootfs import Kind, TooManyLinks, Tree, entry_at
from ..rootfs.node import copy_bytes, make_node, set_metadata
from ..rootfs.tree import remove_at


@dataclass(slots=True)
class _Times:
    """A directory's times before us, and its mtime when we were done."""

    before: tuple[int, int]
    mtime_then: int = 0


@dataclass(slots=True)
class Stubs:
    """Use as a context manager around the step; nothing may run in the tree any more when it is left."""

    tree: Tree
    _made: list[tuple[bytes, bool]] = field(default_factory=list)
    """Path and whether it is a directory, in the order made."""
    _missing: list[bytes] = field(default_factory=list)
    """Names on the way to mounts that were not there, in the order in which they go."""
    _aside: dict[bytes, bytes] = field(default_factory=dict)
    """Where it lay, and its name on the shelf."""
    _times: dict[bytes, _Times] = field(default_factory=dict)
    _shelf: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def mount_point(self, path: bytes, *, directory: bool) -> bytes | None:
        """Makes sure that something can be mounted there; returns the place as a path without links.

        None if what is there is of the wrong kind: a directory in the place of a file, or the other way round. What was
        made stays, unless `note_missing` has noted it.
        """
        try:
            place = self.tree.resolve(path)
            if stat.S_ISDIR(self.tree.lstat(place).st_mode) != directory:
                return None
        except FileNotFoundError:
            self._make(place, b"" if not directory else None, stays=True)
        except (NotADirectoryError, TooManyLinks):
            return None
        return place

    def note_missing(self, path: bytes) -> None:
        """For each mount, before anything is made: what is missing on the way to it shall be missing afterwards."""
        try:
            place = self.tree.resolve(path)
        except (NotADirectoryError, TooManyLinks):
            return
        while place and not self.tree.lexists(place):
            self._missing.append(place)
            place = place.rpartition(b"/")[0]

    def put(self, path: bytes, content: bytes, mode: int = 0o644) -> None:
        """A file in the place of whatever is there (a link is not followed), unless that is a directory."""
        try:
            place = self._place(path)
            if stat.S_ISDIR(self.tree.lstat(place).st_mode):
                return
            self._move_aside(place)
        except FileNotFoundError:
            pass
        except (NotADirectoryError, TooManyLinks):
            return
        self._make(place, content, mode)

    def put_device(self, path: bytes, major: int, minor: int) -> bool:
        """A character device, unless something is there already. False if we may not make or use one."""
        try:
            place = self._place(path)
            if self.tree.lexists(place):
                return True
            self._directories(place.rpartition(b"/")[0])
        except (NotADirectoryError, TooManyLinks):
            return False
        with self.tree.at(place) as (directory, name):
            try:
                os.mknod(name, stat.S_IFCHR | 0o666, os.makedev(major, minor), dir_fd=directory)
            except PermissionError:
                return False
            try:
                os.chmod(name, 0o666, dir_fd=directory)  # noqa: S103 (as devices are)
                os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=directory))
            except OSError:  # the file system is mounted nodev, or a user namespace may not use it
                os.unlink(name, dir_fd=directory)
                return False
        self._made.append((place, False))
        return True

    def ready(self) -> None:
        """All is in place: from now on a directory's changes are the step's."""
        for path, times in self._times.items():
            times.mtime_then = self.tree.lstat(path or b"/").st_mtime_ns

    def restore(self) -> None:
        self._note_around_missing()
        now = {}
        for path in self._times:
            with suppress(OSError):
                now[path] = self.tree.lstat(path or b"/")
        for path, is_directory in reversed(self._made):
            with suppress(OSError):
                if not self._is_where_it_was(path):
                    continue
                with self.tree.at(path) as (directory, name):
                    if is_directory:
                        os.rmdir(name, dir_fd=directory)  # stays if the step put something in it
                    else:
                        remove_at(directory, name)
        for path in self._missing:
            with suppress(OSError):
                self._remove_if_empty(path)
        for path, kept in self._aside.items():
            self._put_back(path, kept)
        for path, times in self._times.items():
            if path not in now:
                continue
            found = now[path]
            unchanged = found.st_mtime_ns == times.mtime_then
            stamps = times.before if unchanged else (found.st_atime_ns, found.st_mtime_ns)
            with suppress(OSError), self.tree.at(path or b"/") as (directory, name):
                os.utime(name, ns=stamps, dir_fd=directory, follow_symlinks=False)
        if self._shelf is not None:
            self._shelf.rmdir()
        self._made.clear()
        self._missing.clear()
        self._aside.clear()
        self._times.clear()
        self._shelf = None

    def _note_around_missing(self) -> None:
        """What is taken away changes the time of the directory around it, which may be one that the step made."""
        for path in self._missing:
            around = path.rpartition(b"/")[0]
            if around not in self._times:
                self._note(around)
                if around in self._times:
                    self._times[around].mtime_then = self._times[around].before[1]

    def _remove_if_empty(self, path: bytes) -> None:
        if not self._is_where_it_was(path):
            return
        with self.tree.at(path) as (directory, name):
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                os.rmdir(name, dir_fd=directory)  # refused unless it is empty
            elif found.st_size == 0:
                os.unlink(name, dir_fd=directory)

    def _is_where_it_was(self, path: bytes) -> bool:
        """Not behind a link that the step made of one of its directories."""
        try:
            return self.tree.resolve(path, follow=False) == path
        except OSError:
            return False

    def _put_back(self, path: bytes, kept: bytes) -> None:
        """Unless the step took away the directory that it lay in."""
        with self._shelves() as shelf:
            if self._is_where_it_was(path):
                with suppress(FileNotFoundError, NotADirectoryError), self.tree.at(path) as (directory, name):
                    with suppress(FileNotFoundError):
                        remove_at(directory, name)
                    self._move((shelf, kept), (directory, name))
                    return
            os.unlink(kept, dir_fd=shelf)

    # --- making ------------------------------------------------------------------------------------------------

    def _place(self, path: bytes) -> bytes:
        """Links on the way are followed, a link in the place itself is not."""
        return self.tree.resolve(path, follow=False)

    def _note(self, directory: bytes) -> None:
        """Remember a directory's times before it is touched."""
        if directory not in self._times:
            with suppress(FileNotFoundError, NotADirectoryError):
                found = self.tree.lstat(directory or b"/")
                self._times[directory] = _Times((found.st_atime_ns, found.st_mtime_ns))

    def _directories(self, path: bytes, *, stays: bool = False) -> None:
        parts = path.split(b"/") if path else []
        for count in range(1, len(parts) + 1):
            part = b"/".join(parts[:count])
            if not self.tree.lexists(part):
                self._make(part, None, stays=stays)
        self._note(path)

    def _make(self, place: bytes, content: bytes | None, mode: int = 0o644, *, stays: bool = False) -> None:
        """A file with that content, or (None) a directory; with the directories above it."""
        self._directories(place.rpartition(b"/")[0], stays=stays)
        with self.tree.at(place) as (directory, name):
            if content is None:
                os.mkdir(name, 0o755, dir_fd=directory)
                os.chmod(name, 0o755, dir_fd=directory)  # noqa: S103 (as a runtime makes them)
            else:
                fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
                try:
                    os.write(fd, content)
                    os.fchmod(fd, mode)
                finally:
                    os.close(fd)
        if not stays:
            self._made.append((place, content is None))

    def _move_aside(self, place: bytes) -> None:
        self._note(place.rpartition(b"/")[0])
        kept = b"%d" % len(self._aside)
        with self._shelves() as shelf, self.tree.at(place) as (directory, name):
            self._move((directory, name), (shelf, kept))
        self._aside[place] = kept

    @contextmanager
    def _shelves(self) -> Iterator[int]:
        if self._shelf is None:  # beside the tree: the same file system, so that a rename does
            self._shelf = Path(tempfile.mkdtemp(prefix=".aside-", dir=self.tree.root.parent))
        fd = os.open(self._shelf, os.O_PATH | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def _move(self, source: tuple[int, bytes], target: tuple[int, bytes]) -> None:
        try:
            os.rename(source[1], target[1], src_dir_fd=source[0], dst_dir_fd=target[0])
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        entry = entry_at(source[0], source[1], b"")
        match entry.kind:
            case Kind.FILE:
                copy_bytes(source, target)
            case Kind.SYMLINK:
                os.symlink(entry.linkname, target[1], dir_fd=target[0])
            case _:
                make_node(self.tree, entry, target[0], target[1])
        set_metadata(self.tree, entry, target[0], target[1])
        os.unlink(source[1], dir_fd=source[0])
