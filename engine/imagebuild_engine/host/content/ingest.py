"""A blob on its way to disk: hashed as it passes, invisible until it is whole and right."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from types import TracebackType
from typing import Self

from ...core.oci import Descriptor, Digest

_NO_SPACE = {ENOSPC, EDQUOT}


class ContentError(Exception):
    """Base of this package's errors."""


class WrongDigest(ContentError):
    def __init__(self, expected: Digest, actual: Digest) -> None:
        super().__init__(f"the blob should have been {expected}, but what came is {actual}")
        self.expected = expected
        self.actual = actual


class WrongSize(ContentError):
    """More bytes came than announced (noticed at once) or fewer."""

    def __init__(self, digest: Digest, expected: int, actual: int) -> None:
        super().__init__(f"blob {digest} should have {expected} bytes, but {actual} came")
        self.digest = digest
        self.expected = expected
        self.actual = actual


class DiskFull(ContentError):
    def __init__(self, directory: Path) -> None:
        super().__init__(f"no space left in {directory}")
        self.directory = directory


class IngestAborted(ContentError):
    """Told to the readers of a blob whose writer gave up; the writer knows why."""


class Ingest:
    """A blob being written. Use it as a context manager: leaving it without `commit` drops what came.

        with store.ingest(descriptor) as ingest:
            for chunk in body:
                ingest.write(chunk)
            descriptor = ingest.commit()

    `reader()` gives what has come so far and then what comes, to another thread, while the blob is still arriving.
    """

    def __init__(self, temporary: Path, expected: Descriptor | None, place: Callable[[Path, Digest], Path]) -> None:
        self._path = temporary
        self._place = place
        self._expected = expected
        self._hash = hashlib.new(expected.digest.algorithm if expected else "sha256")
        with _disk_full(temporary.parent):
            self._fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._news = threading.Condition()
        self._size = 0
        self._state = "open"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def __repr__(self) -> str:
        return f"<Ingest {self._expected.digest if self._expected else '?'} {self._size} bytes, {self._state}>"

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Appends. Raises WrongSize as soon as more comes than was announced, DiskFull."""
        self._must_be_open()
        length = len(data)
        if self._expected is not None and self._size + length > self._expected.size:
            raise WrongSize(self._expected.digest, self._expected.size, self._size + length)
        self._hash.update(data)
        view = memoryview(data)
        with _disk_full(self._path.parent):
            while view:
                view = view[os.write(self._fd, view) :]
        with self._news:
            self._size += length
            self._news.notify_all()
        return length

    def commit(self, media_type: str = "application/octet-stream") -> Descriptor:
        """Verifies and makes the blob visible; returns its descriptor: the expected one, else one of this media type.

        Raises WrongSize, WrongDigest, DiskFull.
        """
        self._must_be_open()
        digest = Digest.parse(f"{self._hash.name}:{self._hash.hexdigest()}")
        expected = self._expected
        if expected is not None and self._size != expected.size:
            raise WrongSize(expected.digest, expected.size, self._size)
        if expected is not None and digest != expected.digest:
            raise WrongDigest(expected.digest, digest)
        with _disk_full(self._path.parent), self._news:  # readers open the path under the same lock
            self._path = self._place(self._path, digest)
        self._finish("committed")
        return expected or Descriptor(media_type=media_type, digest=digest, size=self._size)

    def abort(self) -> None:
        """Drops what came, unless it was committed. Readers get IngestAborted."""
        if self._state == "open":
            self._finish("aborted")
            self._path.unlink(missing_ok=True)

    def reader(self) -> "IngestReader":
        """The blob from its first byte on; blocks at the end of what has come. Also after commit."""
        with self._news:
            if self._state == "aborted":
                raise IngestAborted("the blob's writer gave up")
            return IngestReader(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC), self._wait)

    def _wait(self, position: int) -> int:
        with self._news:
            while self._state == "open" and self._size <= position:
                self._news.wait()
            if self._state == "aborted":
                raise IngestAborted("the blob's writer gave up")
            return self._size - position

    def _must_be_open(self) -> None:
        if self._state != "open":
            raise IngestAborted(f"the ingest was {self._state} already")

    def _finish(self, state: str) -> None:
        with self._news:
            self._state = state
            os.close(self._fd)
            self._news.notify_all()


class IngestReader:
    """Reads a blob that is still arriving. Raises IngestAborted when its writer gives up."""

    def __init__(self, fd: int, wait: Callable[[int], int]) -> None:
        self._fd = fd
        self._wait = wait
        self._position = 0

    def read(self, size: int) -> bytes:
        """At least one byte, at most `size`; b"" at the end of the verified blob."""
        there = self._wait(self._position)
        data = os.pread(self._fd, min(size, there), self._position) if there else b""
        self._position += len(data)
        return data

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextmanager
def _disk_full(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DiskFull(directory) from error
        raise
