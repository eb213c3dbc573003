"""The flat snapshotter. It mounts nothing, but keeps owners, so it wants root; with recorded owners it does not."""

import os
import tarfile
from pathlib import Path

import pytest
from imagebuild_engine.host.layers import Deleted
from imagebuild_engine.host.rootfs import Kind, Ownership, Tree, entry_at, scan
from imagebuild_engine.host.snapshots import FlatSnapshotter, Snapshotter

from tests.conformance.snapshots import SnapshotterSuite, layer, write
from tests.support.root import needs_root
from tests.support.tars import directory, file, member, tar


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


def test_special_files_are_recorded_where_they_cannot_be_real(tmp_path: Path) -> None:
    snapshots = FlatSnapshotter(tmp_path / "f", ownership=Ownership.RECORDED)
    fifo = member("fifo", tarfile.FIFOTYPE, uid=33, mode=0o640)
    null = member("null", tarfile.CHRTYPE, device=(1, 3), mode=0o666)
    snapshots.apply_chain(None, [layer("1", tar([fifo, null]))])
    with snapshots.changes("1") as changes:
        found = {change.path: change.entry for change in changes.items if not isinstance(change, Deleted)}
    assert (found[b"fifo"].kind, found[b"fifo"].uid, found[b"fifo"].mode) == (Kind.FIFO, 33, 0o640)
    assert (found[b"null"].kind, found[b"null"].devmajor, found[b"null"].devminor) == (Kind.CHAR, 1, 3)
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
