"""Opening a path as if the root were `/`: the one place where names from strangers meet the kernel.

Two ways with one meaning. openat2(RESOLVE_IN_ROOT) lets the kernel clamp `..` and absolute links at the root. Where it
is missing or forbidden (old kernels, seccomp profiles that answer EPERM or ENOSYS), a walk opens one component after
the other with O_PATH|O_NOFOLLOW and reads links itself. The walk never opens "..": it goes back to the names it has
passed, each opened without following links, so a directory that is swapped for a link in between ends in an error and
not outside.
"""

import errno
import os
import stat
from collections import deque

from .syscalls import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2

MAX_LINKS = 255
"""As BuildKit's content hashing; the kernel itself stops at 40."""
_PATH_MAX = 4096
_WALK_INSTEAD = {errno.ENOSYS, errno.EPERM, errno.E2BIG, errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP}


class PathEscapes(OSError):
    """A path is not one inside a tree: it has a null byte."""


class TooManyLinks(OSError):
    """Symbolic links lead to each other, or one behind another for too long."""

    def __init__(self, path: bytes) -> None:
        super().__init__(errno.ELOOP, "too many symbolic links", os.fsdecode(path))


class Walk:
    """Resolution by components. After `to()`, `names` are the components of the directory that holds the last name."""

    def __init__(self, root: int) -> None:
        self._root = root

    def lead(self, path: bytes, *, follow: bool) -> list[bytes]:
        """Where the path leads, as components without links. Behind a missing one the rest is taken by the letter."""
        lost: list[bytes] = []
        directory, names, name = self.to(path, follow=follow, lost=lost)
        os.close(directory)
        for part in lost if name == b"." else [name]:
            names = names[:-1] if part == b".." else [*names, part]
        return names

    def to(self, path: bytes, *, follow: bool, lost: list[bytes] | None = None) -> tuple[int, list[bytes], bytes]:
        """Descriptor of the directory (the caller closes it), its components, and the last name (b"." for the root).

        The last name need not exist; all before it must be directories, or links to directories. With `lost`, a
        missing one ends the walk: it and what comes after it are put there, and the name is b".".
        """
        pending = deque(_components(path))
        names: list[bytes] = []
        links = 0
        directory = os.dup(self._root)
        try:
            while pending:
                name = pending.popleft()
                if name == b"..":
                    if names:
                        names.pop()
                    directory = self._replace(directory, self._open_real(names))
                    continue
                target = _link_target(name, directory) if pending or follow else None
                if target is not None:
                    links += 1
                    if links > MAX_LINKS:
                        raise TooManyLinks(path)
                    pending.extendleft(reversed(_components(target)))
                    if target.startswith(b"/"):
                        names = []
                        directory = self._replace(directory, os.dup(self._root))
                    continue
                if not pending:
                    return directory, names, name
                try:
                    directory = self._replace(directory, _open_component(name, directory))
                except FileNotFoundError:
                    if lost is None:
                        raise
                    lost.extend((name, *pending))
                    return directory, names, b"."
                names.append(name)
            if names:  # the path ended in ".." or in a link to such a path
                last = names.pop()
                return self._replace(directory, self._open_real(names)), names, last
            return directory, [], b"."
        except BaseException:
            os.close(directory)
            raise

    @staticmethod
    def _replace(old: int, new: int) -> int:
        os.close(old)
        return new

    def _open_real(self, names: list[bytes]) -> int:
        directory = os.dup(self._root)
        for name in names:
            try:
                following = _open_component(name, directory)
            finally:
                os.close(directory)
            directory = following
        return directory


def open_in_root(root: int, path: bytes, flags: int, mode: int = 0, *, follow: bool = True) -> int:
    """A descriptor of the path below the root. `follow` is about the last component only."""
    if b"\0" in path:
        raise PathEscapes(errno.EINVAL, "a path must not contain a null byte", os.fsdecode(path))
    if not follow:
        flags |= os.O_NOFOLLOW
    if len(path) < _PATH_MAX:
        for _ in range(16):  # EAGAIN: something was renamed while the kernel looked at ".."
            try:
                return openat2(root, path.lstrip(b"/") or b".", flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
            except OSError as error:
                if error.errno in _WALK_INSTEAD:
                    break
                if error.errno != errno.EAGAIN:
                    raise
    return open_by_walking(root, path, flags, mode, follow=follow)


def open_by_walking(root: int, path: bytes, flags: int, mode: int = 0, *, follow: bool = True) -> int:
    """The same without openat2."""
    directory, _, name = Walk(root).to(path, follow=follow)
    try:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)
    finally:
        os.close(directory)


def _components(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name not in {b"", b"."}]


def _open_component(name: bytes, directory: int) -> int:
    return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)


def _link_target(name: bytes, directory: int) -> bytes | None:
    try:
        if not stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return None
        return os.readlink(name, dir_fd=directory)
    except FileNotFoundError:
        return None  # the caller's open says so where it matters
