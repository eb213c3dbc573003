"""A directory as a root file system: every operation is confined to it and takes paths as the tree itself sees them."""

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from .owner import RECORD_XATTR, Owner, Ownership, Record
from .resolve import TooManyLinks, Walk, open_in_root


def clean(path: str | bytes) -> bytes:
    """The path relative to the root with `.`, `..` and double slashes taken out by the letter (Go's path.Clean).

    >>> clean("/a/./b/../../../c/")
    b'c'
    """
    names: list[bytes] = []
    for name in os.fsencode(path).split(b"/"):
        if name == b"..":
            names = names[:-1]
        elif name not in {b"", b"."}:
            names.append(name)
    return b"/".join(names)


class Tree:
    """Confined operations below `root`. Hold it open (`with Tree(path) as tree`) while it is used.

    Paths may be absolute or relative, both mean: from the root of the tree. Links before the last component are
    followed inside the tree. Methods raise OSError as the calls they are named after.
    """

    def __init__(self, root: Path | str, ownership: Ownership = Ownership.REAL) -> None:
        self.root = Path(root)
        self.ownership = ownership
        self.fd = os.open(self.root, os.O_PATH | os.O_DIRECTORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __repr__(self) -> str:
        return f"<Tree {self.root}>"

    # --- finding -----------------------------------------------------------------------------------------------

    def open(self, path: str | bytes, flags: int = os.O_RDONLY, mode: int = 0, *, follow: bool = True) -> int:
        """A descriptor of the file; the caller closes it."""
        return open_in_root(self.fd, os.fsencode(path), flags, mode, follow=follow)

    def resolve(self, path: str | bytes, *, follow: bool = True) -> bytes:
        """Where the path leads, as a path without links. It need not exist, not even its directory."""
        return b"/".join(Walk(self.fd).lead(os.fsencode(path), follow=follow))

    @contextmanager
    def at(self, path: str | bytes) -> Iterator[tuple[int, bytes]]:
        """The directory that holds the last name, and that name, for calls with `dir_fd`. The root is (root, ".")."""
        parent, _, name = os.fsencode(path).rstrip(b"/").rpartition(b"/")
        if name in {b"", b".", b".."}:
            directory, _, name = Walk(self.fd).to(os.fsencode(path), follow=False)
        else:
            directory = self.open(parent, os.O_PATH | os.O_DIRECTORY)
        try:
            yield directory, name
        finally:
            os.close(directory)

    def lstat(self, path: str | bytes) -> os.stat_result:
        with self.at(path) as (directory, name):
            return os.stat(name, dir_fd=directory, follow_symlinks=False)

    def stat(self, path: str | bytes) -> os.stat_result:
        fd = self.open(path, os.O_PATH)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def exists(self, path: str | bytes) -> bool:
        """Does the path lead to a file?"""
        try:
            self.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def lexists(self, path: str | bytes) -> bool:
        """Is there such a name, even a link that leads nowhere?"""
        try:
            self.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def readlink(self, path: str | bytes) -> bytes:
        with self.at(path) as (directory, name):
            return os.readlink(name, dir_fd=directory)

    def list(self, path: str | bytes = b"") -> tuple[bytes, ...]:
        """Names in the directory, sorted."""
        fd = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return tuple(sorted(os.fsencode(name) for name in os.listdir(fd)))
        finally:
            os.close(fd)

    def read(self, path: str | bytes, limit: int) -> bytes:
        """At most `limit` bytes of a regular file; anything but a regular file is empty."""
        place = self.open(path, os.O_PATH)
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                return b""  # and not even opened: a device may do something when it is
            fd = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
        try:
            parts: list[bytes] = []
            while limit > 0 and (part := os.read(fd, min(limit, 1 << 20))):
                parts.append(part)
                limit -= len(part)
            return b"".join(parts)
        finally:
            os.close(fd)

    # --- changing ----------------------------------------------------------------------------------------------

    def make_directories(self, path: str | bytes, mode: int = 0o755, owner: Owner | None = None) -> tuple[bytes, ...]:
        """Makes the directory and its missing parents; returns those made, topmost first, as paths without links.

        A link that leads to a missing directory inside the tree is followed, as a shell's `mkdir -p` in a chroot
        would not: BuildKit resolves the whole path first and so makes the link's target.
        """
        made: list[bytes] = []
        here: list[bytes] = []
        pending = deque(name for name in os.fsencode(path).split(b"/") if name not in {b"", b"."})
        links = 0
        directory = os.dup(self.fd)
        try:
            while pending:
                name = pending.popleft()
                if name == b"..":
                    here = here[:-1]
                    directory = _replaced(directory, self.open(b"/".join(here), os.O_PATH | os.O_DIRECTORY))
                    continue
                try:
                    found = os.stat(name, dir_fd=directory, follow_symlinks=False)
                except FileNotFoundError:
                    os.mkdir(name, 0o700, dir_fd=directory)
                    self.set_owner_and_mode(directory, name, stat.S_IFDIR | mode, owner)
                    made.append(b"/".join([*here, name]))
                else:
                    if stat.S_ISLNK(found.st_mode):
                        links += 1
                        target = os.readlink(name, dir_fd=directory)
                        if links > 255:
                            raise TooManyLinks(os.fsencode(path))
                        pending.extendleft(part for part in target.split(b"/")[::-1] if part not in {b"", b"."})
                        if target.startswith(b"/"):
                            here = []
                            directory = _replaced(directory, os.dup(self.fd))
                        continue
                    if not stat.S_ISDIR(found.st_mode):
                        raise NotADirectoryError(20, "not a directory", os.fsdecode(b"/".join([*here, name])))
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                directory = _replaced(directory, os.open(name, flags, dir_fd=directory))
                here.append(name)
        finally:
            os.close(directory)
        return tuple(made)

    def remove(self, path: str | bytes) -> None:
        """Deletes the file or the directory with all that is in it; a missing one is no error."""
        try:
            with self.at(path) as (directory, name):
                remove_at(directory, name)
        except (FileNotFoundError, NotADirectoryError):
            return

    def set_owner_and_mode(
        self, directory: int, name: bytes, mode: int, owner: Owner | None, device: tuple[int, int] = (0, 0)
    ) -> None:
        """Sets owner (None leaves it) and mode of a file by its directory's descriptor. `mode` has its type bits."""
        link = stat.S_ISLNK(mode)
        if self.ownership is Ownership.RECORDED:
            if not link:
                self._record(directory, name, mode, owner, device)
            return
        if owner is not None:
            os.chown(name, owner.uid, owner.gid, dir_fd=directory, follow_symlinks=False)
        if not link:  # after chown, which clears set-uid and set-gid
            os.chmod(name, stat.S_IMODE(mode), dir_fd=directory)

    def _record(self, directory: int, name: bytes, mode: int, owner: Owner | None, device: tuple[int, int]) -> None:
        place = fd_path(directory, name)
        if owner is None:
            old = None
            with suppress(OSError):
                old = Record.decode(os.getxattr(place, RECORD_XATTR, follow_symlinks=False))
            owner = Owner(old.uid, old.gid) if old else Owner(0, 0)
        keep = 0o700 if stat.S_ISDIR(mode) else 0o600
        os.chmod(name, stat.S_IMODE(mode) & 0o777 | keep, dir_fd=directory)
        record = Record(mode, owner.uid, owner.gid, *device)
        os.setxattr(place, RECORD_XATTR, record.encode(), follow_symlinks=False)


def _replaced(old: int, new: int) -> int:
    os.close(old)
    return new


def fd_path(directory: int, name: bytes) -> bytes:
    """A path for calls that take no dir_fd. The link in /proc is the kernel's own and leads to the very directory."""
    return b"/proc/self/fd/%d/%s" % (directory, name)


def remove_at(directory: int, name: bytes) -> None:
    """rm -rf of one name. Directories are emptied through descriptors: links are removed, never followed.

    Not recursive in Python, and it holds two descriptors whatever the depth: directories below the first level are
    moved up beside their parent before they are emptied.
    """
    try:
        os.unlink(name, dir_fd=directory)
        return
    except IsADirectoryError:
        pass
    except PermissionError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise
    _empty(directory, name)
    os.rmdir(name, dir_fd=directory)


def _empty(directory: int, name: bytes, depth: int = 0) -> None:
    fd = _open_to_empty(directory, name)
    try:
        for child in [os.fsencode(found) for found in os.listdir(fd)]:
            try:
                os.unlink(child, dir_fd=fd)
            except (IsADirectoryError, PermissionError):
                if depth < 64:
                    _empty(fd, child, depth + 1)
                    os.rmdir(child, dir_fd=fd)
                else:
                    _remove_deep(fd, child)
    finally:
        os.close(fd)


def _remove_deep(directory: int, name: bytes) -> None:
    """Flattens as it goes: every subdirectory is first moved up into `directory`."""
    queue = [name]
    serial = 0
    while queue:
        current = queue.pop()
        fd = _open_to_empty(directory, current)
        try:
            for child in [os.fsencode(found) for found in os.listdir(fd)]:
                try:
                    os.unlink(child, dir_fd=fd)
                except (IsADirectoryError, PermissionError):
                    serial += 1
                    moved = b".imagebuild-removed-%d" % serial
                    os.rename(child, moved, src_dir_fd=fd, dst_dir_fd=directory)
                    queue.append(moved)
        finally:
            os.close(fd)
        os.rmdir(current, dir_fd=directory)


def _open_to_empty(directory: int, name: bytes) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=directory)
    except PermissionError:  # ours, but closed to us: only where we are not root
        os.chmod(name, 0o700, dir_fd=directory)
        return os.open(name, flags, dir_fd=directory)
