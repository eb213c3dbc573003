"""ADD's archives: a local tar, plain or compressed, is unpacked where a file would have been copied."""

import os
from collections.abc import Iterator

from ..rootfs import Owner, Tree
from .compression import CHUNK, decompressed
from .errors import InvalidLayer, LayerTooLarge, UnsafeLayer
from .limits import Limits
from .styles import Style
from .tar_reader import TarReader
from .unpack import Unpack

_SNIFF = Limits(header_bytes=1 << 20, total_bytes=16 << 20)


def is_archive(fd: int) -> bool:
    """Does the open file hold a tar (gzip, bzip2, xz, zstd or not compressed) with at least one entry?"""
    try:
        for _ in TarReader(decompressed(_At(fd), _SNIFF), _SNIFF):
            return True
    except (InvalidLayer, UnsafeLayer, LayerTooLarge):
        return False
    return False


def unpack_archive(
    fd: int,
    tree: Tree,
    destination: bytes | str,
    limits: Limits = Limits(),  # noqa: B008
    *,
    owner: Owner | None = None,
) -> int:
    """Unpacks into a directory of the tree, which must exist; returns the number of entries.

    Inside the archive the destination is the root: neither names nor links of it lead out. Owners are the archive's
    unless one is given.
    """
    directory = tree.resolve(destination)
    with Tree(tree.root / os.fsdecode(directory), tree.ownership) as below:
        work = Unpack(below, Style.TREE, limits, whiteouts=False, owner=owner)
        try:
            reader = TarReader(_chunks(fd, limits), limits)
            for member in reader:
                work.entry(member, reader)
            work.finish()
        finally:
            work.close()
        return work.entries


def _chunks(fd: int, limits: Limits) -> Iterator[bytes]:
    return decompressed(_At(fd), limits)


class _At:
    """Reads a descriptor from its start, without moving its position."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._position = 0

    def read(self, size: int = CHUNK, /) -> bytes:
        data = os.pread(self._fd, size, self._position)
        self._position += len(data)
        return data

    def close(self) -> None:
        """The descriptor is the caller's."""
