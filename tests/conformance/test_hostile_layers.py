"""Layers and archives from people who mean harm: every one is refused in words, or does nothing outside of its tree."""

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imagebuild_engine.host.layers import (
    Applied,
    LayerError,
    LayerTooLarge,
    Limits,
    Style,
    UnsafeLayer,
    apply,
    is_archive,
    unpack_archive,
)
from imagebuild_engine.host.layers.styles import OPAQUE_USER
from imagebuild_engine.host.rootfs import Tree, scan
from imagebuild_engine.host.rootfs.owner import ownership_here

from tests.support.effort import grows_no_faster_than_its_size
from tests.support.tars import Bytes, directory, file, hard_link, member, symlink, tar

Entry = tuple[tarfile.TarInfo, bytes]
STYLES = [Style.TREE, Style.OVERLAY]


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A tree, with something outside that must stay as it is."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("unharmed")
    before = {entry.path: entry.mtime_ns for entry in scan(outside)}
    root = tmp_path / "a" / "b" / "root"
    root.mkdir(parents=True)
    try:
        yield root
    finally:  # pytest itself cannot delete what is so deep
        with Tree(root) as tree:
            for name in tree.list():
                tree.remove(name)
    assert {entry.path: entry.mtime_ns for entry in scan(outside)} == before
    assert (outside / "precious").read_text() == "unharmed"
    assert sorted(os.listdir(tmp_path)) == ["a", "outside"]
    assert os.listdir(tmp_path / "a") == ["b"]
    assert os.listdir(tmp_path / "a/b") == ["root"]


@pytest.fixture
def deep_place(tmp_path: Path) -> Iterator[Path]:
    """Emptied afterwards: what is deeper than 1,000 directories pytest cannot delete, and falls over in a later run."""
    yield tmp_path
    with Tree(tmp_path) as tree:
        for name in tree.list():
            tree.remove(name)


def unpack(root: Path, data: bytes, style: Style = Style.TREE, limits: Limits | None = None) -> Applied:
    with Tree(root, ownership_here()) as tree:
        return apply(
            Bytes(data), tree, style=style, limits=limits or Limits(), opaque_xattr=OPAQUE_USER, skip_devices=True
        )


def names(root: Path) -> set[str]:
    return {os.fsdecode(entry.path) for entry in scan(root) if entry.path}


def raw(info: tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> bytes:
    return info.tobuf(form) + bytes(1024)


def long_name(kind: bytes, text: bytes) -> bytes:
    """A GNU header for a long name (L) or link (K), whatever the text."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, len(text)
    return info.tobuf(tarfile.GNU_FORMAT) + text + bytes(-len(text) % 512)


def pax(**headers: str) -> bytes:
    info = tarfile.TarInfo("f")
    info.pax_headers = headers
    return raw(info, tarfile.PAX_FORMAT)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "name", ["../f", "a/../../f", "..", "a/..", "./../f", "/../../f", "a/b/../../../outside/precious", "a//../../f"]
)
def test_dots_that_lead_up_are_refused(root: Path, style: Style, name: str) -> None:
    with pytest.raises(UnsafeLayer):
        unpack(root, tar([file(name, "x")]), style)
    with pytest.raises(UnsafeLayer):
        unpack(root, tar([directory(name)]), style)
    with pytest.raises(UnsafeLayer):
        unpack(root, tar([file("here"), hard_link("link", name)]), style)


@pytest.mark.parametrize("style", STYLES)
def test_absolute_names_mean_the_trees_root(root: Path, style: Style) -> None:
    unpack(root, tar([file("/etc/f", "x"), directory("//usr//lib/"), file("./a/./b", "y")]), style)
    assert names(root) == {"etc", "etc/f", "usr", "usr/lib", "a", "a/b"}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("absolute", [True, False])
def test_links_lead_nowhere_but_into_the_tree(root: Path, style: Style, absolute: bool) -> None:
    outside = str(root.parents[2] / "outside")
    to = outside if absolute else "../" * 20 + outside.lstrip("/")
    entries: list[Entry] = [
        symlink("way", to),
        file("way/new", "x"),
        directory("way/folder"),
        symlink("way/link", "x"),
        file("way/.wh.precious"),
        file("way/.wh..wh..opq"),
    ]
    unpack(root, tar(entries), style)
    assert (root / outside.lstrip("/") / "new").read_text() == "x"


@pytest.mark.parametrize("style", STYLES)
def test_a_hard_link_to_a_link_is_a_link_and_nothing_is_written_through_it(root: Path, style: Style) -> None:
    outside = str(root.parents[2] / "outside/precious")
    unpack(root, tar([symlink("link", outside), hard_link("other", "link"), file("other", "changed")]), style)
    assert (root / "other").read_text() == "changed"
    assert os.readlink(root / "link") == outside


@pytest.mark.parametrize("style", STYLES)
def test_a_file_that_replaces_a_hard_link_does_not_change_the_other_name(root: Path, style: Style) -> None:
    unpack(root, tar([file("a", "1"), hard_link("b", "a"), file("b", "2")]), style)
    assert ((root / "a").read_text(), (root / "b").read_text()) == ("1", "2")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "entries",
    [
        [symlink("l", "m"), symlink("m", "l"), file("l/f")],
        [symlink("l", "l/l"), file("l/f")],
        [file("f"), file("f/below")],
        [hard_link("self", "self")],
        [directory("d"), hard_link("link", "d")],
        [file("x" * 256)],
        [directory("x" * 256)],
        [symlink("x" * 256, "y")],
        [symlink("s", "y" * 5000)],
        [file("a"), hard_link("x" * 256, "a")],
        [file(".wh." + "x" * 256)],
        [file("/".join(["d"] * 5000))],
        [file(".wh."), file("f")],
        [file(".wh..")],
        [file(".wh...")],
        [file("d/.wh...")],
        [member("c", tarfile.CHRTYPE, device=(0, 0))],
        [member("", tarfile.SYMTYPE, link="/")],
    ],
    ids=lambda entries: entries[-1][0].name[:20],
)
def test_what_no_honest_layer_has_is_refused_in_words(root: Path, style: Style, entries: list[Entry]) -> None:
    with pytest.raises(UnsafeLayer):
        unpack(root, tar(entries), style)


@pytest.mark.parametrize("style", STYLES)
def test_a_missing_target_of_a_hard_link_is_refused_or_left_to_a_look_at_the_layers_below(
    root: Path, style: Style
) -> None:
    data = tar([hard_link("link", "nothing")])
    if style is Style.OVERLAY:
        assert unpack(root, data, style).depends_on_parent
    else:
        with pytest.raises(UnsafeLayer):
            unpack(root, data, style)


def test_what_follows_a_null_byte_is_no_part_of_a_name(root: Path) -> None:
    unpack(root, long_name(b"L", b"name\0/../../outside/f") + raw(tarfile.TarInfo("short")))
    link = tarfile.TarInfo("link")
    link.type = tarfile.SYMTYPE
    unpack(root, long_name(b"K", b"target\0garbage") + raw(link))
    assert names(root) == {"name", "link"}
    assert os.readlink(root / "link") == "target"


@pytest.mark.parametrize(
    "data",
    [
        pax(path="a\0b"),
        pax(linkpath="a\0b"),
        pax(**{"SCHILY.xattr.user.a\0b": "x"}),
        pax(uid="4294967295"),
        pax(gid="99999999999999999999"),
        pax(size="99999999999999999999"),
        pax(size="-1"),
        pax(**{"GNU.sparse.map": "0,10", "GNU.sparse.size": "5"}),
        pax(**{"GNU.sparse.major": "7", "GNU.sparse.minor": "0"}),
        b"this is no tar" * 100,
        gzip.compress(b"this is no tar either" * 100),
        gzip.compress(tar([file("f", "x" * 5000)]))[:-30],
        b"\x28\xb5\x2f\xfd" + b"broken zstd" * 20,
        b"\xfd7zXZ\x00" + b"broken xz" * 20,
        b"BZh9" + b"broken bzip2" * 20,
        tar([file("f", "x" * 5000)])[:1500],
    ],
)
def test_broken_layers_are_refused_in_words(root: Path, data: bytes) -> None:
    with pytest.raises(LayerError):
        unpack(root, data)


def test_times_that_no_disk_can_hold_are_cut(root: Path) -> None:
    for text in ("99999999999999999999", "-99999999999999999999"):
        unpack(root, pax(mtime=text))
        assert names(root) == {"f"}


# --- whiteouts --------------------------------------------------------------------------------------------------------


def test_a_whiteout_behind_a_link_deletes_in_the_tree_only(root: Path) -> None:
    outside = str(root.parents[2] / "outside")
    unpack(root, tar([file(f"{outside}/precious", "a copy"), symlink("way", outside), file("way/.wh.precious")]))
    assert f"{outside.lstrip('/')}" in names(root)


def test_a_whiteout_of_a_link_deletes_the_link(root: Path) -> None:
    unpack(root, tar([symlink("link", "/")]))
    unpack(root, tar([file("kept")]))
    unpack(root, tar([file(".wh.link")]))
    assert names(root) == {"kept"}


def test_an_opaque_mark_deep_down_and_late_costs_no_more_than_its_depth(deep_place: Path) -> None:
    """Each level holds something of this layer: none goes as a whole."""

    def work_of(depth: int) -> Callable[[], object]:
        root = deep_place / str(depth)
        root.mkdir()
        deep = ["d"]
        for _ in range(depth):
            deep.append(deep[-1] + "/d")
        unpack(root, tar([file(f"{deep[depth // 3]}/old"), file("d/old")]))
        entries = [directory(name) for name in deep] + [
            file("d/.wh..wh..opq"),
            file(f"{deep[depth // 2]}/.wh..wh..opq"),
        ]

        def work() -> None:
            unpack(root, tar(entries))
            assert names(root) == set(deep)

        return work

    assert grows_no_faster_than_its_size(work_of, 400)


def test_many_opaque_marks_do_not_cost_their_square(tmp_path: Path) -> None:
    def work_of(count: int) -> Callable[[], object]:
        root = tmp_path / str(count)
        root.mkdir()
        entries: list[Entry] = []
        for number in range(count):
            entries += [directory(f"d{number}"), file(f"d{number}/f"), file(f"d{number}/.wh..wh..opq")]

        def work() -> None:
            unpack(root, tar(entries))
            assert len(names(root)) == 2 * count

        return work

    assert grows_no_faster_than_its_size(work_of, 500)


@pytest.mark.parametrize("style", STYLES)
def test_a_single_entry_far_down_does_not_cost_the_square_of_its_depth(deep_place: Path, style: Style) -> None:
    def work_of(depth: int) -> Callable[[], object]:
        root = deep_place / str(depth)
        root.mkdir()
        return lambda: unpack(root, tar([file("/".join(["d"] * depth) + "/f", "x")]), style)

    assert grows_no_faster_than_its_size(work_of, 1000)


# --- bombs ------------------------------------------------------------------------------------------------------------


def test_a_layer_that_unpacks_to_more_than_it_may_is_stopped(root: Path) -> None:
    bomb = gzip.compress(tar([file("f", bytes(1 << 20))]) * 1)
    with pytest.raises(LayerTooLarge):
        unpack(root, bomb, limits=Limits(total_bytes=100_000))
    with pytest.raises(LayerTooLarge):
        unpack(root, bomb, limits=Limits(ratio=10, ratio_from=100_000))
    with pytest.raises(LayerTooLarge):
        unpack(root, tar([file(f"f{number}") for number in range(11)]), limits=Limits(entries=10))


def test_holes_count_as_the_bytes_that_they_stand_for(root: Path) -> None:
    entries = []
    for number in range(5):
        info = tarfile.TarInfo(f"f{number}")
        info.size = 1
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(30 << 20)}
        entries.append((info, b"x"))
    with pytest.raises(LayerTooLarge, match="bytes of files"):
        unpack(root, tar(entries), limits=Limits(total_bytes=100 << 20))


def test_headers_that_never_end_are_stopped(root: Path) -> None:
    header = long_name(b"L", b"x" * 600)
    with pytest.raises(LayerTooLarge, match="header"):
        unpack(root, header * 3000 + raw(tarfile.TarInfo("f")))
    with pytest.raises(LayerTooLarge, match="header"):
        unpack(root, pax(path="x" * (2 << 20)))


# --- archives ---------------------------------------------------------------------------------------------------------


def test_an_archive_stays_below_its_destination(root: Path) -> None:
    (root / "to").mkdir()
    (root / "etc").mkdir()
    archive = root.parents[2] / "a/b/root/archive.tar"
    archive.write_bytes(
        tar([symlink("up", "/etc"), file("up/f", "x"), symlink("back", "../etc"), file("back/g", "y"), file(".wh.to")])
    )
    fd = os.open(archive, os.O_RDONLY)
    try:
        assert is_archive(fd)
        with Tree(root, ownership_here()) as tree:
            unpack_archive(fd, tree, "/to")
    finally:
        os.close(fd)
    archive.unlink()
    assert names(root) == {"to", "to/up", "to/back", "to/etc", "to/etc/f", "to/etc/g", "to/.wh.to", "etc"}


# --- anything at all --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(150))
def test_whatever_the_bytes_the_answer_is_a_tree_or_a_refusal(root: Path, seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(_some_tar(chance))
    for _ in range(chance.choice([0, 1, 5, 40])):
        place = chance.randrange(len(data))
        data[place] = chance.randrange(256)
        if chance.random() < 0.7:  # with a right checksum, so that the damage is looked at
            _mend(data, place // 512 * 512)
    if chance.random() < 0.2:
        data = data[: chance.randrange(len(data))]
    packed = gzip.compress(bytes(data)) if chance.random() < 0.3 else bytes(data)
    for style in STYLES:
        try:
            unpack(root, packed, style, Limits(total_bytes=64 << 20, entries=1000))
        except LayerError as error:
            assert str(error)


def _mend(data: bytearray, block: int) -> None:
    header = data[block : block + 512]
    if len(header) == 512:
        header[148:156] = b" " * 8
        data[block + 148 : block + 156] = b"%06o\0 " % sum(header)


def _some_tar(chance: random.Random) -> bytes:
    words = ["a", "b", "..", ".", "d", ".wh.a", ".wh..wh..opq", "x" * 90, "\udcff", "e\n", ""]
    links = [tarfile.SYMTYPE, tarfile.LNKTYPE]
    kinds = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"Z", *links]
    keys = ["mtime", "uid", "SCHILY.xattr.user.x", "GNU.sparse.map", "path", "size", "comment"]

    def path() -> str:
        return "/".join(chance.choice(words) for _ in range(chance.randrange(1, 5)))

    buffer = io.BytesIO()
    form = chance.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as archive:
        for _ in range(chance.randrange(1, 12)):
            info = tarfile.TarInfo(path())
            info.type = chance.choice(kinds)
            info.linkname = path() if info.type in links else ""
            info.mode = chance.randrange(0o10000)
            info.devmajor, info.devminor = chance.randrange(3), chance.randrange(3)
            if form == tarfile.PAX_FORMAT and chance.random() < 0.5:
                value = chance.choice(["1", "-1", "1.5", "0,1", "a/../b", "1" * 25, ""])
                info.pax_headers = {chance.choice(keys): value}
            info.size = chance.choice([0, 3, 700]) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(chance.randbytes(info.size)))
    return buffer.getvalue()
