"""Directories of cache mounts, which outlive builds and are shared between them (`RUN --mount=type=cache`).

    <directory>/<hash of the id and what the first content is>/<n>        a content: a directory, or a file
                                                              <n>.lock    held by whoever uses it
                                                              make.lock   held while one is looked for or made

As in BuildKit there may be several contents of one id: `private` takes one that nobody uses or makes another, `locked`
waits for one, `shared` shares one with all that say shared. Locks are flock's, so a process that dies gives its up.
"""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from ..core.graph import CacheSharing
from ..core.oci import Digest
from ..host.rootfs import Tree

_ASK_AGAIN = 0.1
"""Seconds."""

Fill = Callable[[Path, str], Awaitable[None]]
"""Makes the first content: in a directory, under a name."""


class CacheMount:
    """One content in use. `release` can be called twice."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    def release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class CacheMounts:
    """`directory` is made when it is needed, for its owner alone: a cache may hold programs that change users."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def take(self, name: str, first: str, sharing: CacheSharing, fill: Fill) -> CacheMount:
        """The content to use now, locked. `name` is its id, untrusted text; `first` says how its content begins.

        Waits where it has to, for ever if need be (a build has a timeout), and can be cancelled. Raises OSError.
        """
        place = self._directory / Digest.of(f"{name}\0{first}".encode(errors="surrogateescape")).hex
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        self._directory.mkdir(exist_ok=True, mode=0o700)
        place.mkdir(exist_ok=True, mode=0o700)
        while True:
            making = await _lock(place / "make.lock", fcntl.LOCK_EX)
            try:
                if taken := await self._take(place, sharing, fill):
                    return taken
            finally:
                os.close(making)
            await asyncio.sleep(_ASK_AGAIN)

    async def _take(self, place: Path, sharing: CacheSharing, fill: Fill) -> CacheMount | None:
        kind = fcntl.LOCK_SH if sharing is CacheSharing.SHARED else fcntl.LOCK_EX
        numbers = sorted(int(name) for name in os.listdir(place) if name.isdecimal())
        for number in numbers:
            lock = _try_lock(place / f"{number}.lock", kind)
            if lock is not None:
                return CacheMount(place / str(number), lock)
        if numbers and sharing is CacheSharing.LOCKED:
            return None
        number = numbers[-1] + 1 if numbers else 0
        lock = _try_lock(place / f"{number}.lock", kind)
        assert lock is not None, "who makes one holds the other lock"
        try:
            await self._make(place, str(number), fill)
        except BaseException:
            os.close(lock)
            raise
        return CacheMount(place / str(number), lock)

    async def _make(self, place: Path, name: str, fill: Fill) -> None:
        with Tree(place) as tree:
            await asyncio.to_thread(tree.remove, "new")  # of somebody who was killed meanwhile
        new = place / "new"
        new.mkdir()
        await fill(new, name)
        (new / name).rename(place / name)
        with suppress(OSError):
            new.rmdir()


async def _lock(path: Path, kind: int) -> int:
    while True:
        lock = _try_lock(path, kind)
        if lock is not None:
            return lock
        await asyncio.sleep(_ASK_AGAIN)


def _try_lock(path: Path, kind: int) -> int | None:
    """A descriptor that holds the lock until it is closed."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd
