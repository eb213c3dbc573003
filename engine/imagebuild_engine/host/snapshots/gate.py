"""Closing a snapshotter while others still work with it: an interrupted build leaves threads behind."""

import threading
from types import TracebackType

from ..layers import ByteSource
from .snapshotter import SnapshotError


class Closed(SnapshotError):
    def __init__(self) -> None:
        super().__init__("the snapshots were closed")


class Gate:
    """`with gate:` around work. After `close` nobody comes in, and whoever was inside has left."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._inside = 0
        self.closed = False

    def __enter__(self) -> None:
        with self._news:
            if self.closed:
                raise Closed
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._news:
            self._inside -= 1
            self._news.notify_all()

    def close(self) -> bool:
        """False if it was closed before."""
        with self._news:
            if self.closed:
                return False
            self.closed = True
            while self._inside:
                self._news.wait()
            return True


class GatedSource:
    """A layer that ends in an error when the gate closes: nobody waits until a large one is unpacked for nothing."""

    def __init__(self, source: ByteSource, gate: Gate) -> None:
        self._source = source
        self._gate = gate

    def read(self, size: int, /) -> bytes:
        if self._gate.closed:
            raise Closed
        return self._source.read(size)

    def close(self) -> None:
        self._source.close()
