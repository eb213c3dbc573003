"""Entries of a stranger's tar become files below a root.

Rules that keep it safe and right:
- A name's directory is opened by the tree's confined resolver; the last component is never followed. `..` is refused,
  a leading slash means the root. Links may point anywhere: they are text until somebody resolves them, confined.
- Directories stay open in a small cache under the name they were asked by. Nothing that exists may change what such a
  name leads to except removing something, so whoever removes empties the cache.
- An entry replaces what stands in its place, unless both are directories.
- Whiteouts ("Whiteouts", "Opaque Whiteout") hide what lower layers have, never what this layer has, whatever the order
  of entries.
- A directory's time is set at the end: filling it changes it.
- Style OVERLAY sees this layer only. What depends on the layers below (a hard link to their file, a directory that has
  no entry of its own here and so must look as it does there) is reported in `Applied.depends_on_parent`; the caller
  then applies the layer to a merged tree instead.
"""

import os
import stat
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from errno import (
    EACCES,
    EEXIST,
    EINVAL,
    EISDIR,
    ELOOP,
    EMLINK,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    ENOTSUP,
    EPERM,
    ERANGE,
)

from ..rootfs import Owner, Ownership, Tree
from ..rootfs.node import replace_xattrs
from ..rootfs.owner import RECORD_XATTR
from ..rootfs.tree import fd_path, remove_at
from .errors import DeviceRefused, InvalidLayer, LayerTooLarge, OwnerRefused, UnsafeLayer
from .limits import Limits
from .styles import OPAQUE_TRUSTED, Style
from .tar_reader import Member, TarReader

_WHITEOUT, _OPAQUE, _AUFS = b".wh.", b".wh..wh..opq", b".wh..wh."
_TYPES = {b"2": stat.S_IFLNK, b"3": stat.S_IFCHR, b"4": stat.S_IFBLK, b"5": stat.S_IFDIR, b"6": stat.S_IFIFO}
_XATTR_IGNORED = {ENOTSUP, EPERM, EACCES, EINVAL, ERANGE}
_NOT_FROM_OUTSIDE = ("trusted.overlay.", "user.overlay.", RECORD_XATTR)
"""Attributes that mean something to overlayfs or to us: a layer that brings them could redirect a directory."""
_OPEN_DIRECTORIES = 32
_OF_THE_LAYER = {EEXIST, EINVAL, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY}
"""Answers of the kernel to names and links that no honest layer has."""
_IDS_OF_A_NAMESPACE = 65536


@dataclass(slots=True)
class Unpack:
    """One tar's way onto a tree: `entry` for each member, then `finish`, and `close` in any case."""

    tree: Tree
    style: Style
    limits: Limits
    opaque_xattr: str = OPAQUE_TRUSTED
    skip_devices: bool = False
    whiteouts: bool = True
    """False for an archive that is no layer: then `.wh.x` is a name like any other."""
    owner: Owner | None = None
    entries: int = 0
    root_has_entry: bool = False
    depends_on_parent: bool = False
    skipped_devices: list[bytes] = field(default_factory=list)
    dropped_xattrs: int = 0
    file_bytes: int = 0
    """Of all files, with the holes of sparse ones."""
    _here: dict[bytes, bool] = field(default_factory=dict)
    """What is of this layer (True), and the directories above it that need not be (False)."""
    _opaque: set[bytes] = field(default_factory=set)
    """Directories of a tree below which everything is of this layer already."""
    _directory_times: dict[bytes, int] = field(default_factory=dict)
    _open: "OrderedDict[bytes, int]" = field(default_factory=OrderedDict)

    def close(self) -> None:
        self._forget_directories()

    def entry(self, member: Member, reader: TarReader) -> None:
        path = self._checked(member.name)
        self.entries += 1
        self.file_bytes += member.real_size
        if self.file_bytes > self.limits.total_bytes:
            raise LayerTooLarge("bytes of files", self.limits.total_bytes)
        try:
            self._put(member, reader, path)
        except OSError as error:
            raise self._explained(error, member, path) from error

    def _put(self, member: Member, reader: TarReader, path: bytes) -> None:
        if not path:
            self._root(member)
            return
        parent, _, name = path.rpartition(b"/")
        if self.whiteouts and name.startswith(_WHITEOUT):
            self._whiteout(parent, name, path)
            return
        directory = self._directory(parent)
        if member.type == b"1":
            self._hard_link(member, directory, name, path)
        elif member.is_file:
            self._file(member, reader, directory, name, path)
        elif member.type in _TYPES:
            self._special(member, directory, name, path)
        else:
            raise InvalidLayer(f"tar entry of unknown type {member.type!r}")
        self._here[path] = True
        while parent and parent not in self._here:
            self._here[parent] = False
            parent = parent.rpartition(b"/")[0]

    def finish(self) -> None:
        """Times of directories."""
        for path, mtime_ns in self._directory_times.items():
            with suppress(FileNotFoundError, NotADirectoryError), self.tree.at(path) as (directory, name):
                if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=directory, follow_symlinks=False)

    # --- names -------------------------------------------------------------------------------------------------

    def _checked(self, name: bytes) -> bytes:
        if len(name) > self.limits.path_bytes:
            raise UnsafeLayer(name, f"a path of {len(name)} bytes")
        if name.count(b"/") > self.limits.depth:
            raise UnsafeLayer(name, f"more than {self.limits.depth} directories")
        if not (name.startswith(b"/") or b"//" in name or b"./" in name or name.endswith((b"/", b"."))):
            return name
        parts = [part for part in name.split(b"/") if part not in {b"", b"."}]
        if b".." in parts:
            raise UnsafeLayer(name, 'a ".." in the path')
        return b"/".join(parts)

    def _directory(self, path: bytes) -> int:
        """The open directory of that name; made if missing. Valid until the next call that removes something."""
        fd = self._open.get(path)
        if fd is not None:
            self._open.move_to_end(path)
            return fd
        try:
            fd = self.tree.open(path, os.O_PATH | os.O_DIRECTORY)
        except (FileNotFoundError, NotADirectoryError):
            self._make_implied(path)
            fd = self.tree.open(path, os.O_PATH | os.O_DIRECTORY)
        if len(self._open) >= _OPEN_DIRECTORIES:
            os.close(self._open.popitem(last=False)[1])
        self._open[path] = fd
        return fd

    def _make_implied(self, path: bytes) -> None:
        """A directory that an entry needs and that no entry made."""
        if self.style is Style.OVERLAY:
            self.depends_on_parent = True
            self._replace_whiteout(path)
        try:
            self.tree.make_directories(path, 0o755, self.owner or Owner(0, 0))
        except NotADirectoryError as error:
            raise UnsafeLayer(path, "not a directory, but entries lie below it") from error

    def _replace_whiteout(self, path: bytes) -> None:
        """One of this very layer on the way: the directory is new then."""
        here = os.dup(self.tree.fd)
        parts = path.split(b"/")
        try:
            for count, part in enumerate(parts, 1):
                found = os.stat(part, dir_fd=here, follow_symlinks=False)
                if _is_whiteout(found):
                    self._forget_directories()
                    os.unlink(part, dir_fd=here)
                    self._make_directory(here, part)
                    self._set_opaque(here, part)
                    return
                flags = os.O_PATH | os.O_DIRECTORY
                if stat.S_ISDIR(found.st_mode):
                    below = os.open(part, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                else:  # a link, to be followed inside the tree
                    below = self.tree.open(b"/".join(parts[:count]), flags)
                os.close(here)
                here = below
        except (FileNotFoundError, NotADirectoryError):
            return
        finally:
            os.close(here)

    def _forget_directories(self) -> None:
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def _clear_the_way(self, path: bytes) -> bool:
        """Removes what stands there. True if that was a whiteout of this layer."""
        was_whiteout = False
        parent, _, name = path.rpartition(b"/")
        directory = self._directory(parent)
        with suppress(FileNotFoundError):
            was_whiteout = _is_whiteout(os.stat(name, dir_fd=directory, follow_symlinks=False))
            remove_at(directory, name)
        self._forget_directories()
        return was_whiteout and self.style is Style.OVERLAY

    # --- kinds -------------------------------------------------------------------------------------------------

    def _file(self, member: Member, reader: TarReader, directory: int, name: bytes, path: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, 0o600, dir_fd=directory)
        except FileExistsError:
            self._clear_the_way(path)
            directory = self._directory(path.rpartition(b"/")[0])
            fd = os.open(name, flags, 0o600, dir_fd=directory)
        try:
            _write(fd, member, reader)
            self._finish_file(fd, member, directory, name)
        finally:
            os.close(fd)

    def _finish_file(self, fd: int, member: Member, directory: int, name: bytes) -> None:
        if self.tree.ownership is Ownership.REAL:
            owner = self.owner or Owner(member.uid, member.gid)
            os.fchown(fd, owner.uid, owner.gid)
            if member.xattrs:  # after chown, which drops capabilities
                self._set_xattrs(fd, member)
            os.fchmod(fd, member.mode)
        else:
            self._set_metadata(member, stat.S_IFREG, directory, name)
        os.utime(fd, ns=(member.mtime_ns, member.mtime_ns))

    def _special(self, member: Member, directory: int, name: bytes, path: bytes) -> None:
        kind = _TYPES[member.type]
        if kind == stat.S_IFCHR and member.devmajor == 0 and member.devminor == 0:
            raise UnsafeLayer(path, "a character device 0/0, which overlayfs takes for a deletion")
        if not self._make(member, kind, directory, name, path):
            self._clear_the_way_for(member, kind, path)
            directory = self._directory(path.rpartition(b"/")[0])
        elif path in self.skipped_devices:
            return
        if path not in self.skipped_devices:
            self._set_metadata(member, kind, directory, name)
        if kind == stat.S_IFDIR:
            self._directory_times[path] = member.mtime_ns
        elif path not in self.skipped_devices:
            os.utime(name, ns=(member.mtime_ns, member.mtime_ns), dir_fd=directory, follow_symlinks=False)

    def _clear_the_way_for(self, member: Member, kind: int, path: bytes) -> None:
        """Something is there already. A directory stays one; anything else is replaced."""
        parent, _, name = path.rpartition(b"/")
        directory = self._directory(parent)
        if kind == stat.S_IFDIR and stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            replace_xattrs(directory, name, member.xattrs)
            return
        was_whiteout = self._clear_the_way(path)
        directory = self._directory(parent)
        self._make(member, kind, directory, name, path)
        if kind == stat.S_IFDIR and was_whiteout:
            self._set_opaque(directory, name)

    def _make(self, member: Member, kind: int, directory: int, name: bytes, path: bytes) -> bool:
        """False if the name is taken."""
        try:
            if kind == stat.S_IFDIR:
                self._make_directory(directory, name)
            elif kind == stat.S_IFLNK:
                os.symlink(member.linkname, name, dir_fd=directory)
            elif self.tree.ownership is Ownership.RECORDED:  # see rootfs.node.make_node
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=directory))
            elif kind == stat.S_IFIFO:
                os.mkfifo(name, 0o600, dir_fd=directory)
            else:
                os.mknod(name, kind | 0o600, os.makedev(member.devmajor, member.devminor), dir_fd=directory)
        except FileExistsError:
            return False
        except PermissionError as error:
            if kind not in {stat.S_IFCHR, stat.S_IFBLK}:
                raise
            if not self.skip_devices:
                raise DeviceRefused(path, member.devmajor, member.devminor) from error
            self.skipped_devices.append(path)
        return True

    @staticmethod
    def _make_directory(directory: int, name: bytes) -> None:
        os.mkdir(name, 0o755, dir_fd=directory)

    def _hard_link(self, member: Member, directory: int, name: bytes, path: bytes) -> None:
        target = self._checked(member.linkname)
        if target == path:
            raise UnsafeLayer(path, "a hard link to itself")
        try:
            with self.tree.at(target) as (target_directory, target_name):
                found = os.stat(target_name, dir_fd=target_directory, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode):
                    raise UnsafeLayer(path, "a hard link to a directory")
                if self.style is Style.OVERLAY and _is_whiteout(found):
                    raise FileNotFoundError(2, "deleted by this layer")
                self._link(target_directory, target_name, name, path)
        except (FileNotFoundError, NotADirectoryError) as error:
            if self.style is not Style.OVERLAY:
                raise UnsafeLayer(path, f"a hard link to {os.fsdecode(target)!r}, which does not exist") from error
            self.depends_on_parent = True  # the caller does the layer again where the target can be seen

    def _link(self, target_directory: int, target_name: bytes, name: bytes, path: bytes) -> None:
        for attempt in (1, 2):
            directory = self._directory(path.rpartition(b"/")[0])
            try:
                os.link(target_name, name, src_dir_fd=target_directory, dst_dir_fd=directory, follow_symlinks=False)
                return
            except FileExistsError:
                there = os.stat(name, dir_fd=directory, follow_symlinks=False)
                target = os.stat(target_name, dir_fd=target_directory, follow_symlinks=False)
                if os.path.samestat(there, target) or attempt == 2:
                    return
                self._clear_the_way(path)

    def _root(self, member: Member) -> None:
        if member.type != b"5":
            raise UnsafeLayer(member.name, "the root is not a directory")
        self.root_has_entry = True
        self._set_metadata(member, stat.S_IFDIR, self.tree.fd, b".")
        self._directory_times[b""] = member.mtime_ns

    # --- whiteouts ---------------------------------------------------------------------------------------------

    def _whiteout(self, parent: bytes, name: bytes, path: bytes) -> None:
        if name == _OPAQUE:
            self._make_opaque(parent)
            return
        if name.startswith(_AUFS):
            return  # notes of aufs to itself (.wh..wh.plnk): no layer means them
        hidden = name[len(_WHITEOUT) :]
        if hidden in {b"", b".", b".."}:
            raise UnsafeLayer(path, "a whiteout of no name")
        target = parent + b"/" + hidden if parent else hidden
        if self._here.get(target):
            self._hide_below(target)
        elif self.style is Style.OVERLAY:
            directory = self._directory(parent)
            with suppress(FileNotFoundError):
                remove_at(directory, hidden)
            os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0), dir_fd=directory)
            self._forget_directories()
        else:
            self.tree.remove(target)
            self._forget_directories()

    def _hide_below(self, path: bytes) -> None:
        """A whiteout of something that this layer itself has: it means what the lower layers have there."""
        with self.tree.at(path) as (directory, name):
            is_directory = stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
        if is_directory:
            self._make_opaque(path)

    def _make_opaque(self, path: bytes) -> None:
        directory = self._directory(path)
        if self.style is Style.OVERLAY:
            if path:  # the root of a layer cannot be opaque for overlayfs
                self._set_opaque(directory, b".")
            else:
                self.depends_on_parent = True
            return
        pending = [] if self._is_in_opaque(path) else [path]
        while pending:
            pending.extend(self._remove_what_is_not_ours(pending.pop()))
        self._opaque.add(path)

    def _is_in_opaque(self, path: bytes) -> bool:
        while path not in self._opaque:
            if not path:
                return False
            path = path.rpartition(b"/")[0]
        return True

    def _remove_what_is_not_ours(self, path: bytes) -> list[bytes]:
        """Returns the directories that stay because this layer has something in them: not all in them need be of it."""
        prefix = path + b"/" if path else b""
        stay: list[bytes] = []
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._directory(path))
        try:
            for child in (os.fsencode(found) for found in os.listdir(fd)):
                if prefix + child not in self._here:
                    remove_at(fd, child)
                elif stat.S_ISDIR(os.stat(child, dir_fd=fd, follow_symlinks=False).st_mode):
                    stay.append(prefix + child)
        finally:
            os.close(fd)
        self._forget_directories()
        return stay

    def _set_opaque(self, directory: int, name: bytes) -> None:
        os.setxattr(fd_path(directory, name), self.opaque_xattr, b"y")

    # --- metadata ----------------------------------------------------------------------------------------------

    def _set_metadata(self, member: Member, kind: int, directory: int, name: bytes) -> None:
        owner = self.owner or Owner(member.uid, member.gid)
        self.tree.set_owner_and_mode(directory, name, kind | member.mode, owner, (member.devmajor, member.devminor))
        if member.xattrs:
            self._set_xattrs(fd_path(directory, name), member)

    def _set_xattrs(self, place: bytes | int, member: Member) -> None:
        for key, value in member.xattrs:
            if key.startswith(_NOT_FROM_OUTSIDE):
                continue
            try:
                if isinstance(place, int):
                    os.setxattr(place, key, value)
                else:
                    os.setxattr(place, key, value, follow_symlinks=False)
            except OSError as error:
                if error.errno not in _XATTR_IGNORED:
                    raise
                self.dropped_xattrs += 1

    @staticmethod
    def _explained(error: OSError, member: Member, path: bytes) -> Exception:
        """The layer's fault where it is one; a full disk stays what it is."""
        if error.errno == EINVAL and max(member.uid, member.gid) >= _IDS_OF_A_NAMESPACE:
            return OwnerRefused(path, member.uid, member.gid)
        if error.errno == ENAMETOOLONG:
            return UnsafeLayer(path, "a name that the file system cannot hold")
        if error.errno in _OF_THE_LAYER:
            return UnsafeLayer(path, f"cannot be unpacked: {error.strerror}")
        return error


def _write(fd: int, member: Member, reader: TarReader) -> None:
    if member.sparse is not None:
        _write_sparse(fd, member, reader)
        return
    for piece in reader.content():
        view = piece
        while view:
            view = view[os.write(fd, view) :]


def _write_sparse(fd: int, member: Member, reader: TarReader) -> None:
    os.ftruncate(fd, member.real_size)
    pieces = iter(member.sparse or ())
    offset = length = 0
    for data in reader.content():
        while data:
            while not length:
                offset, length = next(pieces)
            written = os.pwrite(fd, data[:length], offset)
            data, offset, length = data[written:], offset + written, length - written


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0
