"""COPY and WORKDIR on trees, by the rules of BuildKit's file op.

A source is followed if its last component is a link; links below it are copied as links. The contents of a directory
go into the destination, anything else goes to the destination, or into it if it is (or is called, by a slash at its
end) a directory. Directories merge, and one that existed before keeps its metadata only if it is the destination
itself. A file never replaces a directory nor a directory a file. Sockets are left out.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from .entry import TYPE_BITS, Entry, Kind
from .owner import Owner, Ownership
from .scan import HIDDEN_XATTRS, entry_at, open_directory
from .tree import Tree, clean, fd_path

_SMALL = 1 << 16


class CopyError(Exception):
    """A copy that the Dockerfile asks for and that cannot be."""


class CopySourceMissing(CopyError):
    def __init__(self, path: bytes) -> None:
        super().__init__(f'"/{os.fsdecode(path)}": not found')
        self.path = path


class CopyConflict(CopyError):
    """A directory stands where a file should go, or the other way round."""

    def __init__(self, path: bytes, *, source_is_directory: bool) -> None:
        name = os.fsdecode(path)
        super().__init__(
            f"/{name} is there already and is not a directory"
            if source_is_directory
            else f"cannot replace the directory /{name} with a file"
        )
        self.path = path
        self.source_is_directory = source_is_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOptions:
    owner: Owner | None = None
    """Of all that is copied; None keeps the source's. Directories made on the way are root's then."""
    mode: int | None = None
    """Of files and directories that are copied; None keeps the source's."""
    follow_symlink: bool = True
    directory_contents: bool = True
    """Copy what is in a source directory, rather than the directory itself."""
    create_destination: bool = True
    mtime_ns: int | None = None
    select: Callable[[bytes, bool], bool] | None = None
    """Given a path in the source tree and whether it is a directory: shall it be copied? For .dockerignore."""


@dataclass(slots=True)
class _Job:
    source: Tree
    target: Tree
    options: CopyOptions
    links: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """Where the first name of a hard-linked file was copied to."""
    copied: int = 0


def copy(source: Tree, path: bytes | str, target: Tree, destination: bytes | str, options: CopyOptions) -> int:
    """Copies one source (wildcards are the caller's business); returns how many files and directories were copied.

    Raises CopySourceMissing, CopyConflict, and OSError for what the file system says (a full disk).
    """
    job = _Job(source, target, options)
    asked = clean(path)
    try:
        place = source.resolve(asked, follow=options.follow_symlink)
        with source.at(place) as (directory, name):
            top = entry_at(directory, name, place)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CopySourceMissing(asked) from error
    try:
        where = _prepare_destination(job, top, asked, os.fsencode(destination))
        if top.kind is Kind.DIRECTORY:
            _copy_directory(job, top, where)
        else:
            with source.at(place) as (from_fd, from_name), target.at(where) as (to_fd, to_name):
                _copy_leaf(job, top, (from_fd, from_name), (to_fd, to_name), where)
    except NotADirectoryError as error:
        raise CopyConflict(clean(os.fsencode(error.filename or destination)), source_is_directory=True) from error
    return job.copied


def make_directory(
    tree: Tree,
    path: bytes | str,
    *,
    mode: int = 0o755,
    make_parents: bool = True,
    owner: Owner | None = None,
    mtime_ns: int | None = None,
) -> None:
    """WORKDIR's directory. Existing directories stay as they are; all made ones get the mode, owner and time.

    Raises CopyConflict if something else is in the way, FileNotFoundError if a parent is missing and not to be made.
    """
    wanted = clean(path)
    if not make_parents and not tree.exists(wanted.rpartition(b"/")[0]):
        raise FileNotFoundError(2, "no such directory", os.fsdecode(wanted.rpartition(b"/")[0]))
    try:
        made = tree.make_directories(wanted, mode, owner or Owner(0, 0))
    except NotADirectoryError as error:
        raise CopyConflict(clean(os.fsencode(error.filename or path)), source_is_directory=True) from error
    _set_times(tree, made, mtime_ns)


def _prepare_destination(job: _Job, top: Entry, asked: bytes, destination: bytes) -> bytes:
    """Where the top goes, as a path without links; its parents exist then."""
    options, tree = job.options, job.target
    owner = options.owner or Owner(0, 0)
    is_directory = destination.endswith((b"/", b"/.")) or not clean(destination)
    wanted = clean(destination)
    parent = wanted if is_directory else wanted.rpartition(b"/")[0]
    if options.create_destination:
        _set_times(tree, tree.make_directories(parent, 0o755, owner), options.mtime_ns)
    elif not tree.exists(wanted.rpartition(b"/")[0]):
        raise CopyError(f"/{os.fsdecode(wanted.rpartition(b'/')[0])}: no such directory in the destination")
    where = tree.resolve(wanted)
    found = _kind_at(tree, where)
    into = (
        found is not None and not options.directory_contents if top.kind is Kind.DIRECTORY else found is Kind.DIRECTORY
    )
    if into:
        where = clean(where + b"/" + (asked.rpartition(b"/")[2] or b"."))
    # The destination's parent can still be missing: behind a link that leads to nowhere yet.
    _set_times(tree, tree.make_directories(where.rpartition(b"/")[0], 0o755, owner), options.mtime_ns)
    return where


def _kind_at(tree: Tree, path: bytes) -> Kind | None:
    try:
        with tree.at(path) as (directory, name):
            return entry_at(directory, name, path, xattrs=False).kind
    except FileNotFoundError:
        return None


def _copy_directory(job: _Job, top: Entry, where: bytes) -> None:
    """Depth first with a stack of our own: a context may be nested deeper than Python's stack."""
    root = job.source.open(top.path, os.O_PATH | os.O_DIRECTORY, follow=False)
    try:
        finished: list[tuple[Entry, bytes]] = []
        pending: list[tuple[bytes, Entry, bytes]] = [(b"", top, where)]
        while pending:
            below, entry, to = pending.pop()
            if _make_copied_directory(job, to) or below:
                finished.append((entry, to))
            pending.extend(_copy_children(job, root, below, top.path, to))
        for entry, to in reversed(finished):  # times last: filling a directory changes its own
            with job.target.at(to) as (directory, name):
                _set_metadata(job, entry, directory, name)
            job.copied += 1
    finally:
        os.close(root)


def _copy_children(job: _Job, root: int, below: bytes, top: bytes, to: bytes) -> list[tuple[bytes, Entry, bytes]]:
    """Copies what is not a directory; returns the directories, last first."""
    directories: list[tuple[bytes, Entry, bytes]] = []
    from_fd = open_directory(root, below)
    try:
        names = sorted(os.fsencode(name) for name in os.listdir(from_fd))
        to_fd = job.target.open(to, os.O_PATH | os.O_DIRECTORY, follow=False)
        try:
            for name in names:
                path = b"/".join(part for part in (top, below, name) if part)
                entry = entry_at(from_fd, name, path)
                if job.options.select and not job.options.select(path, entry.kind is Kind.DIRECTORY):
                    continue
                if entry.kind is Kind.DIRECTORY:
                    directories.append((below + b"/" + name if below else name, entry, to + b"/" + name))
                else:
                    _copy_leaf(job, entry, (from_fd, name), (to_fd, name), to + b"/" + name)
        finally:
            os.close(to_fd)
    finally:
        os.close(from_fd)
    return directories[::-1]


def _make_copied_directory(job: _Job, path: bytes) -> bool:
    """True if it was not there."""
    with job.target.at(path) as (directory, name):
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise CopyConflict(clean(path), source_is_directory=True) from None
            return False
    return True


def _copy_leaf(job: _Job, entry: Entry, source: tuple[int, bytes], target: tuple[int, bytes], path: bytes) -> None:
    if entry.kind is Kind.SOCKET:
        return
    directory, name = target
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=directory)
        except (IsADirectoryError, PermissionError):
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise CopyConflict(clean(path), source_is_directory=False) from None
            raise
    job.copied += 1
    if entry.nlink > 1 and entry.kind is Kind.FILE:
        first = job.links.setdefault(entry.inode, path)
        if first != path:
            with job.target.at(first) as (first_fd, first_name):
                os.link(first_name, name, src_dir_fd=first_fd, dst_dir_fd=directory, follow_symlinks=False)
            return
    match entry.kind:
        case Kind.FILE:
            copy_bytes(source, target)
        case Kind.SYMLINK:
            os.symlink(entry.linkname, name, dir_fd=directory)
        case _:
            make_node(job.target, entry, directory, name)
    _set_metadata(job, entry, directory, name)


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


def _set_metadata(job: _Job, entry: Entry, directory: int, name: bytes) -> None:
    options = job.options
    if options.owner is not None:
        entry = entry._replace(uid=options.owner.uid, gid=options.owner.gid)
    if options.mode is not None and entry.kind is not Kind.SYMLINK:
        entry = entry._replace(mode=options.mode)
    if options.mtime_ns is not None:
        entry = entry._replace(mtime_ns=options.mtime_ns)
    set_metadata(job.target, entry, directory, name)


def _set_times(tree: Tree, made: tuple[bytes, ...], mtime_ns: int | None) -> None:
    if mtime_ns is None:
        return
    for path in reversed(made):
        with tree.at(path) as (directory, name):
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=directory, follow_symlinks=False)
