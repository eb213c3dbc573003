"""A thread that pulls chunks out of a decompressor, hashes them, and hands them over through a short queue."""

import hashlib
import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from ...core.oci import Digest

_AHEAD = 8


class HashingPump:
    """Decompression and hashing run beside whoever uses the chunks: both release the interpreter's lock.

    Leaving the `with` early stops the thread at its next chunk; `close` is called in the thread, after the last read.
    """

    def __init__(self, chunks: Iterator[bytes], close: Callable[[], None]) -> None:
        self._source = chunks
        self._close = close
        self._queue: queue.Queue[bytes | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._hash = hashlib.sha256()
        self._done = False
        self.size = 0
        self._thread = threading.Thread(target=self._run, name="decompress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:  # make room: the thread may be waiting to put its last chunk
                self._queue.get(timeout=0.02)
            except queue.Empty:
                if error is not None:
                    return  # it hangs in a read; the source's owner ends that, and the thread with it

    def chunks(self) -> Iterator[bytes]:
        """To be read once, to its end, before `digest`."""
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
        self._done = True

    def digest(self) -> Digest:
        assert self._done, "the digest covers all chunks"
        return Digest.from_hash(self._hash.digest())

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            for chunk in self._source:
                self._hash.update(chunk)
                self.size += len(chunk)
                self._queue.put(chunk)
                if self._stop.is_set():
                    break
        except BaseException as error:  # handed to the reader, who raises it
            end = error
        finally:
            self._close()
        self._queue.put(end)
