"""What this machine or pod offers a build, looked at only when a step has to run: a full hit needs none of it."""

import os
import tempfile
from contextlib import suppress
from errno import ENOSPC
from functools import cached_property
from pathlib import Path

from ..host.content import BlobStore
from ..host.executor import (
    Capabilities,
    Choice,
    Executor,
    SnapshotterKind,
    choose,
    forget,
    look_after,
    make_executor,
    probe,
)
from ..host.rootfs import Tree
from ..host.snapshots import FlatSnapshotter, OverlaySnapshotter, Snapshotter
from .cache_mounts import CacheMounts
from .failures import StateUnusable


class Surroundings:
    """Directories, snapshots and executor of one build. A context manager: afterwards nothing is mounted or left."""

    def __init__(self, state: Path | None) -> None:
        try:
            if state is not None:
                state.mkdir(parents=True, exist_ok=True)
            self.directory = Path(tempfile.mkdtemp(prefix="build-", dir=state))
        except OSError as error:
            if error.errno == ENOSPC:
                raise
            place = state or "for temporary files"
            raise StateUnusable(f"the directory {place} cannot be used: {error.strerror}") from error
        self._state = state

    def __enter__(self) -> "Surroundings":
        return self

    def __exit__(self, *_exception: object) -> None:
        try:
            if "snapshots" in self.__dict__:
                self.snapshots.close()
        finally:
            with suppress(OSError), Tree(self.directory.parent) as tree:
                tree.remove(self.directory.name)  # however deep a source is
        if not self.directory.exists():
            forget(self.directory)

    @cached_property
    def blobs(self) -> BlobStore:
        return BlobStore(self.directory / "blobs")

    @cached_property
    def cache_mounts(self) -> CacheMounts:
        """Below the state directory where one is given (a pod's volume), else below the user's ~/.cache.

        What is in them is stored with the ids that steps have, so they are the engine's user's alone.
        """
        if self._state is not None:
            return CacheMounts(self._state.resolve() / "mounts")
        try:
            user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError:  # a user without a home: they go with the build
            user = self.directory
        return CacheMounts(user.resolve() / "imagebuild" / "mounts")

    @cached_property
    def capabilities(self) -> Capabilities:
        return probe(self.directory)

    @cached_property
    def choice(self) -> Choice:
        return choose(self.capabilities)

    @cached_property
    def snapshots(self) -> Snapshotter:
        look_after(self.directory)  # if we are killed, nothing stays mounted either
        directory = self.directory / "snapshots"
        if self.choice.snapshotter is SnapshotterKind.OVERLAY:
            return OverlaySnapshotter(directory)
        return FlatSnapshotter(directory)

    @cached_property
    def executor(self) -> Executor | None:
        return make_executor(self.choice, self.capabilities, self.directory / "executor")

    @property
    def used(self) -> str:
        """The executor's name if one was needed, else empty."""
        return str(self.choice.executor) if "executor" in self.__dict__ else ""
