"""COPY on trees, by the rules of BuildKit's file op (solver/llbsolver/file, tonistiigi/fsutil/copy).

A source is followed if its last component is a link; links below it are copied as links. The contents of a directory
go into the destination, anything else goes to the destination, or into it if it is (or is called, by a slash at its
end) a directory. A file never replaces a directory nor a directory a file. Hard links within one source stay such; of a
socket an empty file is left.

Directories merge. What a directory looks like afterwards:

    made on the way to the destination      0755, or --chmod's number; --chown's owner or root
    the destination, a directory's contents as it was, or as if made on the way; the source's time
    below it, copied                        as the source, whether it was there or not
    below it, only leading to what is       as the source if it was not there; else it takes the source's mode
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from .entry import Entry, Kind
from .node import copy_bytes, make_node, set_metadata
from .owner import Owner
from .scan import entry_at, open_directory
from .selection import EVERYTHING, Matched, Selection
from .tree import Tree, clean

_ROOT = Owner(0, 0)


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
    """Of files and directories that are copied, and of directories made on the way; None keeps the source's."""
    change_mode: Callable[[int, bool], int] | None = None
    """In the place of `mode`: what a mode becomes, of a directory or not."""
    follow_symlink: bool = True
    directory_contents: bool = True
    """Copy what is in a source directory, rather than the directory itself."""
    create_destination: bool = True
    mtime_ns: int | None = None
    selection: Selection = EVERYTHING


class _Look(Enum):
    """How much of the source's metadata a directory of the target takes."""

    ALL = "all"
    MODE = "mode"
    TIME = "time"


@dataclass(slots=True)
class _Folder:
    """A directory on the way through the source. `below` is its path under the top, `to` the path in the target."""

    below: bytes
    entry: Entry
    to: bytes
    parent: "_Folder | None"
    matched: Matched
    made: bool = False
    """Is it in the target? One that is not included waits until something in it is."""


@dataclass(slots=True)
class _Job:
    source: Tree
    target: Tree
    options: CopyOptions
    links: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """Where the first name of a hard-linked file was copied to."""
    dressed: list[tuple[_Look, Entry, bytes]] = field(default_factory=list)
    """Directories that get their metadata when all is in them: filling one changes its time."""
    on_the_way: list[bytes] = field(default_factory=list)
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
        _dress(job)
    except NotADirectoryError as error:
        raise CopyConflict(clean(os.fsencode(error.filename or destination)), source_is_directory=True) from error
    return job.copied


def _prepare_destination(job: _Job, top: Entry, asked: bytes, destination: bytes) -> bytes:
    """Where the top goes, as a path without links; its parents exist then, and itself if contents go into it."""
    options, tree = job.options, job.target
    is_directory = destination.endswith((b"/", b"/.")) or not clean(destination)
    wanted = clean(destination)
    parent = wanted if is_directory else wanted.rpartition(b"/")[0]
    if options.create_destination:
        _make_on_the_way(job, parent)
    elif not tree.exists(wanted.rpartition(b"/")[0]):
        raise CopyError(f"/{os.fsdecode(wanted.rpartition(b'/')[0])}: no such directory in the destination")
    where = tree.resolve(wanted)
    found = _kind_at(tree, where)
    contents = top.kind is Kind.DIRECTORY and options.directory_contents
    into = found is not None and not contents if top.kind is Kind.DIRECTORY else found is Kind.DIRECTORY
    if into:
        where = clean(where + b"/" + (asked.rpartition(b"/")[2] or b"."))
    # The destination's parent can still be missing: behind a link that leads to nowhere yet.
    _make_on_the_way(job, where if contents and found is None else where.rpartition(b"/")[0])
    return where


def _make_on_the_way(job: _Job, path: bytes) -> None:
    mode = 0o755 if job.options.mode is None else job.options.mode & 0o777
    job.on_the_way += job.target.make_directories(path, mode, job.options.owner or _ROOT)


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
        first = _Folder(b"", top, where, None, Matched(), made=True)
        new = _make_directory(job, where)
        job.dressed.append((_Look.ALL if new else _Look.TIME, top, where))
        pending = [first]
        while pending:
            pending.extend(_copy_children(job, root, top.path, pending.pop()))
    finally:
        os.close(root)


def _copy_children(job: _Job, root: int, top: bytes, folder: _Folder) -> list[_Folder]:
    """Copies what is not a directory; returns the directories to go into, last first."""
    selection = job.options.selection
    folders: list[_Folder] = []
    from_fd = open_directory(root, folder.below)
    to_fd = -1
    try:
        for name in sorted(os.fsencode(name) for name in os.listdir(from_fd)):
            below = folder.below + b"/" + name if folder.below else name
            path = top + b"/" + below if top else below
            verdict = selection.of(below, path, folder.matched)
            if not (verdict.included or verdict.descend):
                continue
            entry = entry_at(from_fd, name, path)
            if entry.kind is Kind.DIRECTORY:
                child = _Folder(below, entry, folder.to + b"/" + name, folder, verdict.matched)
                if verdict.included:
                    _make_folder(job, child, included=True)
                if verdict.descend:
                    folders.append(child)
            elif verdict.included:
                if to_fd < 0:
                    _make_folder(job, folder, included=False)
                    to_fd = job.target.open(folder.to, os.O_PATH | os.O_DIRECTORY, follow=False)
                _copy_leaf(job, entry, (from_fd, name), (to_fd, name), folder.to + b"/" + name)
    finally:
        os.close(from_fd)
        if to_fd >= 0:
            os.close(to_fd)
    return folders[::-1]


def _make_folder(job: _Job, folder: _Folder, *, included: bool) -> None:
    """The folder, which is included or has something in it that is, and those above it that wait for it."""
    missing: list[_Folder] = []
    here: _Folder | None = folder
    while here is not None and not here.made:
        missing.append(here)
        here = here.parent
    for waiting in reversed(missing):
        new = _make_directory(job, waiting.to)
        waiting.made = True
        all_of_it = new or (included and waiting is folder)
        job.dressed.append((_Look.ALL if all_of_it else _Look.MODE, waiting.entry, waiting.to))
        job.copied += all_of_it


def _make_directory(job: _Job, path: bytes) -> bool:
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
    directory, name = target
    make_room(directory, name, path)
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
        case Kind.SOCKET:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=directory))
            entry = entry._replace(kind=Kind.FILE)
        case _:
            make_node(job.target, entry, directory, name)
    set_metadata(job.target, _changed(entry, job.options), directory, name)


def make_room(directory: int, name: bytes, path: bytes) -> None:
    """Takes away what stands where a file shall be. Raises CopyConflict if that is a directory."""
    with suppress(FileNotFoundError):
        try:
            os.unlink(name, dir_fd=directory)
        except (IsADirectoryError, PermissionError):
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise CopyConflict(clean(path), source_is_directory=False) from None
            raise


def _changed(entry: Entry, options: CopyOptions) -> Entry:
    """The source's metadata as they shall be in the target."""
    if options.owner is not None:
        entry = entry._replace(uid=options.owner.uid, gid=options.owner.gid)
    if entry.kind is not Kind.SYMLINK:
        if options.change_mode is not None:
            entry = entry._replace(mode=options.change_mode(entry.mode, entry.kind is Kind.DIRECTORY))
        elif options.mode is not None:
            entry = entry._replace(mode=options.mode)
    return _timed(entry, options)


def _timed(entry: Entry, options: CopyOptions) -> Entry:
    return entry if options.mtime_ns is None else entry._replace(mtime_ns=options.mtime_ns)


def _dress(job: _Job) -> None:
    """Metadata of directories, the deepest first."""
    for look, entry, path in reversed(job.dressed):
        with job.target.at(path) as (directory, name):
            match look:
                case _Look.ALL:
                    set_metadata(job.target, _changed(entry, job.options), directory, name)
                case _Look.MODE:
                    job.target.set_owner_and_mode(directory, name, stat.S_IFDIR | entry.mode, None)
                case _Look.TIME:
                    time = _timed(entry, job.options).mtime_ns
                    os.utime(name, ns=(time, time), dir_fd=directory, follow_symlinks=False)
    if job.options.mtime_ns is not None:
        set_times(job.target, job.on_the_way, job.options.mtime_ns)


def set_times(tree: Tree, made: list[bytes], mtime_ns: int) -> None:
    """Of directories that were made, topmost first."""
    for path in reversed(made):
        with tree.at(path) as (directory, name):
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=directory, follow_symlinks=False)
