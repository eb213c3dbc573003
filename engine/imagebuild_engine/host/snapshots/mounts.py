"""Mounting overlays, with options that fit into one page however many layers there are."""

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import EBUSY, EINVAL, ENOENT
from pathlib import Path

from ..rootfs.syscalls import CLONE_FS, MNT_DETACH, MS_RDONLY, mount, umount, unshare
from .snapshotter import MountFailed


class OverlayMounter:
    """Mounts overlays of directories that lie below one directory, named relative to it.

    mount(2) takes a page of options: 300 absolute paths do not fit, 300 short relative ones do. Relative paths need a
    current directory, which belongs to the process, unless a thread unshares its own: so one thread does all mounts.
    """

    def __init__(self, base: Path, *, userxattr: bool) -> None:
        self._base = base
        self._userxattr = userxattr
        self._volatile = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mount", initializer=self._settle)
        self._mounted: set[Path] = set()

    def _settle(self) -> None:
        unshare(CLONE_FS)
        os.chdir(self._base)

    def mount(self, target: Path, lower: tuple[str, ...], upper: str | None = None, work: str | None = None) -> None:
        """`lower` is topmost first; without `upper` the mount is read-only (two lower ones at least). MountFailed."""
        self._thread.submit(self._mount, target, lower, upper, work).result()

    def _mount(self, target: Path, lower: tuple[str, ...], upper: str | None, work: str | None) -> None:
        options = ["lowerdir=" + ":".join(lower)]
        if upper is not None:
            options += [f"upperdir={upper}", f"workdir={work}"]
        # What would make a layer depend on where it lay: off. Beside userxattr the kernel refuses the last two.
        options += ["index=off"]
        options += ["userxattr"] if self._userxattr else ["metacopy=off", "redirect_dir=off"]
        relative = os.path.relpath(target, self._base)
        volatile = ["volatile"] if upper is not None and self._volatile else []
        try:
            mount("overlay", relative, "overlay", 0 if upper else MS_RDONLY, ",".join(options + volatile))
        except OSError as error:
            if not (volatile and error.errno == EINVAL):
                raise MountFailed(target, len(lower), error) from error
            try:
                mount("overlay", relative, "overlay", 0, ",".join(options))
            except OSError as again:
                raise MountFailed(target, len(lower), again) from again
            self._volatile = False  # before Linux 5.10
        self._mounted.add(target)

    def umount(self, target: Path) -> None:
        """Also if somebody still has a file open there: then it vanishes with the last of them."""
        try:
            umount(str(target))
        except OSError as error:
            if error.errno == EBUSY:
                umount(str(target), MNT_DETACH)
            elif error.errno not in {EINVAL, ENOENT}:  # not mounted
                raise
        self._mounted.discard(target)

    def close(self) -> None:
        self._thread.shutdown()  # first: what was to be mounted is mounted then
        for target in tuple(self._mounted):
            with suppress(OSError):
                umount(str(target), MNT_DETACH)
        self._mounted.clear()
