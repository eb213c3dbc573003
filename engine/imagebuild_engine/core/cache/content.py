"""Content checksums of a described tree (BuildKit's cache/contenthash).

A tree is described by one digest per entry: the digest of a header, made of the metadata that counts, and of a file's
bytes. Names do not count there but in the directories: a directory has a *header* (its own metadata) and a *recursive*
digest over its header and its children, each under its name. Paths are kept with a zero byte in the place of every
slash, so
that sorting them as text sorts them component by component.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..oci import Digest
from .wildcard import has_wildcards, wildcard_match

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


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One entry. `path` is relative, with slashes; `digest` is of its header and bytes."""

    path: str
    kind: EntryKind
    digest: Digest
    linkname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSelector:
    """A part of a tree: a path or pattern, and whether its last link is followed."""

    path: str
    wildcard: bool = False
    follow_links: bool = True

    @property
    def is_pattern(self) -> bool:
        """Is it to be expanded, and is there something to expand?"""
        return self.wildcard and has_wildcards(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRequest:
    """What an op reads of an input. Without selectors: the whole tree, as a RUN's bind mount of `/` does."""

    selectors: tuple[ContentSelector, ...] = ()

    def digest(self, tree: "DescribedTree") -> Digest:
        """The content digest of all that is selected (ops/opsutils/contenthash.go). Raises PathNotFound."""
        return self._digest(tree.selected)

    def digests(self, tree: "DescribedTree") -> tuple[Digest, ...]:
        """All content digests by which some version knows the selected, the current one first. Raises PathNotFound."""
        if not any(selector.is_pattern for selector in self.selectors):
            return (self.digest(tree),)
        return tuple(dict.fromkeys((self.digest(tree), self._digest(tree.selected_by_names))))

    def _digest(self, checksum: Callable[[ContentSelector], Digest]) -> Digest:
        selectors = deduplicated(self.selectors or (ContentSelector(path="/", follow_links=False),))
        return Digest.of("\0".join(map(checksum, selectors)).encode())


def deduplicated(selectors: Sequence[ContentSelector]) -> tuple[ContentSelector, ...]:
    """Without what lies below another selected path of the same kind, sorted by path."""
    # A path may be expanded and still be plain: then it is treated like any other (ops/file.go, addSelector).
    kept: list[ContentSelector] = [item for item in selectors if item.is_pattern]
    for follow in (True, False):
        plain = sorted({item.path for item in selectors if not item.is_pattern and item.follow_links is follow})
        tops: list[str] = []
        for path in plain:
            if not any(path == top or path.startswith(top.rstrip("/") + "/") for top in tops):
                tops.append(path)
        kept += [ContentSelector(path=path, follow_links=follow) for path in tops]
    return tuple(sorted(kept, key=lambda item: item.path))


class DescribedTree:
    """All entries of a tree by path. `root_digest` is the root's own header; a synced context has the empty digest."""

    def __init__(self, entries: Iterable[TreeEntry], *, root_digest: Digest | None = None) -> None:
        self._entries = {_key(entry.path): entry for entry in entries}
        self._entries[""] = TreeEntry("", "dir", root_digest or Digest.of(b""))
        self._keys = sorted(self._entries, key=_bytes)
        self._order = [_bytes(key) for key in self._keys]
        self._recursive: dict[str, Digest] = {}

    def __len__(self) -> int:
        return len(self._entries) - 1

    def checksum(self, path: str, *, follow_links: bool = True) -> Digest:
        """Of a directory the recursive digest, else the entry's. Raises PathNotFound."""
        key = self._resolve(_clean(path), follow_links)
        if key not in self._entries:
            raise PathNotFound(path)
        return self._tree_digest(key) if self._entries[key].kind == "dir" else self._entries[key].digest

    def selected(self, selector: ContentSelector) -> Digest:
        """The checksum of a path, or of all that a pattern matches."""
        if selector.is_pattern:
            return self.pattern_checksum(selector.path, follow_links=selector.follow_links)
        return self.checksum(selector.path, follow_links=selector.follow_links)

    def selected_by_names(self, selector: ContentSelector) -> Digest:
        """The same as older versions have it: they hash a pattern differently."""
        if selector.is_pattern:
            return self.pattern_checksum_by_names(selector.path, follow_links=selector.follow_links)
        return self.checksum(selector.path, follow_links=selector.follow_links)

    def pattern_checksum(self, pattern: str, *, follow_links: bool = True) -> Digest:
        """All that a wildcard matches, and what is below it, as v0.26 and later hash it (includedPaths).

        Directories count with their headers only, since everything below them is in the list too. A link that is
        matched itself counts with what it leads to. Raises PathNotFound if that is nothing, and BadWildcard.
        """
        prefix, found = self._matches(pattern)
        collected: list[tuple[str, Digest]] = []
        for key, name in found:
            entry = self._entries[key]
            followed = entry.kind == "symlink" and follow_links
            collected.append((key[len(prefix) :], self.checksum(name) if followed else entry.digest))
            collected += [(below[len(prefix) :], self._entries[below].digest) for below in self._below(key)]
        if len(collected) == 1 and collected[0][0].rpartition("\0")[2] == posixpath.basename(_clean(pattern)):
            return collected[0][1]
        return Digest.of(b"".join(_bytes(path) + digest.encode() for path, digest in collected))

    def pattern_checksum_by_names(self, pattern: str, *, follow_links: bool = True) -> Digest:
        """All that a wildcard matches as v0.8 hashes it: each match's base name with its whole content.

        v0.9 to v0.25 do the same as long as no directory matches. If one does, they list what is in it by base names
        alone, which says less than what is copied; that form is neither written nor believed. Raises as above.
        """
        _, found = self._matches(pattern)
        parts = [(posixpath.basename(name), self.checksum(name, follow_links=follow_links)) for _, name in found]
        if len(parts) == 1 and parts[0][0] == posixpath.basename(_clean(pattern)):
            return parts[0][1]
        return Digest.of(b"\0".join(_bytes(name) + digest.encode() for name, digest in parts))

    def _matches(self, pattern: str) -> tuple[str, list[tuple[str, str]]]:
        """The key of what stands before the first wildcard; the matches in order, each as key and as written.

        What is below a match is no match of its own. Raises BadWildcard.
        """
        written = _clean(pattern)
        names = written.split("/")[1:]
        fixed = 0
        while fixed < len(names) and not has_wildcards(names[fixed]):
            fixed += 1
        # What stands before the first wildcard is looked up through links, but matched as it is written.
        stem = "".join("/" + name for name in names[:fixed])
        prefix = self._resolve(stem, True)
        found: list[tuple[str, str]] = []
        if prefix not in self._entries:
            return prefix, found
        # Only a class can match a slash (path.Match); without one, the depth must be the same.
        depth = None if "[" in written else written.count("/")
        for key in self._below(prefix):
            name = stem + key[len(prefix) :].replace("\0", "/")
            if found and name.startswith(found[-1][1] + "/"):
                continue
            if (depth is None or name.count("/") == depth) and wildcard_match(written, name):
                found.append((key, name))
        return prefix, found

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
                siblings.append(_bytes(done[len(parent) :]) + digest.encode())

        for path in [key, *self._below(key)]:
            entry = self._entries[path]
            while open_directories and not path.startswith(open_directories[-1][0] + "\0"):
                close()
            if entry.kind == "dir":
                open_directories.append((path, [b"\0" + entry.digest.encode()]))
            else:
                parent, parts = open_directories[-1]
                parts.append(_bytes(path[len(parent) :]) + entry.digest.encode())
        while open_directories:
            close()
        return self._recursive[key]

    def _below(self, key: str) -> list[str]:
        """Keys of everything below a directory, in byte order: a run, since the separator sorts first."""
        low = bisect_left(self._order, _bytes(key + "\0"))
        high = bisect_left(self._order, _bytes(key) + b"\x01") if key else len(self._order)
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


def _clean(path: str) -> str:
    """Go's path.Join("/", path): absolute, and `..` taken as text before any link is looked at."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _key(path: str) -> str:
    return "".join("\0" + part for part in path.split("/") if part)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
