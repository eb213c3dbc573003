"""Hashing files, several at a time: reading and sha256 both release the interpreter's lock."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
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


def hash_files(files: Iterable[tuple[bytes | str | Path, bytes]], workers: int = 2) -> Iterator[Digest]:
    """Digests of many files, each given with its prefix, in the order given.

    The paths are opened as they are: the caller has resolved them and knows that nobody changes the tree meanwhile.
    """
    source = iter(files)
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        while batch := list(islice(source, 4096)):  # bounded: a tree may have a million files
            yield from pool.map(_hash_one, batch, chunksize=64)


def _hash_one(file: tuple[bytes | str | Path, bytes]) -> Digest:
    return hash_file(*file)
