"""Hashing a file: reading and sha256 both release the interpreter's lock."""

import hashlib
import os
from pathlib import Path

from ...core.oci import Digest

_CHUNK = 1 << 18


def hash_file(path: bytes | str | Path | int, prefix: bytes = b"") -> Digest:
    """sha256 of the prefix and the file's bytes. `path` may be an open descriptor, which is closed."""
    fd = path if isinstance(path, int) else os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        state = hashlib.sha256(prefix)
        while chunk := os.read(fd, _CHUNK):
            state.update(chunk)
        return Digest.from_hash(state.digest())
    finally:
        os.close(fd)
