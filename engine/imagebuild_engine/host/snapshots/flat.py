"""Snapshots without mounts: whole trees, each written to by one chain of steps after the other.

Copying a tree for every step would be slow and links between trees would be unsafe (a step may write into a file in
place), so a tree moves along: committing compares its metadata with those from before, and keeps a copy of what changed
(the delta) beside it. The tree is then *at* the new snapshot, and no longer at the old one.

    t/1   at "c"      a ── b ── c          whoever needs "b" again gets a new tree: a's layers are applied once more,
    d/2, d/3          layer  delta delta   b's delta is copied over it

So a chain of steps costs its deltas only, and going back costs a rebuild of the tree from what is on disk.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..layers import Changes, Limits, Style, apply, changes_between
from ..rootfs import Entry, Ownership, Tree, scan
from ..rootfs.namespace import in_user_namespace
from ..rootfs.owner import ownership_here
from .delta import put_delta, save_delta
from .gate import Closed, Gate, GatedSource
from .snapshotter import LayerSource, SnapshotExists, SnapshotMissing, naming

PUT_BACK = frozenset({b"etc/resolv.conf", b"etc/hosts"})
"""What an executor without mounts replaces for the time of a step: the same files are there again afterwards."""


@dataclass(frozen=True, slots=True)
class _Committed:
    name: str
    parent: "_Committed | None"
    content: LayerSource | Changes

    def chain(self) -> "tuple[_Committed, ...]":
        """Oldest first."""
        found: list[_Committed] = []
        here: _Committed | None = self
        while here is not None:
            found.append(here)
            here = here.parent
        return tuple(found[::-1])


@dataclass(slots=True, eq=False)
class _Tree:
    path: Path
    at: _Committed | None
    """Which snapshot the tree shows, while nobody writes to it."""
    before: dict[bytes, Entry] | None = None
    """Its metadata, where known."""
    busy: bool = False
    """Somebody writes to it: it shows nothing."""
    readers: int = 0


class FlatSnapshotter:
    """See the Protocol. Needs no rights but those to write files; keeping owners needs CAP_CHOWN (see Ownership)."""

    def __init__(
        self, directory: Path | str, *, ownership: Ownership | None = None, limits: Limits | None = None
    ) -> None:
        self._directory = Path(directory).resolve()
        for part in ("t", "d"):
            (self._directory / part).mkdir(parents=True, exist_ok=True)
        self.ownership = ownership or ownership_here()
        self._skip_devices = in_user_namespace() or os.geteuid() != 0
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._count = 0
        self._committed: dict[str, _Committed] = {}
        self._active: dict[str, _Tree] = {}
        self._trees: list[_Tree] = []
        self._gate = Gate()

    def __repr__(self) -> str:
        return f"<FlatSnapshotter {self._directory} {len(self._committed)} committed, {len(self._trees)} trees>"

    def exists(self, name: str) -> bool:
        return name in self._committed

    def prepare(self, key: str, parent: str | None) -> Path:
        with self._gate:
            return self._prepare(key, parent)

    def _prepare(self, key: str, parent: str | None) -> Path:
        snapshot = self._get(parent) if parent is not None else None
        with self._lock:
            if key in self._active:
                raise SnapshotExists(key)
            tree = self._active[key] = self._writable(snapshot)
        if tree.before is None:
            tree.before = {entry.path: entry for entry in scan(tree.path)}
        return tree.path

    def commit(self, name: str, key: str) -> None:
        with self._gate:
            self._commit(name, key)

    def _commit(self, name: str, key: str) -> None:
        with self._lock:
            tree = self._active.get(key)
            if tree is None:
                raise SnapshotMissing(key)
            known = self._committed.get(name)
        assert tree.before is not None
        after = {entry.path: entry for entry in scan(tree.path)}
        changes = changes_between(tree.before, after.values(), PUT_BACK)
        if known is None:
            kept = self._new_directory("d")
            save_delta(changes, tree.path, kept, self.ownership)
            content = Changes(kept, tuple(changes))
        with self._lock:
            del self._active[key]
            if known is None:
                tree.at = self._committed[name] = _Committed(name, tree.at, content)
                tree.before = after
                tree.busy = False
            else:
                self._drop(tree)

    @contextmanager
    def _reading(self, snapshot: _Committed | None) -> Iterator[_Tree]:
        with self._lock:
            tree = next((tree for tree in self._trees if tree.at is snapshot and not tree.busy), None)
            if tree is None:
                tree = self._writable(snapshot)
                tree.busy = False
            tree.readers += 1
        try:
            yield tree
        finally:
            with self._lock:
                tree.readers -= 1

    def view(self, name: str | None) -> AbstractContextManager[Path]:
        return self._view(self._get(name) if name is not None else None)

    @contextmanager
    def _view(self, snapshot: _Committed | None) -> Iterator[Path]:
        with self._reading(snapshot) as tree:
            yield tree.path

    def apply_chain(self, parent: str | None, layers: Sequence[LayerSource]) -> None:
        with self._gate:
            self._apply_chain(parent, layers)

    def _apply_chain(self, parent: str | None, layers: Sequence[LayerSource]) -> None:
        here = self._get(parent) if parent is not None else None
        missing = list(layers)
        while missing and (known := self._committed.get(missing[0].name)) is not None:
            here = known
            missing.pop(0)
        if not missing:
            return
        with self._lock:
            tree = self._writable(here)
        try:
            for layer in missing:
                with naming(layer):
                    self._apply(tree, layer)
                with self._lock:
                    here = self._committed[layer.name] = _Committed(layer.name, here, layer)
        except BaseException:
            with self._lock:
                self._drop(tree)
            raise
        with self._lock:
            tree.at, tree.before, tree.busy = here, None, False

    @contextmanager
    def changes(self, name: str) -> Iterator[Changes]:
        with self._gate, self._changes(name) as changes:
            yield changes

    @contextmanager
    def _changes(self, name: str) -> Iterator[Changes]:
        snapshot = self._get(name)
        if isinstance(snapshot.content, Changes):
            yield snapshot.content
            return
        # Of a layer that was applied nothing was kept: apply it once more and look.
        with self._lock:
            tree = self._writable(snapshot.parent)
        try:
            before = {entry.path: entry for entry in scan(tree.path)}
            self._apply(tree, snapshot.content)
            yield Changes(tree.path, tuple(changes_between(before, scan(tree.path))))
        finally:
            with self._lock:
                self._drop(tree)

    def remove(self, key_or_name: str) -> None:
        with suppress(Closed), self._gate:
            self._remove(key_or_name)

    def _remove(self, key_or_name: str) -> None:
        with self._lock:
            if (tree := self._active.pop(key_or_name, None)) is not None:
                self._drop(tree)
                return
            gone = self._committed.pop(key_or_name, None)
            if gone is None:
                return
            kept = {snapshot for found in self._committed.values() for snapshot in found.chain()}
            kept |= {snapshot for tree in self._trees if tree.busy and tree.at for snapshot in tree.at.chain()}
            if gone in kept:
                return  # children are made from it; its files go with the last of them, or on close
            for tree in [tree for tree in self._trees if tree.at is gone and not tree.busy and not tree.readers]:
                self._drop(tree)
            if isinstance(gone.content, Changes):
                self._delete(gone.content.root)

    def close(self) -> None:
        if not self._gate.close():
            return
        self._active.clear()
        self._committed.clear()
        self._trees.clear()
        with Tree(self._directory) as tree:
            for part in ("t", "d"):
                tree.remove(part)

    # --- trees -------------------------------------------------------------------------------------------------

    def _get(self, name: str) -> _Committed:
        try:
            return self._committed[name]
        except KeyError:
            raise SnapshotMissing(name) from None

    def _writable(self, snapshot: _Committed | None) -> _Tree:
        """A tree that shows the snapshot, for the caller alone (busy). To be called with the lock."""
        if snapshot is not None:
            for tree in self._trees:
                if tree.at is snapshot and not tree.busy and not tree.readers:
                    tree.busy = True
                    return tree
        tree = _Tree(self._new_directory("t"), snapshot, busy=True)
        self._trees.append(tree)
        try:
            for step in snapshot.chain() if snapshot else ():
                if isinstance(step.content, Changes):
                    put_delta(step.content, tree.path, self.ownership)
                else:
                    self._apply(tree, step.content)
        except BaseException:
            self._drop(tree)
            raise
        return tree

    def _apply(self, tree: _Tree, layer: LayerSource) -> None:
        with Tree(tree.path, self.ownership) as target:
            apply(
                GatedSource(layer.open(), self._gate),
                target,
                style=Style.TREE,
                expected=layer.diff_id,
                limits=self._limits,
                skip_devices=self._skip_devices,
            )

    def _new_directory(self, part: str) -> Path:
        with self._lock:
            self._count += 1
            path = self._directory / part / str(self._count)
        path.mkdir()
        path.chmod(0o755)  # whatever the umask
        return path

    def _drop(self, tree: _Tree) -> None:
        if tree in self._trees:
            self._trees.remove(tree)
        self._delete(tree.path)

    def _delete(self, path: Path) -> None:
        with Tree(self._directory) as tree:
            tree.remove(os.fspath(path.relative_to(self._directory)))
