"""What is in a build context, as keys see it: modes, links and content, but no times, and mostly no owners.

A client of BuildKit zeroes owners before it sends a context, and what .dockerignore excludes is never sent
(client/solve.go, fsutil); so it does not exist here either.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from ...core.cache import DescribedTree, EntryKind, Facts, TreeEntry, entry_header
from ...core.dockerfile import IgnoreMatcher, ParentMatch
from ...core.oci import Digest
from ..rootfs import hash_file
from .directory import ContextMissing

_MAX_PATH = 4096 - 256 - 2
"""Bytes: another name must fit behind it, and the kernel takes no path of more than 4096."""
_TYPEFLAGS: dict[int, tuple[EntryKind, str]] = {
    stat.S_IFREG: ("file", "0"),
    stat.S_IFDIR: ("dir", "5"),
    stat.S_IFLNK: ("symlink", "2"),
    stat.S_IFCHR: ("char", "3"),
    stat.S_IFBLK: ("block", "4"),
    stat.S_IFIFO: ("fifo", "6"),
}


class ContextTree:
    """A context directory, hashed once and only as far as somebody asks."""

    def __init__(self, root: Path, ignored: IgnoreMatcher | None = None, *, owned: bool = False) -> None:
        self.root = root
        self.owned = owned
        """Do owners count? Those of an archive's files do; what a client sends from its disk is root's."""
        self.ignored = ignored
        self._described: asyncio.Task[DescribedTree] | None = None
        self._existing: asyncio.Task[frozenset[bytes]] | None = None

    async def described(self) -> DescribedTree:
        """The whole context. Files are hashed in threads; the second call costs nothing."""
        if self._described is None:
            self._described = asyncio.create_task(asyncio.to_thread(self._describe))
        return await asyncio.shield(self._described)

    async def existing(self) -> Callable[[bytes], bool] | None:
        """Is there such a path in the context? None: whatever is on the disk."""
        if self.ignored is None:
            return None
        if self._existing is None:
            self._existing = asyncio.create_task(asyncio.to_thread(self._list))
        return (await asyncio.shield(self._existing)).__contains__

    def _list(self) -> frozenset[bytes]:
        return frozenset(os.fsencode(path) for path, _ in self.paths())

    def paths(self) -> Iterator[tuple[str, os.stat_result]]:
        """Everything that is not excluded, parents first, names sorted. Parents of what is included are included."""
        stack: list[tuple[str, Iterator[str], ParentMatch | None]] = [("", iter(self._names("")), None)]
        waiting: list[tuple[str, os.stat_result]] = []
        """Excluded directories around the present one: an exception (`!dir/keep`) brings them with it."""
        while stack:
            folder, names, above = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                if waiting and waiting[-1][0] == folder:
                    waiting.pop()
                continue
            path = f"{folder}/{name}" if folder else name
            status = os.lstat(self.root / path)
            is_directory = stat.S_ISDIR(status.st_mode)
            excluded, matched = (False, None) if self.ignored is None else self.ignored.match(path, above)
            if not excluded:
                yield from waiting
                waiting.clear()
                yield path, status
            elif is_directory and self.ignored is not None and self.ignored.may_reinclude_below(path):
                waiting.append((path, status))
            else:
                continue
            if is_directory:
                stack.append((path, iter(self._names(path)), matched))

    def _names(self, folder: str) -> list[str]:
        full = self.root / folder
        if len(os.fsencode(full)) > _MAX_PATH:
            raise ContextMissing(
                f'the build context is too deep: no program can use a path as long as "{folder[:60]}…" '
                "(keep it out with .dockerignore)"
            )
        with os.scandir(full) as scan:
            return sorted(entry.name for entry in scan)

    def _describe(self) -> DescribedTree:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            entries = list(pool.map(self._entry, self.paths()))
        return DescribedTree(entries, root_digest=Digest.of(b""))

    def _entry(self, item: tuple[str, os.stat_result]) -> TreeEntry:
        path, status = item
        # A socket has no type flag of its own and is hashed like an empty file (filehash.go).
        socket: tuple[EntryKind, str] = ("socket", "0")
        kind, typeflag = _TYPEFLAGS.get(stat.S_IFMT(status.st_mode), socket)
        full = self.root / path
        linkname = os.fspath(full.readlink()) if kind == "symlink" else ""
        device = kind in ("char", "block")
        facts = Facts(
            mode=0o777 if kind == "symlink" else stat.S_IMODE(status.st_mode),
            uid=status.st_uid if self.owned else 0,
            gid=status.st_gid if self.owned else 0,
            size=status.st_size if kind == "file" else 0,
        )
        header = entry_header(
            mode=facts.mode,
            uid=facts.uid,
            gid=facts.gid,
            size=facts.size,
            typeflag=typeflag,
            linkname=linkname,
            devmajor=os.major(status.st_rdev) if device else 0,
            devminor=os.minor(status.st_rdev) if device else 0,
            xattrs=_xattrs(full),
        )
        digest, checksum = hash_file(full, header) if kind == "file" else (Digest.of(header), 0)
        return TreeEntry(
            path=path, kind=kind, digest=digest, linkname=linkname, facts=facts._replace(checksum=checksum)
        )


def _xattrs(path: Path) -> list[tuple[str, bytes]]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return [(name, os.getxattr(path, name, follow_symlinks=False)) for name in names]
    except OSError:
        return []  # the file system has none
