"""Content checksums of a described tree (BuildKit's cache/contenthash).

A tree is described by one digest per entry: the digest of a header, made of the metadata that counts, and of a file's
bytes. Names do not count there but in the directories: a directory has a *header* (its own metadata) and a *recursive*
digest over its header and its children, each under its name. Paths are kept with a zero byte in the place of every
slash, so
that sorting them as text sorts them component by component.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..oci import Digest

EntryKind = Literal["file", "dir", "symlink", "char", "block", "fifo", "socket"]
MAX_LINKS = 255
_COUNTED_SECURITY = "security.capability"


class PathNotFound(LookupError):
    """There is no such path in the tree (or its links lead in circles)."""

    def __init__(self, path: str) -> None:
        super().__init__(f'"{path}": not found')
        self.path = path

    def __str__(self) -> str:
        return f'"{self.path}": not found'


def entry_header(
    *,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    typeflag: str,
    linkname: str,
    devmajor: int = 0,
    devminor: int = 0,
    xattrs: Iterable[tuple[str, bytes]] = (),
) -> bytes:
    """What is hashed before a file's bytes (tarsum.go). `mode` has no type bits; `size` is 0 for all but files."""
    fields = (
        ("name", ""),
        ("mode", str(mode)),
        ("uid", str(uid)),
        ("gid", str(gid)),
        ("size", str(size)),
        ("typeflag", typeflag),
        ("linkname", linkname),
        ("uname", ""),
        ("gname", ""),
        ("devmajor", str(devmajor)),
        ("devminor", str(devminor)),
    )
    header = "".join(name + value for name, value in fields).encode("utf-8", "surrogateescape")
    for name, value in sorted(xattrs):
        if name == _COUNTED_SECURITY or not name.startswith(("security.", "system.")):
            header += name.encode("utf-8", "surrogateescape") + value
    return header


class Facts(NamedTuple):
    """What an entry's digest is made of, for those who explain how two entries differ. `checksum` is the CRC-32 of a
    file's bytes: it tells a changed mode from changed bytes, and nothing is ever decided by it."""

    mode: int
    uid: int
    gid: int
    size: int = 0
    checksum: int = 0


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry. `path` is relative, with slashes; `digest` is of its header and bytes."""

    path: str
    kind: EntryKind
    digest: Digest
    linkname: str = ""
    facts: Facts | None = None


class DescribedTree:
    """All entries of a tree by path. `root_digest` is the root's own header; a synced context has the empty digest."""

    def __init__(self, entries: Iterable[TreeEntry], *, root_digest: Digest | None = None) -> None:
        self._entries = {_key(entry.path): entry for entry in entries}
        self._entries[""] = TreeEntry("", "dir", root_digest or Digest.of(b""))
        self._keys = sorted(self._entries, key=octets)
        self._order = [octets(key) for key in self._keys]
        self._recursive: dict[str, Digest] = {}

    def __len__(self) -> int:
        return len(self._entries) - 1

    def checksum(self, path: str, *, follow_links: bool = True) -> Digest:
        """Of a directory the recursive digest, else the entry's. Raises PathNotFound."""
        key = self._resolve(clean(path), follow_links)
        if key not in self._entries:
            raise PathNotFound(path)
        return self._tree_digest(key) if self._entries[key].kind == "dir" else self._entries[key].digest

    def resolve(self, path: str, *, follow_last: bool) -> str | None:
        """The key of what a path leads to, or None if there is nothing. Raises PathNotFound for links in circles."""
        key = self._resolve(clean(path), follow_last)
        return key if key in self._entries else None

    def entry(self, key: str) -> TreeEntry:
        """The entry with that key."""
        return self._entries[key]

    def _tree_digest(self, key: str) -> Digest:
        """Over (remainder of the child's path, child's digest) for the header and every direct child, in byte order.

        Bottom up without recursion: a context may be nested deeper than Python's stack.
        """
        if key in self._recursive:
            return self._recursive[key]
        open_directories: list[tuple[str, list[bytes]]] = []

        def close() -> None:
            done, parts = open_directories.pop()
            digest = self._recursive[done] = Digest.of(b"".join(parts))
            if open_directories:
                parent, siblings = open_directories[-1]
                siblings.append(octets(done[len(parent) :]) + digest.encode())

        for path in [key, *self.below(key)]:
            entry = self._entries[path]
            while open_directories and not path.startswith(open_directories[-1][0] + "\0"):
                close()
            if entry.kind == "dir":
                open_directories.append((path, [b"\0" + entry.digest.encode()]))
            else:
                parent, parts = open_directories[-1]
                parts.append(octets(path[len(parent) :]) + entry.digest.encode())
        while open_directories:
            close()
        return self._recursive[key]

    def below(self, key: str) -> list[str]:
        """Keys of everything below a directory, in byte order: a run, since the separator sorts first."""
        low = bisect_left(self._order, octets(key + "\0"))
        high = bisect_left(self._order, octets(key) + b"\x01") if key else len(self._order)
        return self._keys[low:high]

    def _resolve(self, path: str, follow_last: bool) -> str:
        """The key of a path after its links, with `..` and absolute links clamped at the root (getFollowLinksCallback).

        Where Linux gives up, this goes on: `missing/../a` in a link's target is `a`. The key need not exist.
        """
        pending = path.split("/")[::-1]
        done: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            entry = self._entries.get("".join("\0" + name for name in (*done, part)))
            if entry is not None and entry.kind == "symlink" and (follow_last or any(pending)):
                links += 1
                if links > MAX_LINKS:
                    raise PathNotFound(path)
                if entry.linkname.startswith("/"):
                    done = []
                pending += entry.linkname.split("/")[::-1]
            else:
                done.append(part)
        return "".join("\0" + name for name in done)


def clean(path: str) -> str:
    """Go's path.Join("/", path): absolute, and `..` taken as text before any link is looked at."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _key(path: str) -> str:
    return "".join("\0" + part for part in path.split("/") if part)


def octets(text: str) -> bytes:
    """A path or name as it is hashed: its own bytes, also where they are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")
