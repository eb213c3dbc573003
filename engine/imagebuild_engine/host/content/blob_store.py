"""Blobs in a directory, one file each, named by algorithm and digest as in an OCI image layout."""

import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ...core.oci import Descriptor, Digest
from .ingest import ContentError, Ingest


class BlobMissing(ContentError):
    def __init__(self, digest: Digest) -> None:
        super().__init__(f"blob {digest} is not in the store")
        self.digest = digest


class BlobStore:
    """What is in the store was verified when it came in and is never changed. Several processes may share one."""

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self._incoming = self.directory / "ingest"
        for algorithm in ("sha256", "sha512"):
            (self.directory / "blobs" / algorithm).mkdir(parents=True, exist_ok=True)
        self._incoming.mkdir(exist_ok=True)

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self.directory / "blobs" / digest.algorithm / digest.hex

    def has(self, digest: Digest) -> bool:
        return self.path(digest).is_file()

    def size(self, digest: Digest) -> int:
        """In bytes; raises BlobMissing."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise BlobMissing(digest) from None

    def open(self, digest: Digest) -> BinaryIO:
        """An unbuffered file, for the caller to close; raises BlobMissing."""
        try:
            return self.path(digest).open("rb", buffering=0)
        except FileNotFoundError:
            raise BlobMissing(digest) from None

    def read(self, digest: Digest, limit: int) -> bytes:
        """A small blob (a manifest, a config) as a whole. Raises BlobMissing, and ContentError beyond the limit."""
        with self.open(digest) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise ContentError(f"blob {digest} has {size} bytes, more than the {limit} that are read at once")
            return file.read()

    def put(self, data: bytes, media_type: str) -> Descriptor:
        """Stores a small blob."""
        with self.ingest() as ingest:
            ingest.write(data)
            return ingest.commit(media_type)

    def ingest(self, expected: Descriptor | None = None) -> Ingest:
        """A new blob to be written. With a descriptor, digest and size are held against it."""
        return Ingest(self._incoming / uuid.uuid4().hex, expected, self._place)

    def remove(self, digest: Digest) -> None:
        with suppress(FileNotFoundError):
            self.path(digest).unlink()

    def _place(self, temporary: Path, digest: Digest) -> Path:
        # A rename is atomic, and two ingests of one digest put the same bytes there: the later one changes nothing.
        return temporary.rename(self.path(digest))
