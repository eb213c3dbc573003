"""A build's source in one file: a tar archive, or a Dockerfile alone with nothing beside it."""

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..contract import ArchiveSource
from ..host.context import ContextMissing
from ..host.fetch import fetch_url
from ..host.layers import InvalidLayer, LayerError, is_archive, unpack_archive
from ..host.rootfs import Owner, Ownership, Tree
from ..host.rootfs.owner import ownership_here

_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_LIMIT = 16 << 30
ALONE = "Dockerfile"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """`alone`: the file was no archive but a Dockerfile, which is all that the directory holds.

    `owned`: the files have the owners that the archive gives them.
    """

    directory: Path
    alone: bool
    owned: bool


async def fetch_archive(source: ArchiveSource, scratch: Path) -> Path:
    """The file on disk. Raises ContextMissing or FetchFailed."""
    if bool(source.path) == bool(source.url):
        raise ContextMissing("exactly one of an archive's path and its URL must be given")
    if source.url:
        return (await fetch_url(source.url, scratch / "archive")).path
    return Path(source.path)


def unpack(path: Path, scratch: Path) -> Unpacked:
    """Blocks. Raises ContextMissing; what the file system says (a full disk) as it is."""
    fd = _opened(path, scratch / "stream")
    try:
        directory = scratch / "unpacked"
        directory.mkdir()
        directory.chmod(0o755)
        if not is_archive(fd):
            return _alone(fd, directory)
        owned = ownership_here() is Ownership.REAL
        owner = None if owned else Owner(os.geteuid(), os.getegid())
        with Tree(directory) as tree:
            unpack_archive(fd, tree, "/", owner=owner)
        return Unpacked(directory, False, owned)
    except LayerError as error:
        raise ContextMissing(f"the build context's archive cannot be unpacked: {error}") from error
    finally:
        os.close(fd)


def _alone(fd: int, directory: Path) -> Unpacked:
    if os.pread(fd, 6, 0).startswith(_COMPRESSED):
        raise InvalidLayer("compressed, but no tar archive")
    with (directory / ALONE).open("wb") as file, os.fdopen(os.dup(fd), "rb") as source:
        source.seek(0)
        shutil.copyfileobj(source, file)
    return Unpacked(directory, True, False)


def _opened(path: Path, spool: Path) -> int:
    """The file, to be read at any place; a pipe's content is put into `spool` for that."""
    try:
        fd = os.dup(0) if path == Path("/dev/stdin") else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ContextMissing(f"the build context {path} cannot be read: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    left = _LIMIT
    with os.fdopen(fd, "rb") as stream, spool.open("xb") as file:
        while piece := _read(stream, path):
            left -= len(piece)
            if left < 0:
                raise ContextMissing(f"the build context is larger than {_LIMIT} bytes")
            file.write(piece)
    return os.open(spool, os.O_RDONLY | os.O_CLOEXEC)


def _read(stream: BinaryIO, path: Path) -> bytes:
    try:
        return stream.read(1 << 20)
    except OSError as error:
        raise ContextMissing(f"the build context {path} cannot be read: {error.strerror}") from error
