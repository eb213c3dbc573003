"""Files and Git trees from the web: each fetched once in a build, when somebody needs it."""

import asyncio
import os
import unicodedata
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ..core.graph import GitSource, HttpSource
from ..core.oci import Digest
from ..host.context import ResolvedRef, checkout_commit, resolve
from ..host.fetch import FetchedFile, fetch_url

_Fetched = TypeVar("_Fetched")


@dataclass
class RemoteFiles:
    """`directory` is ours alone, and goes with the build. `local_git` allows repositories of this machine."""

    directory: Path
    local_git: bool = False
    _tasks: dict[object, "asyncio.Task[Any]"] = field(default_factory=dict)
    _count: int = 0

    async def file(self, url: str, checksum: Digest | None = None) -> FetchedFile:
        """The URL's file, whatever it is called there. Raises FetchFailed; WrongChecksum if it is another one."""
        known = self._tasks.get(("file", url, None))
        if checksum is not None and known is not None:
            found: FetchedFile = await asyncio.shield(known)
            if found.checksum == checksum:
                return found
        return await self._once(("file", url, checksum), fetch_url(url, self._place(), checksum=checksum))

    async def resolve(self, remote: str, ref: str) -> ResolvedRef:
        """Raises GitFailed."""
        self.directory.mkdir(parents=True, exist_ok=True)
        asking = resolve(remote, ref, scratch=self.directory, allow_local=self.local_git)
        return await self._once(("resolve", remote, ref), asking)

    async def http_tree(self, source: HttpSource) -> Path:
        """A directory with the one file, named as the source has it. Raises as `file`."""
        file = await self.file(source.url, source.checksum)
        return await self._once(("http", source), asyncio.to_thread(self._tree_of, source, file))

    async def git_tree(self, source: GitSource) -> Path:
        """The commit's files. Raises GitFailed."""
        checkout = checkout_commit(
            source.remote,
            source.commit,
            ref=source.ref,
            directory=self._place(),
            subdir=source.subdir,
            submodules=source.submodules,
            keep_git_dir=source.keep_git_dir,
            allow_local=self.local_git,
        )
        return (await self._once(("git", source), checkout)).directory

    async def _once(self, key: object, work: "Coroutine[Any, Any, _Fetched]") -> _Fetched:
        if key in self._tasks:
            work.close()
        else:
            self._tasks[key] = asyncio.create_task(work)
        fetched: _Fetched = await asyncio.shield(self._tasks[key])
        return fetched

    def _place(self) -> Path:
        """A path that is not taken yet, in a directory that is there."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._count += 1
        return self.directory / str(self._count)

    def _tree_of(self, source: HttpSource, file: FetchedFile) -> Path:
        directory = self._place()
        directory.mkdir()
        directory.chmod(0o755)
        path = directory / _safe_name(source.filename)
        os.link(file.path, path)
        os.utime(path, (file.time, file.time))
        return directory


def _safe_name(name: str) -> str:
    """One name without a way out, as BuildKit makes one (pathutil.SafeFileName)."""
    last = name.strip().rstrip("/").rpartition("/")[2]
    safe = last not in ("", ".", "..") and not any(unicodedata.category(character) == "Cc" for character in last)
    return last if safe else "download"
