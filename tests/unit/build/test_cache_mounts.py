"""Who gets which directory of a cache mount."""

import asyncio
import os
from pathlib import Path

import pytest
from imagebuild_engine.build.cache_mounts import CacheMounts
from imagebuild_engine.core.graph import CacheSharing

SHARED, PRIVATE, LOCKED = CacheSharing.SHARED, CacheSharing.PRIVATE, CacheSharing.LOCKED


@pytest.fixture
def caches(tmp_path: Path) -> CacheMounts:
    return CacheMounts(tmp_path / "caches")


async def empty(directory: Path, name: str) -> None:
    (directory / name).mkdir()


async def test_the_same_id_is_the_same_directory_and_its_content_stays(caches: CacheMounts) -> None:
    first = await caches.take("id", "", SHARED, empty)
    (first.path / "kept").touch()
    first.release()
    again = await caches.take("id", "", LOCKED, empty)
    assert again.path == first.path
    assert (again.path / "kept").exists()


async def test_another_id_or_another_beginning_is_another_directory(caches: CacheMounts) -> None:
    taken = [
        await caches.take(*names, SHARED, empty) for names in (("a", ""), ("b", ""), ("a", "sha256:x"), ("a\0", ""))
    ]
    assert len({cache.path for cache in taken}) == 4


@pytest.mark.parametrize("name", ["../../etc", "/", "", ".", "a" * 10_000, "\n", "\udcff"])
async def test_an_id_is_no_path(caches: CacheMounts, tmp_path: Path, name: str) -> None:
    cache = await caches.take(name, "", SHARED, empty)
    assert cache.path.parent.parent == tmp_path / "caches"
    assert cache.path.is_dir()


async def test_shared_is_shared_and_private_is_not(caches: CacheMounts) -> None:
    one, two = [await caches.take("id", "", SHARED, empty) for _ in range(2)]
    assert one.path == two.path
    three, four = [await caches.take("id", "", PRIVATE, empty) for _ in range(2)]
    assert len({one.path, three.path, four.path}) == 3
    three.release()
    assert (await caches.take("id", "", PRIVATE, empty)).path == three.path


async def test_locked_waits_and_can_be_cancelled(caches: CacheMounts) -> None:
    held = await caches.take("id", "", LOCKED, empty)
    waiting = asyncio.create_task(caches.take("id", "", LOCKED, empty))
    impatient = asyncio.create_task(caches.take("id", "", LOCKED, empty))
    done, _ = await asyncio.wait({waiting, impatient}, timeout=0.3)
    assert not done
    impatient.cancel()
    held.release()
    taken = await asyncio.wait_for(waiting, 30)
    assert taken.path == held.path
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_beginning_that_fails_leaves_no_half_content(caches: CacheMounts) -> None:
    async def broken(directory: Path, name: str) -> None:
        (directory / name).mkdir()
        (directory / name / "half").touch()
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space"):
        await caches.take("id", "", SHARED, broken)
    cache = await caches.take("id", "", SHARED, empty)
    assert list(cache.path.iterdir()) == []


async def test_only_its_owner_may_look_in(caches: CacheMounts, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        await caches.take("id", "", SHARED, empty)
    finally:
        os.umask(old)
    assert (tmp_path / "caches").stat().st_mode & 0o077 == 0
