"""An OCI image layout that somebody else wrote (image spec, image-layout.md): a directory, read and never changed.

Everything in it is hostile: names come from digests, files are regular or refused, small ones are bounded and verified
here, large ones by whoever takes them in (`BlobStore.ingest`).
"""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...core.oci import Descriptor, Digest, Index, InvalidManifest, MediaType, parse_manifest
from ...core.oci.manifest import MAX_BYTES as INDEX_BYTES
from .blob_store import BlobMissing
from .ingest import ContentError, WrongDigest, WrongSize

DEFAULT_TAG = "latest"
# Docker's and containerd's name stands before the spec's, as in BuildKit (client/ociindex).
NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class LayoutMissing(ContentError):
    """There is no layout, or nothing of that name in it."""


class InvalidLayout(ContentError):
    """The directory is not what it should be."""


@dataclass(frozen=True, slots=True)
class OciLayout:
    """The layout in a directory. Nothing is read until it is asked for."""

    directory: Path

    def __str__(self) -> str:
        return str(self.directory)

    def find(self, tag: str = "") -> Descriptor:
        """What the index lists under the tag; without one, what is `latest`, else the only one.

        Raises LayoutMissing, InvalidLayout.
        """
        try:
            index = parse_manifest(self._read("index.json", INDEX_BYTES), MediaType.OCI_INDEX)
        except FileNotFoundError as error:
            raise LayoutMissing(f"{self} has no index.json") from error
        except InvalidManifest as error:
            raise InvalidLayout(f"{self}: index.json: {error}") from error
        if not isinstance(index, Index):
            raise InvalidLayout(f"{self}: index.json is no index")
        for name in NAMES:
            for entry in index.manifests:
                if entry.annotations.get(name) == (tag or DEFAULT_TAG):
                    return entry
        if not tag and len(index.manifests) == 1:
            return index.manifests[0]
        raise LayoutMissing(f'{self} has nothing with the tag "{tag or DEFAULT_TAG}"')

    def has(self, digest: Digest) -> bool:
        return (self.directory / _path(digest)).is_file()

    def read(self, digest: Digest, limit: int) -> bytes:
        """A small blob (a manifest, a config), verified. Raises BlobMissing, WrongDigest, and InvalidLayout beyond the
        limit."""
        try:
            data = self._read(_path(digest), limit)
        except FileNotFoundError:
            raise BlobMissing(digest) from None
        found = Digest.parse(f"{digest.algorithm}:{hashlib.new(digest.algorithm, data).hexdigest()}")
        if found != digest:
            raise WrongDigest(digest, found)
        return data

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The blob for the caller to read, verify and close. Raises BlobMissing, WrongSize, InvalidLayout."""
        try:
            file, size = self._open(_path(descriptor.digest))
        except FileNotFoundError:
            raise BlobMissing(descriptor.digest) from None
        if size != descriptor.size:
            file.close()
            raise WrongSize(descriptor.digest, descriptor.size, size)
        return file

    def _read(self, name: str, limit: int) -> bytes:
        file, size = self._open(name)
        with file:
            if size > limit:
                raise InvalidLayout(f"{self}: {name} of {size} bytes is larger than {limit}")
            return file.read(limit)

    def _open(self, name: str) -> tuple[BinaryIO, int]:
        """The file and its size. Raises FileNotFoundError, InvalidLayout."""
        try:
            # Opening a pipe would wait for a writer, were it not for O_NONBLOCK.
            fd = os.open(self.directory / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except NotADirectoryError as error:
            raise FileNotFoundError(str(error)) from error
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise InvalidLayout(f"{self}: {name}: {error.strerror}") from error
        file = os.fdopen(fd, "rb", buffering=0)
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            file.close()
            raise InvalidLayout(f"{self}: {name} is no regular file")
        return file, facts.st_size


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"
