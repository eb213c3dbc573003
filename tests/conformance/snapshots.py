"""What every snapshotter must do. A kind of snapshotter is tested by a subclass that says how it is made."""

import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.oci import Digest, MediaType
from imagebuild_engine.host.content import BlobStore
from imagebuild_engine.host.layers import InvalidLayer, UnsafeLayer, WrongDiffId, pack
from imagebuild_engine.host.rootfs import Tree
from imagebuild_engine.host.snapshots import (
    Closed,
    LayerSource,
    SnapshotExists,
    SnapshotMissing,
    Snapshotter,
)

from tests.support.tars import Bytes, directory, file, hard_link, symlink, tar
from tests.support.trees import Picture, picture

Edit = Callable[[Path], None]


def layer(name: str, data: bytes, diff_id: Digest | None = None) -> LayerSource:
    return LayerSource(
        name=name, open=lambda: Bytes(data), diff_id=diff_id or Digest.of(data), media_type=MediaType.OCI_LAYER
    )


def write(path: Path, text: str = "", mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


class SnapshotterSuite:
    def make(self, directory: Path) -> Snapshotter:
        raise NotImplementedError

    @pytest.fixture
    def snapshots(self, tmp_path: Path) -> Iterator[Snapshotter]:
        snapshots = self.make(tmp_path / "snapshots")
        yield snapshots
        snapshots.close()
        assert str(tmp_path) not in Path("/proc/self/mounts").read_text(), "something is still mounted"
        assert list((tmp_path / "snapshots").iterdir()) == [], "something still lies there"

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        return BlobStore(tmp_path / "blobs")

    # --- tools -------------------------------------------------------------------------------------------------

    @staticmethod
    def step(snapshots: Snapshotter, name: str, parent: str | None, edit: Edit) -> None:
        root = snapshots.prepare(f"key-{name}", parent)
        edit(root)
        snapshots.commit(name, f"key-{name}")

    @staticmethod
    def look(snapshots: Snapshotter, name: str | None) -> Picture:
        with snapshots.view(name) as root:
            return picture(root)

    @staticmethod
    def changed(snapshots: Snapshotter, name: str) -> dict[str, str]:
        with snapshots.changes(name) as changes:
            return {os.fsdecode(change.path): type(change).__name__ for change in changes.items}

    def travels(self, snapshots: Snapshotter, store: BlobStore, base: Edit, *edits: Edit) -> list[dict[str, str]]:
        """Makes a chain of steps, packs each, applies the layers to a fresh snapshotter: the trees must be the same.

        Returns what changed in each step after the base.
        """
        names = [f"step{number}" for number in range(len(edits) + 1)]
        parent = None
        pictures = []
        for name, edit in zip(names, (base, *edits), strict=True):
            self.step(snapshots, name, parent, edit)
            parent = name
        layers = []
        for name in names:
            with snapshots.changes(name) as changes:
                packed = pack(changes, store)
                again = pack(changes, store)
            assert packed == again, "the same changes must give the same bytes"
            layers.append(
                LayerSource(
                    name=f"again-{name}",
                    open=lambda digest=packed.descriptor.digest: store.open(digest),  # type: ignore[misc]
                    diff_id=packed.diff_id,
                    media_type=packed.descriptor.media_type,
                )
            )
            pictures.append(self.look(snapshots, name))
        snapshots.apply_chain(None, layers)
        for name, expected in zip(names, pictures, strict=True):
            assert self.look(snapshots, f"again-{name}") == expected
        return [self.changed(snapshots, name) for name in names[1:]]

    # --- life --------------------------------------------------------------------------------------------------

    def test_a_committed_snapshot_shows_what_was_written(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "etc/motd", "hello"))
        with snapshots.view("a") as root:
            assert (root / "etc/motd").read_text() == "hello"
        assert snapshots.exists("a")
        assert not snapshots.exists("key-a")

    def test_a_child_starts_with_its_parents_tree_and_does_not_change_it(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "one"))
        before = self.look(snapshots, "a")
        self.step(snapshots, "b", "a", lambda root: write(root / "f", "two"))
        assert self.look(snapshots, "a") == before
        with snapshots.view("b") as root:
            assert (root / "f").read_text() == "two"

    def test_two_children_of_one_parent_do_not_see_each_other(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "one"))
        left = snapshots.prepare("left", "a")
        right = snapshots.prepare("right", "a")
        write(left / "left")
        write(right / "f", "changed in place")
        snapshots.commit("l", "left")
        snapshots.commit("r", "right")
        assert set(self.look(snapshots, "l")) == {b"f", b"left"}
        assert set(self.look(snapshots, "r")) == {b"f"}
        with snapshots.view("l") as root:
            assert (root / "f").read_text() == "one"

    def test_an_old_snapshot_can_be_built_on_again(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "1"))
        self.step(snapshots, "b", "a", lambda root: (root / "f").unlink())
        self.step(snapshots, "c", "b", lambda root: write(root / "g", "3"))
        self.step(snapshots, "d", "a", lambda root: write(root / "h", "4"))
        assert set(self.look(snapshots, "d")) == {b"f", b"h"}
        assert set(self.look(snapshots, "c")) == {b"g"}

    def test_a_parent_is_readable_while_a_child_is_written(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "1"))
        with snapshots.view("a") as below:
            root = snapshots.prepare("k", "a")
            write(root / "f", "2")
            assert (below / "f").read_text() == "1"
            snapshots.commit("b", "k")
        with snapshots.view("a") as below:
            assert (below / "f").read_text() == "1"

    def test_a_removed_key_leaves_no_trace(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "1"))
        root = snapshots.prepare("k", "a")
        write(root / "f", "spoilt")
        snapshots.remove("k")
        self.step(snapshots, "b", "a", lambda root: write(root / "g"))
        with snapshots.view("b") as root:
            assert (root / "f").read_text() == "1"

    def test_removing_a_parent_keeps_its_children(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "1"))
        self.step(snapshots, "b", "a", lambda root: write(root / "g", "2"))
        snapshots.remove("a")
        assert not snapshots.exists("a")
        self.step(snapshots, "c", "b", lambda root: write(root / "h"))
        assert set(self.look(snapshots, "b")) == {b"f", b"g"}
        snapshots.remove("no such thing")

    def test_committing_under_a_known_name_keeps_the_first_tree(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "f", "first"))
        root = snapshots.prepare("again", None)
        write(root / "f", "second")
        snapshots.commit("a", "again")
        with snapshots.view("a") as root:
            assert (root / "f").read_text() == "first"

    def test_the_empty_tree_can_be_viewed(self, snapshots: Snapshotter) -> None:
        assert self.look(snapshots, None) == {}

    def test_unknown_and_taken_names_are_errors(self, snapshots: Snapshotter) -> None:
        with pytest.raises(SnapshotMissing):
            snapshots.prepare("k", "nobody")
        with pytest.raises(SnapshotMissing):
            snapshots.commit("n", "nobody")
        with pytest.raises(SnapshotMissing), snapshots.view("nobody"):
            pass
        snapshots.prepare("k", None)
        with pytest.raises(SnapshotExists):
            snapshots.prepare("k", None)

    def test_close_can_be_called_twice_with_a_step_half_done(self, tmp_path: Path) -> None:
        snapshots = self.make(tmp_path / "other")
        self.step(snapshots, "a", None, lambda root: write(root / "f"))
        write(snapshots.prepare("k", "a") / "g")
        snapshots.close()
        snapshots.close()
        assert list((tmp_path / "other").iterdir()) == []

    def test_close_ends_what_others_are_in_the_middle_of(self, tmp_path: Path) -> None:
        """An interrupted build leaves threads behind that unpack, prepare and commit."""
        snapshots = self.make(tmp_path / "other")
        data = tar([file(f"f{number}", "x" * 100_000) for number in range(300)])
        begun = threading.Event()

        class Slow(Bytes):
            def read(self, size: int, /) -> bytes:
                begun.set()
                time.sleep(0.01)
                return super().read(min(size, 1 << 14))

        endless = LayerSource(name="a", open=lambda: Slow(data), diff_id=None, media_type="")
        errors: list[BaseException] = []

        def work() -> None:
            try:
                snapshots.apply_chain(None, [endless])
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        assert begun.wait(10)
        time.sleep(0.1)
        snapshots.close()
        assert list((tmp_path / "other").iterdir()) == []
        thread.join(10)
        assert not thread.is_alive()
        assert [type(error) for error in errors] == [Closed]
        with pytest.raises(Closed):
            snapshots.prepare("k", None)
        snapshots.remove("k")

    def test_the_roots_own_metadata_come_from_the_parent(self, snapshots: Snapshotter) -> None:
        def own(root: Path) -> None:
            os.chown(root, 12, 34)
            root.chmod(0o711)

        self.step(snapshots, "a", None, own)
        self.step(snapshots, "b", "a", lambda root: write(root / "f"))
        with snapshots.view("b") as root:
            found = root.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (12, 34, 0o711)

    # --- changes -----------------------------------------------------------------------------------------------

    def test_a_step_that_changes_nothing_has_no_changes(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "d/f", "1"))
        self.step(snapshots, "b", "a", lambda root: None)
        assert self.changed(snapshots, "b") == {}

    def test_changes_name_what_was_added_modified_and_deleted_with_its_directories(
        self, snapshots: Snapshotter, store: BlobStore
    ) -> None:
        def base(root: Path) -> None:
            for name in ("d/keep", "d/change", "d/gone", "e/f/x"):
                write(root / name, "old")

        def edit(root: Path) -> None:
            write(root / "d/new", "new")
            write(root / "d/change", "changed")
            (root / "d/gone").unlink()
            shutil.rmtree(root / "e/f")

        assert self.travels(snapshots, store, base, edit) == [
            {
                "d": "Modified",
                "d/change": "Modified",
                "d/gone": "Deleted",
                "d/new": "Added",
                "e": "Modified",
                "e/f": "Deleted",
            }
        ]

    def test_a_directory_removed_and_made_again_does_not_show_its_old_content(
        self, snapshots: Snapshotter, store: BlobStore
    ) -> None:
        def base(root: Path) -> None:
            write(root / "d/old", "1")
            write(root / "d/sub/deep/old", "2")
            write(root / "d/sub/kept", "3")

        def edit(root: Path) -> None:
            shutil.rmtree(root / "d")
            write(root / "d/new", "4")
            write(root / "d/sub/kept", "5")

        (changes,) = self.travels(snapshots, store, base, edit)
        assert changes["d/old"] == "Deleted"
        assert changes["d/sub/deep"] == "Deleted"
        assert changes["d/sub/kept"] == "Modified"
        assert "d/sub/deep/old" not in changes

    def test_a_directory_removed_in_one_step_and_made_in_a_later_one(
        self, snapshots: Snapshotter, store: BlobStore
    ) -> None:
        self.travels(
            snapshots,
            store,
            lambda root: write(root / "d/old", "1"),
            lambda root: shutil.rmtree(root / "d"),
            lambda root: write(root / "d/new", "2"),
            lambda root: write(root / "d/newer", "3"),
        )

    def test_kinds_replace_each_other(self, snapshots: Snapshotter, store: BlobStore) -> None:
        def base(root: Path) -> None:
            write(root / "file-to-directory", "1")
            write(root / "directory-to-file/x", "2")
            write(root / "directory-to-link/x", "3")
            (root / "link-to-directory").symlink_to("directory-to-link")
            (root / "link-to-file").symlink_to("nowhere")

        def edit(root: Path) -> None:
            (root / "file-to-directory").unlink()
            write(root / "file-to-directory/y", "4")
            shutil.rmtree(root / "directory-to-file")
            write(root / "directory-to-file", "5")
            shutil.rmtree(root / "directory-to-link")
            (root / "directory-to-link").symlink_to("/etc")
            (root / "link-to-directory").unlink()
            write(root / "link-to-directory/z", "6")
            (root / "link-to-file").unlink()
            write(root / "link-to-file", "7")

        self.travels(snapshots, store, base, edit)

    def test_metadata_alone_are_a_change(self, snapshots: Snapshotter, store: BlobStore) -> None:
        def base(root: Path) -> None:
            for name in ("mode", "owner", "xattr", "time", "same"):
                write(root / name, "x")
            (root / "dir").mkdir()
            os.setxattr(root / "dir", "user.old", b"1")

        def edit(root: Path) -> None:
            (root / "mode").chmod(0o4755)
            os.chown(root / "owner", 1000, 1001)
            os.setxattr(root / "xattr", "user.new", b"\0\xff")
            os.utime(root / "time", (1, 1))
            os.removexattr(root / "dir", "user.old")
            (root / "dir").chmod(0o1777)

        (changes,) = self.travels(snapshots, store, base, edit)
        assert changes == dict.fromkeys(("dir", "mode", "owner", "time", "xattr"), "Modified")

    def test_file_capabilities_survive(self, snapshots: Snapshotter, store: BlobStore) -> None:
        capability = bytes.fromhex("0100000200040000000000000000000000000000")

        def edit(root: Path) -> None:
            write(root / "ping", "#!", 0o755)
            os.setxattr(root / "ping", "security.capability", capability)

        self.travels(snapshots, store, edit, lambda root: write(root / "other"))
        with snapshots.view("again-step1") as root:
            assert os.getxattr(root / "ping", "security.capability") == capability

    def test_content_counts_where_times_and_sizes_lie(self, snapshots: Snapshotter, store: BlobStore) -> None:
        def base(root: Path) -> None:
            write(root / "f", "aaaa")
            os.utime(root / "f", (1, 1))

        def edit(root: Path) -> None:
            write(root / "f", "bbbb")
            os.utime(root / "f", (1, 1))

        assert self.travels(snapshots, store, base, edit) == [{"f": "Modified"}]

    def test_hard_links_stay_links(self, snapshots: Snapshotter, store: BlobStore) -> None:
        def base(root: Path) -> None:
            write(root / "a", "1")
            os.link(root / "a", root / "b")

        def edit(root: Path) -> None:
            write(root / "new/c", "2")
            os.link(root / "new/c", root / "d")
            os.link(root / "a", root / "e")

        def unlink(root: Path) -> None:
            (root / "d").unlink()

        self.travels(snapshots, store, base, edit, unlink)

    def test_odd_names_travel(self, snapshots: Snapshotter, store: BlobStore) -> None:
        names = [
            b"\xff\xfe not utf-8",
            "ümläut".encode(),
            b"new\nline",
            b"back\\slash",
            b"x" * 255,
            b" ",
            b"-rf",
            b"a b",
        ]

        def base(root: Path) -> None:
            for name in names:
                (Path(os.fsdecode(os.path.join(os.fsencode(root), name)))).write_text("1")
            for name in names:
                os.symlink(name, os.path.join(os.fsencode(root), name[:250] + b".ln"))

        def edit(root: Path) -> None:
            for name in names:
                os.unlink(os.path.join(os.fsencode(root), name))

        self.travels(snapshots, store, base, edit)

    def test_deep_trees_travel(self, snapshots: Snapshotter, store: BlobStore) -> None:
        def base(root: Path) -> None:
            fd = os.open(root, os.O_RDONLY)
            for _ in range(600):  # 600 × 12 bytes: beyond PATH_MAX
                os.mkdir("deep-in-here", dir_fd=fd)
                below = os.open("deep-in-here", os.O_RDONLY, dir_fd=fd)
                os.close(fd)
                fd = below
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
            os.close(fd)

        self.step(snapshots, "a", None, base)
        with snapshots.changes("a") as changes:
            assert len(changes.items) == 601
            packed = pack(changes, store)
        source = LayerSource(
            name="b", open=lambda: store.open(packed.descriptor.digest), diff_id=packed.diff_id, media_type=""
        )
        snapshots.apply_chain(None, [source])
        with snapshots.changes("b") as again:
            assert pack(again, store).diff_id == packed.diff_id

    def test_fifos_and_devices_travel_and_sockets_do_not(self, snapshots: Snapshotter, store: BlobStore) -> None:
        import socket

        def base(root: Path) -> None:
            os.mkfifo(root / "fifo", 0o640)
            os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            os.mknod(root / "loop", stat.S_IFBLK | 0o660, os.makedev(7, 0))

        def edit(root: Path) -> None:
            here = os.open(root, os.O_RDONLY)
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(f"/proc/self/fd/{here}/socket")
            os.close(here)
            write(root / "f")

        self.step(snapshots, "a", None, base)
        self.step(snapshots, "b", "a", edit)
        assert self.changed(snapshots, "b") == {"f": "Added"}
        self.travels(snapshots, store, base)

    # --- layers ------------------------------------------------------------------------------------------------

    def test_whiteouts_hide_files_of_lower_layers(self, snapshots: Snapshotter) -> None:
        snapshots.apply_chain(
            None,
            [
                layer("1", tar([directory("d"), file("d/a", "1"), file("d/b", "2"), file("e", "3")])),
                layer("2", tar([directory("d"), file("d/.wh.a"), file(".wh.e"), file(".wh.nothing")])),
                layer("3", tar([file("e", "new")])),
            ],
        )
        assert set(self.look(snapshots, "1")) == {b"d", b"d/a", b"d/b", b"e"}
        assert set(self.look(snapshots, "2")) == {b"d", b"d/b"}
        assert set(self.look(snapshots, "3")) == {b"d", b"d/b", b"e"}

    def test_opaque_directories_hide_what_was_there_whatever_the_order(self, snapshots: Snapshotter) -> None:
        base = [directory("d"), file("d/old"), directory("d/s"), file("d/s/old"), directory("e"), file("e/old")]
        over = [
            directory("d"),
            file("d/new"),
            directory("d/s"),
            file("d/.wh..wh..opq"),
            directory("e"),
            file("e/.wh..wh..opq"),
            file("e/new"),
        ]
        snapshots.apply_chain(None, [layer("1", tar(base)), layer("2", tar(over))])
        assert set(self.look(snapshots, "2")) == {b"d", b"d/new", b"d/s", b"e", b"e/new"}

    def test_a_whiteout_never_hides_its_own_layer(self, snapshots: Snapshotter) -> None:
        base = [directory("d"), file("d/old"), file("f", "old")]
        over = [directory("d"), file("d/new"), file("f", "new"), file(".wh.d"), file(".wh.f")]
        back = [file(".wh.d"), directory("d"), file("d/newer"), file(".wh.f"), file("f", "newer")]
        snapshots.apply_chain(None, [layer("1", tar(base)), layer("2", tar(over)), layer("3", tar(back))])
        assert set(self.look(snapshots, "2")) == {b"d", b"d/new", b"f"}
        assert set(self.look(snapshots, "3")) == {b"d", b"d/newer", b"f"}
        with snapshots.view("3") as root:
            assert (root / "f").read_text() == "newer"

    def test_a_layer_without_entries_for_its_directories_keeps_those_below(self, snapshots: Snapshotter) -> None:
        base = [directory("tmp", mode=0o1777, uid=7), directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib")]
        over = [file("tmp/f"), file("lib/libx.so", "x"), file("made/by/us", "y")]
        snapshots.apply_chain(None, [layer("1", tar(base)), layer("2", tar(over))])
        seen = self.look(snapshots, "2")
        assert seen[b"tmp"][1:3] == (oct(0o1777), 7)
        assert b"usr/lib/libx.so" in seen
        assert seen[b"lib"][0] == "symlink"
        assert b"made/by/us" in seen

    def test_hard_links_reach_into_lower_layers(self, snapshots: Snapshotter) -> None:
        over = [hard_link("b", "a"), hard_link("c", "b")]
        snapshots.apply_chain(None, [layer("1", tar([file("a", "1")])), layer("2", tar(over))])
        with snapshots.view("2") as root:
            assert {(root / name).read_text() for name in "abc"} == {"1"}
            assert (root / "b").stat().st_ino == (root / "c").stat().st_ino

    def test_known_layers_are_not_applied_again(self, snapshots: Snapshotter) -> None:
        first = layer("1", tar([file("a")]))
        snapshots.apply_chain(None, [first])

        def unexpected() -> Bytes:
            raise AssertionError("opened again")

        known = LayerSource(name="1", open=unexpected, diff_id=None, media_type="")
        snapshots.apply_chain(None, [known, layer("2", tar([file("b")]))])
        assert set(self.look(snapshots, "2")) == {b"a", b"b"}
        snapshots.apply_chain("2", [layer("3", tar([file("c")]))])
        assert set(self.look(snapshots, "3")) == {b"a", b"b", b"c"}

    def test_a_bad_layer_is_an_error_and_leaves_nothing(self, snapshots: Snapshotter) -> None:
        good = layer("1", tar([file("a")]))
        wrong = layer("2", tar([file("b")]), Digest.of(b"something else"))
        with pytest.raises(WrongDiffId):
            snapshots.apply_chain(None, [good, wrong])
        assert not snapshots.exists("2")
        with pytest.raises(InvalidLayer):
            snapshots.apply_chain(None, [layer("3", b"this is no tar" * 100)])
        with pytest.raises(UnsafeLayer):
            snapshots.apply_chain(None, [layer("4", tar([file("../escaped")]))])

    def test_links_of_a_layer_do_not_lead_out(self, snapshots: Snapshotter, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        evil = [
            symlink("up", "../../../../../../../../" + str(outside)),
            symlink("abs", str(outside)),
            file("up/one", "x"),
            file("abs/two", "x"),
        ]
        snapshots.apply_chain(None, [layer("1", tar(evil)), layer("2", tar([file("abs/three", "x")]))])
        assert list(outside.iterdir()) == []
        assert str(outside).lstrip("/").encode() + b"/three" in self.look(snapshots, "2")

    def test_steps_go_on_where_layers_end(self, snapshots: Snapshotter) -> None:
        snapshots.apply_chain(None, [layer("1", tar([directory("d"), file("d/a", "1")]))])
        self.step(snapshots, "b", "1", lambda root: write(root / "d/b", "2"))
        self.step(snapshots, "c", "1", lambda root: (root / "d/a").unlink())
        assert self.changed(snapshots, "b") == {"d": "Modified", "d/b": "Added"}
        assert self.changed(snapshots, "c") == {"d": "Modified", "d/a": "Deleted"}
        assert self.changed(snapshots, "1") == {"d": "Added", "d/a": "Added"}

    def test_three_hundred_layers(self, snapshots: Snapshotter) -> None:
        layers = [layer(f"n{number}", tar([file(f"f{number}", str(number))])) for number in range(300)]
        snapshots.apply_chain(None, layers)
        self.step(snapshots, "top", "n299", lambda root: write(root / "f0", "changed"))
        with snapshots.view("top") as root:
            assert len(list(root.iterdir())) == 300
            assert (root / "f0").read_text() == "changed"
            assert (root / "f299").read_text() == "299"

    def test_a_tree_handle_works_on_a_view(self, snapshots: Snapshotter) -> None:
        self.step(snapshots, "a", None, lambda root: write(root / "etc/passwd", "root:x:0:0::/root:/bin/sh\n"))
        with snapshots.view("a") as root, Tree(root) as tree:
            assert tree.read("/etc/passwd", 100).startswith(b"root")
