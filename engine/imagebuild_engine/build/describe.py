"""A real tree as keys see it: every entry's metadata and content as one digest."""

import os
from pathlib import Path

from ..core.cache import DescribedTree, EntryKind, Facts, TreeEntry, entry_header
from ..core.oci import Digest
from ..host.rootfs import Entry, Kind, Owner, hash_file, scan

_KINDS: dict[Kind, tuple[EntryKind, str]] = {
    Kind.FILE: ("file", "0"),
    Kind.DIRECTORY: ("dir", "5"),
    Kind.SYMLINK: ("symlink", "2"),
    Kind.CHAR: ("char", "3"),
    Kind.BLOCK: ("block", "4"),
    Kind.FIFO: ("fifo", "6"),
    Kind.SOCKET: ("socket", "0"),
}


def describe(root: Path, owner: Owner | None = None) -> DescribedTree:
    """The whole tree, the root with its own header (cache/contenthash). Blocks; reads every file.

    `owner` is whose all files are, whatever the disk says.
    """
    top: Digest | None = None
    entries: list[TreeEntry] = []
    for entry in scan(root):
        if owner is not None:
            entry = entry._replace(uid=owner.uid, gid=owner.gid)
        digest, checksum = _digest(root, entry)
        if not entry.path:
            top = digest
            continue
        entries.append(
            TreeEntry(
                path=os.fsdecode(entry.path),
                kind=_KINDS[entry.kind][0],
                digest=digest,
                linkname=os.fsdecode(entry.linkname),
                facts=Facts(entry.mode, entry.uid, entry.gid, entry.size, checksum),
            )
        )
    return DescribedTree(entries, root_digest=top)


def _digest(root: Path, entry: Entry) -> tuple[Digest, int]:
    header = entry_header(
        mode=0o777 if entry.kind is Kind.SYMLINK else entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        typeflag=_KINDS[entry.kind][1],
        linkname=os.fsdecode(entry.linkname),
        devmajor=entry.devmajor,
        devminor=entry.devminor,
        xattrs=entry.xattrs,
    )
    if entry.kind is Kind.FILE:
        return hash_file(os.fsencode(root) + b"/" + entry.path, header)
    return Digest.of(header), 0
