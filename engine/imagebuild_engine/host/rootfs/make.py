"""WORKDIR's directory and a heredoc's file (BuildKit's mkdir and mkfile actions)."""

import os
import stat

from .copy import CopyConflict, make_room, set_times
from .owner import Owner
from .tree import Tree, clean

_ROOT = Owner(0, 0)


def make_directory(
    tree: Tree,
    path: bytes | str,
    *,
    mode: int = 0o755,
    make_parents: bool = True,
    owner: Owner | None = None,
    mtime_ns: int | None = None,
) -> None:
    """A directory. Existing ones stay as they are; all that are made get the mode, owner and time.

    Raises CopyConflict if something else is in the way, FileNotFoundError if a parent is missing and not to be made.
    """
    wanted = clean(path)
    if not make_parents and not tree.exists(wanted.rpartition(b"/")[0]):
        raise FileNotFoundError(2, "no such directory", os.fsdecode(wanted.rpartition(b"/")[0]))
    try:
        made = tree.make_directories(wanted, mode & 0o777, owner or _ROOT)
    except NotADirectoryError as error:
        raise CopyConflict(clean(os.fsencode(error.filename or path)), source_is_directory=True) from error
    if mtime_ns is not None:
        set_times(tree, list(made), mtime_ns)


def make_file(
    tree: Tree,
    path: bytes | str,
    data: bytes,
    *,
    mode: int = 0o644,
    owner: Owner | None = None,
    mtime_ns: int | None = None,
) -> None:
    """A file with that content, in the place of what is there. Its directory must exist. A link is followed.

    Raises CopyConflict if it is a directory, FileNotFoundError without the file's directory.
    """
    place = tree.resolve(path)
    with tree.at(place) as (directory, name):
        if name == b".":
            raise CopyConflict(place, source_is_directory=False)
        make_room(directory, name, place)
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=directory), "wb") as file:
            file.write(data)
        tree.set_owner_and_mode(directory, name, stat.S_IFREG | mode & 0o777, owner or _ROOT)
        if mtime_ns is not None:
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=directory, follow_symlinks=False)
