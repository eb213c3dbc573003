"""The flat snapshotter. It mounts nothing, but keeps owners, so it wants root; with recorded owners it does not."""

import os
from pathlib import Path

import pytest
from imagebuild_engine.host.rootfs import Ownership, Tree, entry_at, scan
from imagebuild_engine.host.snapshots import FlatSnapshotter, Snapshotter

from tests.conformance.snapshots import SnapshotterSuite, layer, write
from tests.support.root import needs_root
from tests.support.tars import directory, file, tar


@needs_root
@pytest.mark.root
class TestFlat(SnapshotterSuite):
    def make(self, directory: Path) -> Snapshotter:
        return FlatSnapshotter(directory)


def test_files_that_an_executor_moved_away_and_back_did_not_change(tmp_path: Path) -> None:
    snapshots = FlatSnapshotter(tmp_path / "f", ownership=Ownership.RECORDED)
    SnapshotterSuite.step(snapshots, "a", None, lambda root: write(root / "etc/hosts", "x"))

    def away_and_back(root: Path) -> None:
        times = root.joinpath("etc").stat()
        (root / "etc/hosts").rename(root / "aside")
        write(root / "etc/hosts", "for the step")
        (root / "aside").rename(root / "etc/hosts")
        os.utime(root / "etc", ns=(times.st_atime_ns, times.st_mtime_ns))

    SnapshotterSuite.step(snapshots, "b", "a", away_and_back)
    assert SnapshotterSuite.changed(snapshots, "b") == {}
    snapshots.close()


def test_owners_are_recorded_where_they_cannot_be_real(tmp_path: Path) -> None:
    snapshots = FlatSnapshotter(tmp_path / "f", ownership=Ownership.RECORDED)
    data = tar([directory("d", uid=33, gid=44, mode=0o555), file("d/f", "x", uid=1000, gid=1000, mode=0o4000)])
    snapshots.apply_chain(None, [layer("1", data)])
    with snapshots.view("1") as root:
        entries = {entry.path: entry for entry in scan(root)}
        assert (entries[b"d"].uid, entries[b"d"].gid, entries[b"d"].mode) == (33, 44, 0o555)
        assert (entries[b"d/f"].uid, entries[b"d/f"].mode) == (1000, 0o4000)
        assert (root / "d/f").read_text() == "x"
        assert os.stat(root / "d/f").st_uid == os.geteuid()

    def add(root: Path) -> None:
        write(root / "d/g")

    SnapshotterSuite.step(snapshots, "2", "1", add)
    with snapshots.view("2") as root, Tree(root) as tree:
        assert entry_at(tree.fd, b"d", b"d").uid == 33
    snapshots.close()
