"""What this machine or pod offers a build, looked at only when a step has to run: a full hit needs none of it."""

import shutil
import tempfile
from functools import cached_property
from pathlib import Path

from ..host.content import BlobStore
from ..host.executor import Capabilities, Choice, Executor, SnapshotterKind, choose, make_executor, probe
from ..host.snapshots import FlatSnapshotter, OverlaySnapshotter, Snapshotter


class Surroundings:
    """Directories, snapshots and executor of one build. A context manager: afterwards nothing is mounted or left."""

    def __init__(self, state: Path | None) -> None:
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix="build-", dir=state))

    def __enter__(self) -> "Surroundings":
        return self

    def __exit__(self, *_exception: object) -> None:
        if "snapshots" in self.__dict__:
            self.snapshots.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @cached_property
    def blobs(self) -> BlobStore:
        return BlobStore(self.directory / "blobs")

    @cached_property
    def capabilities(self) -> Capabilities:
        return probe(self.directory)

    @cached_property
    def choice(self) -> Choice:
        return choose(self.capabilities)

    @cached_property
    def snapshots(self) -> Snapshotter:
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
