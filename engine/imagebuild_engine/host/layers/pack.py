"""Packing a layer: changes become a compressed tar in the blob store, in one pass.

    files ─► tar bytes ─┬─► sha256 (diff id)            in threads: all three release the interpreter's lock
                        └─► gzip ─► sha256, disk

The same changes give the same bytes: sorted entries, no names of users, whole seconds, gzip without time and name.
"""

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ...core.oci import Descriptor, Digest, MediaType
from ..rootfs import Entry, Kind
from ..rootfs.scan import open_directory
from .change import Changes, Deleted
from .compression import CHUNK, Compression
from .errors import LayerError
from .tar_writer import END, header, padding, whiteout

_AHEAD = 8
_Feed = queue.Queue[bytes | None]


class Sink(Protocol):
    """Where the compressed bytes go: `content.Ingest` fits."""

    def write(self, data: bytes, /) -> int: ...

    def commit(self, media_type: str, /) -> Descriptor: ...


class Store(Protocol):
    """Where layers are kept: `content.BlobStore` fits (siblings do not import each other)."""

    def ingest(self) -> AbstractContextManager[Sink]: ...


class FileChanged(LayerError):
    """A file has another size than when the changes were found: somebody writes to the tree."""

    def __init__(self, path: bytes) -> None:
        super().__init__(f"{os.fsdecode(path)} changed while it was packed")
        self.path = path


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    descriptor: Descriptor
    diff_id: Digest
    uncompressed_size: int
    entries: int


def pack(
    changes: Changes,
    store: Store,
    *,
    compression: Compression = Compression.GZIP,
    level: int = 2,
    clamp: int | None = None,
    whiteout_mtime: int = 0,
) -> PackedLayer:
    """Writes the layer into the store.

    `clamp` (seconds since 1970): no time in the layer is later, as SOURCE_DATE_EPOCH asks. Only gzip and none are
    written. Raises what the store raises, FileChanged.
    """
    media_type = {
        Compression.GZIP: MediaType.OCI_LAYER_GZIP,
        Compression.NONE: MediaType.OCI_LAYER,
    }[compression]
    with store.ingest() as sink, _Squeeze(sink, compression, level) as squeeze:
        entries = 0
        for count, chunk in _tar(changes, clamp, whiteout_mtime):
            entries = count
            squeeze.put(chunk)
        diff_id, size = squeeze.finish()
        return PackedLayer(descriptor=sink.commit(media_type), diff_id=diff_id, uncompressed_size=size, entries=entries)


def _tar(changes: Changes, clamp: int | None, whiteout_mtime: int) -> Iterator[tuple[int, bytes]]:
    """The tar in chunks of about CHUNK bytes, each with the number of entries so far."""
    buffer = bytearray()
    count = 0
    links: dict[tuple[int, int], bytes] = {}
    root = os.open(changes.root, os.O_PATH | os.O_DIRECTORY)
    try:
        for change in changes.items:
            count += 1
            if isinstance(change, Deleted):
                buffer += whiteout(change.path, mtime=whiteout_mtime)
                continue
            entry = change.entry
            if entry.kind is Kind.SOCKET:  # a tar cannot hold one
                continue
            seconds = entry.mtime_ns // 1_000_000_000
            mtime = seconds if clamp is None else min(seconds, clamp)
            if entry.nlink > 1 and entry.kind is not Kind.DIRECTORY:
                first = links.setdefault(entry.inode, entry.path)
                if first != entry.path:
                    buffer += header(entry, mtime=mtime, hard_link=first)
                    continue
            buffer += header(entry, mtime=mtime)
            if entry.size:
                for data in _content(root, entry):
                    buffer += data
                    if len(buffer) >= CHUNK:
                        yield count, bytes(buffer)
                        buffer.clear()
                buffer += padding(entry.size)
            if len(buffer) >= CHUNK:
                yield count, bytes(buffer)
                buffer.clear()
        buffer += END
        yield count, bytes(buffer)
    finally:
        os.close(root)


def _content(root: int, entry: Entry) -> Iterator[bytes]:
    fd = _open(root, entry.path)
    try:
        left = entry.size
        while left:
            data = os.read(fd, min(left, CHUNK))
            if not data:
                raise FileChanged(entry.path)
            left -= len(data)
            yield data
    finally:
        os.close(fd)


def _open(root: int, path: bytes) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    if len(path) < 2048:
        return os.open(path, flags, dir_fd=root)
    parent, _, name = path.rpartition(b"/")
    directory = open_directory(root, parent)
    try:
        return os.open(name, flags, dir_fd=directory)
    finally:
        os.close(directory)


class _Squeeze:
    """Hashes in one thread and compresses and stores in another, behind short queues."""

    def __init__(self, sink: Sink, compression: Compression, level: int) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self._size = 0
        self._compression = compression
        self._level = level
        self._queues: tuple[_Feed, ...] = (queue.Queue(_AHEAD), queue.Queue(_AHEAD))
        self._error: BaseException | None = None
        self._threads = tuple(
            threading.Thread(target=self._guard, args=(work, feed), name=f"pack-{work.__name__}", daemon=True)
            for work, feed in zip((self._digest, self._compress), self._queues, strict=True)
        )

    def __enter__(self) -> "_Squeeze":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def put(self, chunk: bytes) -> None:
        if self._error is not None:
            raise self._error
        self._size += len(chunk)
        for feed in self._queues:
            feed.put(chunk)

    def finish(self) -> tuple[Digest, int]:
        self._end()
        if self._error is not None:
            raise self._error
        return Digest.from_hash(self._hash.digest()), self._size

    def _end(self) -> None:
        for thread, feed in zip(self._threads, self._queues, strict=True):
            if thread.is_alive():
                feed.put(None)
                feed.put(None)  # one for a worker that failed after it had seen the end
                thread.join()

    def _guard(self, work: Callable[[_Feed], None], feed: _Feed) -> None:
        try:
            work(feed)
        except BaseException as error:  # raised again in put or finish
            self._error = error
            while feed.get() is not None:  # keep the other end from waiting
                continue

    def _digest(self, feed: _Feed) -> None:
        while (chunk := feed.get()) is not None:
            self._hash.update(chunk)

    def _compress(self, feed: _Feed) -> None:
        if self._compression is Compression.NONE:
            while (chunk := feed.get()) is not None:
                self._sink.write(chunk)
            return
        from isal import isal_zlib

        # wbits 31: a gzip header and trailer; isal writes no time and no name into it.
        compressor = isal_zlib.compressobj(self._level, isal_zlib.DEFLATED, 31)
        while (chunk := feed.get()) is not None:
            if data := compressor.compress(chunk):
                self._sink.write(data)
        self._sink.write(compressor.flush())
