"""Where a step's own mounts go: what they are mounted on is made in the tree, or left to the runtime.

A runtime resolves a destination in the tree as it is then, with all earlier mounts, and never out of it (openat2 or the
same by hand). So it gets destinations as they are written. What lies inside an earlier mount is made there by the
runtime too; for everything else we make the mount point, so that it is known what has to go afterwards.
"""

import os
import stat
from collections.abc import Iterator

from ..rootfs import TooManyLinks, Tree, clean
from .environment import MOUNT_POINTS
from .errors import StartFailed
from .oci_mounts import Spec, asked_mount
from .process import BindMount, Process, TmpfsMount
from .stubs import Stubs

_TMPFS_MODE = 0o1777


def asked_mounts(process: Process, stubs: Stubs) -> Iterator[Spec]:
    """One after the other, each with its point ready. Raises StartFailed for what cannot be mounted on."""
    mounted = list(MOUNT_POINTS)
    for mount in process.mounts:
        path = clean(mount.destination)
        destination = "/" + os.fsdecode(path)
        if not path:
            raise StartFailed(process.args[0], "nothing can be mounted over the whole tree")
        mode = None
        if not _is_hidden(stubs.tree, path, mounted):
            mode = _mode(mount, stubs.tree, path)
            place = stubs.mount_point(path, directory=_is_directory(mount))
            if place is None:
                kind = "directory" if _is_directory(mount) else "file"
                raise StartFailed(
                    process.args[0], f"cannot mount a {kind} on {destination}: the image has no {kind} there"
                )
            mounted.append(place)
        yield asked_mount(mount, destination, mode)


def _is_directory(mount: BindMount | TmpfsMount) -> bool:
    return isinstance(mount, TmpfsMount) or mount.source.is_dir()


def _is_hidden(tree: Tree, path: bytes, mounted: list[bytes]) -> bool:
    """Does the path lead to, or through, a place where something else has been mounted by then?"""
    parts = path.split(b"/")
    for count in range(1, len(parts) + 1):
        try:
            place = tree.resolve(b"/".join(parts[:count]))
        except (NotADirectoryError, TooManyLinks):
            return False
        if any(place == point or place.startswith(point + b"/") for point in mounted):
            return True
    return False


def _mode(mount: BindMount | TmpfsMount, tree: Tree, path: bytes) -> int | None:
    """A tmpfs has the mode of what it covers, or is everybody's."""
    if isinstance(mount, BindMount):
        return None
    try:
        return stat.S_IMODE(tree.stat(path).st_mode)
    except OSError:
        return _TMPFS_MODE
