"""Snapshots on overlayfs: each is one directory of differences, a tree is what the kernel shows of several.

    <directory>/l/<n>   what snapshot n adds: overlayfs's upper directory while active, a lower one when committed
    <directory>/w/<n>   overlayfs's work directory of an active snapshot
    <directory>/m/<n>   where trees are mounted

A snapshot without parent needs no mount: its directory is its tree. The root directory's own metadata are taken by
overlayfs from the topmost layer, so each layer's root is made to look like the one below it first.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..layers import Applied, Changes, Limits, Style, apply
from ..layers.styles import OPAQUE_TRUSTED, OPAQUE_USER
from ..rootfs import Ownership, Tree, entry_at
from ..rootfs.namespace import in_user_namespace
from ..rootfs.node import set_metadata
from .gate import Closed, Gate, GatedSource
from .mounts import OverlayMounter
from .overlay_changes import overlay_changes
from .snapshotter import LayerSource, SnapshotExists, SnapshotMissing, naming


@dataclass(frozen=True, slots=True)
class _Layer:
    number: int
    parent: "_Layer | None"

    def chain(self) -> tuple[str, ...]:
        """Directories, topmost first, as the mounter names them."""
        found: list[str] = []
        layer: _Layer | None = self
        while layer is not None:
            found.append(f"l/{layer.number}")
            layer = layer.parent
        return tuple(found)


class OverlaySnapshotter:
    """See the Protocol. `directory` is ours alone and must be on a file system that overlayfs takes as upper (not on
    another overlay). `workers`: how many layers are unpacked side by side.
    """

    ownership = Ownership.REAL

    def __init__(
        self, directory: Path | str, *, userxattr: bool | None = None, workers: int = 2, limits: Limits | None = None
    ) -> None:
        self._directory = Path(directory).resolve()
        for part in ("l", "w", "m"):
            (self._directory / part).mkdir(parents=True, exist_ok=True)
        self._in_user_namespace = in_user_namespace()
        self._userxattr = self._in_user_namespace if userxattr is None else userxattr
        self._opaque = OPAQUE_USER if self._userxattr else OPAQUE_TRUSTED
        self._limits = limits or Limits()
        self._workers = workers
        self._mounter = OverlayMounter(self._directory, userxattr=self._userxattr)
        self._lock = threading.RLock()
        self._count = 0
        self._committed: dict[str, _Layer] = {}
        self._active: dict[str, _Layer] = {}
        self._views: dict[_Layer, Path] = {}
        self._gate = Gate()

    def __repr__(self) -> str:
        return f"<OverlaySnapshotter {self._directory} {len(self._committed)} committed, {len(self._active)} active>"

    def exists(self, name: str) -> bool:
        return name in self._committed

    def prepare(self, key: str, parent: str | None) -> Path:
        with self._gate:
            return self._prepare(key, parent)

    def _prepare(self, key: str, parent: str | None) -> Path:
        below = self._get(parent) if parent is not None else None
        with self._lock:
            if key in self._active:
                raise SnapshotExists(key)
            layer = self._new(below)
            self._active[key] = layer
        try:
            return self._mount_active(layer)
        except BaseException:
            self._remove(key)
            raise

    def commit(self, name: str, key: str) -> None:
        with self._gate:
            with self._lock:
                layer = self._active.get(key)
                if layer is None:
                    raise SnapshotMissing(key)
            self._unmount_active(layer)
            with self._lock:
                del self._active[key]
                if name in self._committed:
                    self._delete(layer)
                else:
                    self._committed[name] = layer

    def view(self, name: str | None) -> AbstractContextManager[Path]:
        return self._view(None if name is None else self._get(name))

    def apply_chain(self, parent: str | None, layers: Sequence[LayerSource]) -> None:
        with self._gate:
            self._apply_chain(parent, layers)

    def _apply_chain(self, parent: str | None, layers: Sequence[LayerSource]) -> None:
        below = self._get(parent) if parent is not None else None
        missing: list[LayerSource] = []
        for source in layers:
            known = self._committed.get(source.name)
            if known is not None and not missing:
                below = known
            else:
                missing.append(source)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="unpack") as pool:
            new: list[_Layer] = []
            for _ in missing:
                new.append(self._new(new[-1] if new else below))
            jobs = [pool.submit(self._apply, layer, source) for layer, source in zip(new, missing, strict=True)]
            try:
                for layer, source, job in zip(new, missing, jobs, strict=True):
                    with naming(source):
                        self._finish(layer, source, job.result())
                    with self._lock:
                        self._committed[source.name] = layer
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise

    @contextmanager
    def changes(self, name: str) -> Iterator[Changes]:
        layer = self._get(name)
        root = self._path(layer)
        with self._gate, self._view(layer.parent) as parent:
            yield overlay_changes(root, parent if layer.parent else None, self._opaque)

    def remove(self, key_or_name: str) -> None:
        with suppress(Closed), self._gate:
            self._remove(key_or_name)

    def _remove(self, key_or_name: str) -> None:
        with self._lock:
            active = self._active.pop(key_or_name, None)
            committed = self._committed.pop(key_or_name, None) if active is None else None
        if active is not None:
            self._unmount_active(active)
            self._delete(active)
        if committed is not None:
            with self._lock:
                used = any(
                    f"l/{committed.number}" in layer.chain()
                    for layer in (*self._committed.values(), *self._active.values())
                )
                if not used:
                    if view := self._views.pop(committed, None):
                        self._mounter.umount(view)
                    self._delete(committed)

    def close(self) -> None:
        if not self._gate.close():
            return
        self._mounter.close()
        self._active.clear()
        self._committed.clear()
        self._views.clear()
        with Tree(self._directory) as tree:
            for part in ("m", "w", "l"):
                tree.remove(part)

    # --- layers ------------------------------------------------------------------------------------------------

    def _get(self, name: str) -> _Layer:
        try:
            return self._committed[name]
        except KeyError:
            raise SnapshotMissing(name) from None

    def _path(self, layer: _Layer) -> Path:
        return self._directory / "l" / str(layer.number)

    def _new(self, parent: _Layer | None) -> _Layer:
        with self._lock:
            self._count += 1
            layer = _Layer(self._count, parent)
        self._path(layer).mkdir(mode=0o755)
        self._path(layer).chmod(0o755)  # whatever the umask
        return layer

    def _delete(self, layer: _Layer) -> None:
        with Tree(self._directory) as tree:
            for part in ("l", "w", "m"):
                tree.remove(f"{part}/{layer.number}")

    def _inherit_root(self, layer: _Layer) -> None:
        if layer.parent is not None:
            with Tree(self._path(layer.parent)) as below, Tree(self._path(layer)) as tree:
                set_metadata(tree, entry_at(below.fd, b".", b""), tree.fd, b".")

    def _apply(self, layer: _Layer, source: LayerSource) -> Applied:
        style = Style.TREE if layer.parent is None else Style.OVERLAY
        with Tree(self._path(layer)) as tree:
            return self._apply_to(tree, source, style)

    def _apply_to(self, tree: Tree, source: LayerSource, style: Style) -> Applied:
        return apply(
            GatedSource(source.open(), self._gate),
            tree,
            style=style,
            expected=source.diff_id,
            limits=self._limits,
            opaque_xattr=self._opaque,
            skip_devices=self._in_user_namespace,
        )

    def _finish(self, layer: _Layer, source: LayerSource, applied: Applied) -> None:
        """What needs the layers below: the root's metadata, or all of it."""
        if layer.parent is None:
            return
        if applied.depends_on_parent:
            with Tree(self._directory) as tree:
                tree.remove(f"l/{layer.number}")
            self._path(layer).mkdir(mode=0o755)
            root = self._mount_active(layer)
            try:
                with Tree(root) as tree:
                    self._apply_to(tree, source, Style.TREE)
            finally:
                self._unmount_active(layer)
        elif not applied.root_has_entry:
            self._inherit_root(layer)

    # --- mounts ------------------------------------------------------------------------------------------------

    def _mount_active(self, layer: _Layer) -> Path:
        if layer.parent is None:
            return self._path(layer)
        self._inherit_root(layer)
        number = str(layer.number)
        target = self._directory / "m" / number
        target.mkdir()
        (self._directory / "w" / number).mkdir()
        self._mounter.mount(target, layer.parent.chain(), f"l/{number}", f"w/{number}")
        return target

    def _unmount_active(self, layer: _Layer) -> None:
        if layer.parent is None:
            return
        number = str(layer.number)
        self._mounter.umount(self._directory / "m" / number)
        with Tree(self._directory) as tree:
            tree.remove(f"w/{number}")
            tree.remove(f"m/{number}")

    @contextmanager
    def _view(self, layer: _Layer | None) -> Iterator[Path]:
        """Stays mounted until the snapshot goes: the next reader finds it there."""
        if layer is None:
            empty = self._directory / "m" / "empty"
            empty.mkdir(exist_ok=True)
            yield empty
            return
        if layer.parent is None:
            yield self._path(layer)
            return
        with self._lock:
            target = self._views.get(layer)
            if target is None:
                target = self._directory / "m" / f"v{layer.number}"
                target.mkdir(exist_ok=True)
                self._mounter.mount(target, layer.chain())
                self._views[layer] = target
        yield target
