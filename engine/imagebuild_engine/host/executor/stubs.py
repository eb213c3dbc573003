"""What an executor must put into a tree for the time of a step, and takes out again without a trace.

Mount points need something to be mounted on; a chroot needs files in the places themselves. Whatever was there before
is moved out of the tree and back by renaming, so that it is the very same file afterwards. Directories get their times
back unless the step itself changed what is in them.
"""

import os
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from ..rootfs import Tree
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
    _aside: dict[bytes, str] = field(default_factory=dict)
    _times: dict[bytes, _Times] = field(default_factory=dict)
    _shelf: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def mount_point(self, path: bytes, *, directory: bool) -> bytes:
        """Makes sure that something can be mounted there; returns the place as a path without links."""
        place = self.tree.resolve(path)
        if not self.tree.lexists(place):
            self._make(place, b"" if not directory else None)
        return place

    def put(self, path: bytes, content: bytes, mode: int = 0o644) -> None:
        """A file in the place of whatever is there (a link is not followed)."""
        place = self._place(path)
        self._move_aside(place)
        self._make(place, content, mode)

    def put_device(self, path: bytes, major: int, minor: int) -> bool:
        """A character device, unless something is there already. False if we may not make or use one."""
        place = self._place(path)
        if self.tree.lexists(place):
            return True
        self._directories(place.rpartition(b"/")[0])
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
        now = {}
        for path in self._times:
            with suppress(OSError):
                now[path] = self.tree.lstat(path or b"/")
        for path, is_directory in reversed(self._made):
            with suppress(OSError), self.tree.at(path) as (directory, name):
                if is_directory:
                    os.rmdir(name, dir_fd=directory)  # stays if the step put something in it
                else:
                    remove_at(directory, name)
        for path, kept in self._aside.items():
            with self.tree.at(path) as (directory, name):
                with suppress(FileNotFoundError):
                    remove_at(directory, name)
                os.rename(kept, name, dst_dir_fd=directory)
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
        self._aside.clear()
        self._times.clear()
        self._shelf = None

    # --- making ------------------------------------------------------------------------------------------------

    def _place(self, path: bytes) -> bytes:
        """Links on the way are followed, a link in the place itself is not."""
        return self.tree.resolve(path, follow=False)

    def _note(self, directory: bytes) -> None:
        """Remember a directory's times before it is touched."""
        if directory not in self._times:
            with suppress(FileNotFoundError):
                found = self.tree.lstat(directory or b"/")
                self._times[directory] = _Times((found.st_atime_ns, found.st_mtime_ns))

    def _directories(self, path: bytes) -> None:
        parts = path.split(b"/") if path else []
        for count in range(1, len(parts) + 1):
            part = b"/".join(parts[:count])
            if not self.tree.lexists(part):
                self._make(part, None)
        self._note(path)

    def _make(self, place: bytes, content: bytes | None, mode: int = 0o644) -> None:
        """A file with that content, or (None) a directory; with the directories above it."""
        self._directories(place.rpartition(b"/")[0])
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
        self._made.append((place, content is None))

    def _move_aside(self, place: bytes) -> None:
        if not self.tree.lexists(place):
            return
        self._note(place.rpartition(b"/")[0])
        if self._shelf is None:  # beside the tree: the same file system, so that a rename does
            self._shelf = Path(tempfile.mkdtemp(prefix=".aside-", dir=self.tree.root.parent))
        kept = str(self._shelf / str(len(self._aside)))
        with self.tree.at(place) as (directory, name):
            os.rename(name, kept, src_dir_fd=directory)
        self._aside[place] = kept
