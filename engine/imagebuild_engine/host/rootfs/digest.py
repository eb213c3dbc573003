"""Hashing a file: reading and sha256 both release the interpreter's lock."""

import hashlib
import os
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from ...core.oci import Digest

_CHUNK = 1 << 18
_LARGE = 1 << 16


def hash_file(path: bytes | str | Path | int, prefix: bytes = b"") -> tuple[Digest, int]:
    """sha256 of the prefix and the file's bytes, and the CRC-32 of the bytes alone.

    `path` may be an open descriptor, which is closed.
    """
    fd = path if isinstance(path, int) else os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        state, checksum = hashlib.sha256(prefix), 0
        while chunk := os.read(fd, _CHUNK):
            state.update(chunk)
            checksum = (_crc32() if len(chunk) >= _LARGE else zlib.crc32)(chunk, checksum)
        return Digest.from_hash(state.digest()), checksum
    finally:
        os.close(fd)


@lru_cache(maxsize=1)
def _crc32() -> Callable[[bytes, int], int]:
    """Isal's is thirty times as fast as zlib's; it is loaded for files that are worth it."""
    from isal import isal_zlib

    return isal_zlib.crc32
