"""What a layer says: changes from one tree to the next."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..rootfs import Entry, Kind


@dataclass(frozen=True, slots=True)
class Added:
    entry: Entry

    @property
    def path(self) -> bytes:
        return self.entry.path


@dataclass(frozen=True, slots=True)
class Modified:
    """Also a directory that is not changed itself but holds a change: a layer says what its directories look like."""

    entry: Entry

    @property
    def path(self) -> bytes:
        return self.entry.path


@dataclass(frozen=True, slots=True)
class Deleted:
    path: bytes


Change = Added | Modified | Deleted


@dataclass(frozen=True, slots=True)
class Changes:
    """`items` in the order of a layer (by path components, parents first); `root` is where file content is read."""

    root: Path
    items: tuple[Change, ...]


def order(path: bytes) -> bytes:
    """Sort key: by components."""
    return path.replace(b"/", b"\0")


def same(before: Entry, after: Entry, *, by_inode: bool = False, by_ctime: bool = False) -> bool:
    """Is it the same file as before, as far as metadata can tell?

    `by_inode` and `by_ctime` are for two scans of one mutable tree: a file that is another one, or whose ctime moved,
    counts as changed even if size and mtime are the same: somebody may have set the time back. Directories and links
    are what their metadata say.
    """
    if (
        before.kind is not after.kind
        or before.mode != after.mode
        or before.uid != after.uid
        or before.gid != after.gid
        or before.size != after.size
        or before.mtime_ns != after.mtime_ns
        or before.linkname != after.linkname
        or before.devmajor != after.devmajor
        or before.devminor != after.devminor
        or before.xattrs != after.xattrs
    ):
        return False
    if after.kind is not Kind.FILE:
        return True
    return (not by_inode or before.inode == after.inode) and (not by_ctime or before.ctime_ns == after.ctime_ns)


def changes_between(
    before: Mapping[bytes, Entry], after: Iterable[Entry], put_back: frozenset[bytes] = frozenset()
) -> list[Change]:
    """Compares two scans of one mutable tree. The root itself is never among the changes.

    Files at `put_back` were moved out of the tree and back meanwhile, which moves their ctime: it does not count.
    If one name of a hard-linked file changed, all its names count as changed, so that the link survives the layer.
    """
    entries = [entry for entry in after if entry.path and entry.kind is not Kind.SOCKET]
    touched = {
        entry.path
        for entry in entries
        if (old := before.get(entry.path)) is None
        or not same(old, entry, by_inode=True, by_ctime=entry.path not in put_back)
    }
    inodes = {entry.inode for entry in entries if entry.nlink > 1 and entry.path in touched and _is_linkable(entry)}
    found: list[Change] = []
    for entry in entries:
        if entry.path not in before:
            found.append(Added(entry))
        elif entry.path in touched or (entry.nlink > 1 and entry.inode in inodes and _is_linkable(entry)):
            found.append(Modified(entry))
    present = {entry.path: entry for entry in entries}
    gone = [path for path, entry in before.items() if path and entry.kind is not Kind.SOCKET and path not in present]
    found.extend(Deleted(path) for path in topmost(gone, present))
    return complete(found, present)


def topmost(gone: Iterable[bytes], present: Mapping[bytes, Entry]) -> Iterator[bytes]:
    """Those whose directory is still a directory: deleting (or replacing) that one deletes the rest."""
    for path in gone:
        parent = path.rpartition(b"/")[0]
        if not parent or ((there := present.get(parent)) is not None and there.kind is Kind.DIRECTORY):
            yield path


def complete(changes: Iterable[Change], present: Mapping[bytes, Entry]) -> list[Change]:
    """Adds the directories that hold changes, and sorts."""
    by_path = {change.path: change for change in changes}
    for path in tuple(by_path):
        parent = path.rpartition(b"/")[0]
        while parent and parent not in by_path:
            by_path[parent] = Modified(present[parent])
            parent = parent.rpartition(b"/")[0]
    return [by_path[path] for path in sorted(by_path, key=order)]


def _is_linkable(entry: Entry) -> bool:
    return entry.kind is not Kind.DIRECTORY
