"""The overlay snapshotter on real mounts, with both kinds of marks for opaque directories."""

import os
import shutil
from pathlib import Path

import pytest
from imagebuild_engine.host.content import BlobStore
from imagebuild_engine.host.layers import pack
from imagebuild_engine.host.snapshots import FlatSnapshotter, MountFailed, OverlaySnapshotter, Snapshotter

from tests.conformance.snapshots import SnapshotterSuite, layer, write
from tests.support.root import needs_root
from tests.support.tars import file, tar

pytestmark = [pytest.mark.root, needs_root]


class TestOverlay(SnapshotterSuite):
    def make(self, directory: Path) -> Snapshotter:
        return OverlaySnapshotter(directory)


class TestOverlayWithUserXattrs(SnapshotterSuite):
    """As in a user namespace."""

    def make(self, directory: Path) -> Snapshotter:
        return OverlaySnapshotter(directory, userxattr=True)


def test_both_snapshotters_make_the_same_layer(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    stamp = 1_500_000_000

    def still(root: Path) -> None:
        for folder, directories, files in os.walk(root, topdown=False):
            for name in (*directories, *files):
                os.utime(os.path.join(folder, name), (stamp, stamp), follow_symlinks=False)

    def base(root: Path) -> None:
        for name in ("d/a", "d/b", "e/deep/x", "e/deep/y"):
            write(root / name, name)
        still(root)

    def edit(root: Path) -> None:
        shutil.rmtree(root / "e")
        write(root / "e/deep/y", "again")
        (root / "d/a").unlink()
        (root / "d/b").chmod(0o600)
        os.link(root / "d/b", root / "d/c")
        (root / "link").symlink_to("d/c")
        os.utime(root / "link", (stamp, stamp), follow_symlinks=False)
        for name in ("e/deep/y", "e/deep", "e", "d"):
            os.utime(root / name, (stamp, stamp))

    digests = []
    for snapshots in (OverlaySnapshotter(tmp_path / "o"), FlatSnapshotter(tmp_path / "f")):
        SnapshotterSuite.step(snapshots, "a", None, base)
        SnapshotterSuite.step(snapshots, "b", "a", edit)
        with snapshots.changes("b") as changes:
            digests.append(pack(changes, store).descriptor.digest)
        snapshots.close()
    assert digests[0] == digests[1]


def test_a_copied_up_file_that_did_not_change_is_no_change(tmp_path: Path) -> None:
    snapshots = OverlaySnapshotter(tmp_path / "o")
    SnapshotterSuite.step(snapshots, "a", None, lambda root: write(root / "d/f", "x"))

    def touch(root: Path) -> None:
        os.close(os.open(root / "d/f", os.O_RDWR))

    SnapshotterSuite.step(snapshots, "b", "a", touch)
    assert SnapshotterSuite.changed(snapshots, "b") == {}
    snapshots.close()


def test_too_many_layers_are_a_clear_error(tmp_path: Path) -> None:
    snapshots = OverlaySnapshotter(tmp_path / "o")
    snapshots.apply_chain(None, [layer(f"n{number}", tar([file(f"f{number}")])) for number in range(600)])
    with pytest.raises(MountFailed, match="600 layers"):
        snapshots.prepare("k", "n599")
    snapshots.close()
