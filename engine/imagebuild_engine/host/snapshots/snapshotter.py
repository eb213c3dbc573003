"""Snapshots: trees that grow out of each other. The words are containerd's.

A *key* names an active snapshot, which one step writes to; a *name* names a committed one, which never changes. A
worked story: a base image's layers are applied one on the other (`apply_chain`), the topmost is a RUN step's parent:

    with snapshotter.view("sha256:base") as root:         # read: content checksums, USER lookups
        ...
    root = snapshotter.prepare("step-4", parent="sha256:base")
    ...                                                    # the executor runs in `root`
    snapshotter.commit("step-4-result", key="step-4")
    changes = snapshotter.changes("step-4-result")         # for `layers.pack`
    ...
    snapshotter.close()                                    # nothing stays mounted, no file stays

All methods block and may be called from several threads; each snapshot by one at a time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...core.oci import Digest
from ..layers import ByteSource, Changes, LayerError
from ..rootfs import Ownership


class SnapshotError(Exception):
    """A snapshot cannot be made, found or kept."""


class SnapshotExists(SnapshotError):
    def __init__(self, name: str) -> None:
        super().__init__(f"snapshot {name} exists already")
        self.name = name


class SnapshotMissing(SnapshotError):
    def __init__(self, name: str) -> None:
        super().__init__(f"there is no snapshot {name}")
        self.name = name


class MountFailed(SnapshotError):
    """The kernel refused a mount; `layers` says how many directories lie on each other."""

    def __init__(self, target: Path, layers: int, error: OSError) -> None:
        super().__init__(f"cannot mount {layers} layers at {target}: {error.strerror}")
        self.target = target
        self.layers = layers
        self.errno = error.errno


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSource:
    """One layer that can be applied. `name` is what the snapshot with this layer on top will be called (its chain id).

    `open` may be called more than once, also after the snapshot exists: it starts at the first byte each time.
    """

    name: str
    open: Callable[[], ByteSource]
    diff_id: Digest | None
    media_type: str


@contextmanager
def naming(source: LayerSource) -> Iterator[None]:
    """What is wrong with the layer says which one it is."""
    try:
        yield
    except LayerError as error:
        error.layer = source.name
        raise


class Snapshotter(Protocol):
    """Where trees are kept. See the module's story."""

    ownership: Ownership

    def exists(self, name: str) -> bool:
        """Is there a committed snapshot of this name?"""
        ...

    def prepare(self, key: str, parent: str | None) -> Path:
        """A directory with the parent's tree (or an empty one) that may be written to, until commit or remove."""
        ...

    def commit(self, name: str, key: str) -> None:
        """The active snapshot becomes a committed one; its directory is no longer valid.

        If the name exists already (two steps with the same result), the new tree is dropped.
        """
        ...

    def view(self, name: str | None) -> AbstractContextManager[Path]:
        """A directory with the tree, to be read only, valid inside the `with`. None is the empty tree."""
        ...

    def apply_chain(self, parent: str | None, layers: Sequence[LayerSource]) -> None:
        """Makes one committed snapshot per layer, oldest first, each on the one before. Those that exist are skipped.

        Raises the errors of `layers.apply`, which name the bad layer; those before it may exist then.
        """
        ...

    def changes(self, name: str) -> AbstractContextManager[Changes]:
        """What the snapshot has that its parent does not, in the order of a layer; valid inside the `with`."""
        ...

    def remove(self, key_or_name: str) -> None:
        """Drops a snapshot; children of a committed one stay usable. Unknown names are no error."""
        ...

    def close(self) -> None:
        """Unmounts and deletes everything. Can be called twice.

        Whoever is in the middle of something is waited for; unpacking ends at its next read. Afterwards all methods
        but `remove` and `exists` raise Closed.
        """
        ...
