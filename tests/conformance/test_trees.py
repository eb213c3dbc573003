"""COPY and WORKDIR on trees whose links were laid by somebody else, and contexts of any shape."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from imagebuild_engine.core.dockerfile import IgnorePatterns
from imagebuild_engine.host.context import ContextMissing, ContextTree
from imagebuild_engine.host.rootfs import (
    CopyConflict,
    CopyOptions,
    CopySourceMissing,
    Kind,
    TooManyLinks,
    Tree,
    clean,
    copy,
    lookup_user,
    make_directory,
    scan,
)
from imagebuild_engine.host.rootfs.owner import ownership_here

from tests.support.effort import grows_no_faster_than_its_size

HOW = [True, False]


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "precious").write_text("unharmed")
    before = [(entry.path, entry.mode, entry.mtime_ns, entry.ctime_ns) for entry in scan(outside)]
    yield outside
    assert [(entry.path, entry.mode, entry.mtime_ns, entry.ctime_ns) for entry in scan(outside)] == before


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    (tmp_path / "tree").mkdir()
    with Tree(tmp_path / "tree", ownership_here()) as tree:
        yield tree
        for name in tree.list():
            tree.remove(name)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Tree]:
    (tmp_path / "source/folder").mkdir(parents=True)
    (tmp_path / "source/f").write_text("new")
    (tmp_path / "source/folder/precious").write_text("new")
    with Tree(tmp_path / "source", ownership_here()) as source:
        yield source


def leads(to: Path, absolute: bool) -> str:
    return str(to) if absolute else "../" * 20 + str(to).lstrip("/")


# --- destinations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", HOW)
@pytest.mark.parametrize("destination", ["/way/", "/way/f", "/way/new/f", "/way/folder/../f", "/way/../way/folder/"])
def test_copy_through_a_link_stays_in_the_tree(
    tree: Tree, source: Tree, outside: Path, absolute: bool, destination: str
) -> None:
    (tree.root / "way").symlink_to(leads(outside, absolute))
    copy(source, "/f", tree, destination, CopyOptions())
    copy(source, "/folder", tree, destination.removesuffix("f"), CopyOptions())
    inside = tree.root / str(outside).lstrip("/")
    assert [path.read_text() for path in inside.rglob("f")] + [
        path.read_text() for path in tree.root.glob("*") if path.is_file()
    ]


@pytest.mark.parametrize("absolute", HOW)
def test_copy_onto_a_link_follows_it_inside_the_tree_only(
    tree: Tree, source: Tree, outside: Path, absolute: bool
) -> None:
    (tree.root / "precious").symlink_to(leads(outside / "precious", absolute))
    copy(source, "/f", tree, "/precious", CopyOptions())
    assert (tree.root / str(outside / "precious").lstrip("/")).read_text() == "new"


def test_a_link_among_what_is_copied_over_is_replaced_and_not_written_through(
    tree: Tree, source: Tree, outside: Path
) -> None:
    (tree.root / "d").mkdir()
    (tree.root / "d/precious").symlink_to(outside / "precious")
    copy(source, "/folder", tree, "/d", CopyOptions())
    assert not (tree.root / "d/precious").is_symlink()


def test_a_directory_is_not_copied_through_a_link_that_lies_in_its_way(tree: Tree, source: Tree, outside: Path) -> None:
    (tree.root / "folder").symlink_to(outside)
    with pytest.raises(CopyConflict):
        copy(source, "/", tree, "/", CopyOptions())


@pytest.mark.parametrize("absolute", HOW)
@pytest.mark.parametrize("path", ["/way", "/way/new/deep", "/way/../way/x"])
def test_workdir_through_a_link_stays_in_the_tree(tree: Tree, outside: Path, absolute: bool, path: str) -> None:
    (tree.root / "way").symlink_to(leads(outside, absolute))
    make_directory(tree, path, mode=0o700)
    assert tree.exists(clean(path))  # by the letter, as docker does


def test_links_that_lead_to_each_other_are_an_error_and_no_endless_loop(tree: Tree, source: Tree) -> None:
    (tree.root / "a").symlink_to("b")
    (tree.root / "b").symlink_to("a")
    (tree.root / "self").symlink_to("self/self")
    for way in ("/a", "/a/x", "/self/x"):
        with pytest.raises(TooManyLinks):
            make_directory(tree, way)
        with pytest.raises(OSError, match="symbolic links"):
            copy(source, "/f", tree, f"{way}/", CopyOptions())


def test_a_file_in_the_way_is_named(tree: Tree, source: Tree) -> None:
    (tree.root / "d").touch()
    with pytest.raises(CopyConflict, match="/d is there already and is not a directory"):
        make_directory(tree, "/d")
    with pytest.raises(CopyConflict, match="/d is there already and is not a directory"):
        copy(source, "/f", tree, "/d/x", CopyOptions())


def test_a_path_of_thousands_of_directories_does_not_cost_its_square(tree: Tree) -> None:
    def work_of(depth: int) -> Callable[[], object]:
        def work() -> None:
            assert len(tree.make_directories("d/" * depth)) == depth
            tree.remove("d")
            assert tree.list() == ()

        return work

    assert grows_no_faster_than_its_size(work_of, 1000)


# --- sources ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", HOW)
def test_copy_reads_nothing_from_outside_of_its_source(tree: Tree, source: Tree, outside: Path, absolute: bool) -> None:
    (source.root / "way").symlink_to(leads(outside, absolute))
    (source.root / "file").symlink_to(leads(outside / "precious", absolute))
    for path in ("/way/precious", "/file", "/way/../outside/precious", "../outside/precious", "/way"):
        with pytest.raises(CopySourceMissing):
            copy(source, path, tree, "/", CopyOptions())
    copy(source, "/", tree, "/all", CopyOptions())
    assert os.readlink(tree.root / "all/file") == leads(outside / "precious", absolute)


def test_special_files_are_copied_as_what_they_are_and_never_opened(tree: Tree, source: Tree) -> None:
    os.mkfifo(source.root / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(source.root, os.O_RDONLY)
        bound.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    copy(source, "/", tree, "/", CopyOptions())
    assert tree.list() == (b"f", b"fifo", b"folder", b"socket")
    kinds = [entry.kind for entry in scan(tree.root) if entry.path in {b"fifo", b"socket"}]
    assert kinds == [Kind.FIFO, Kind.FILE], "of a socket an empty file is left, as in BuildKit"


@pytest.mark.parametrize("kind", ["fifo", "directory", "loop", "way out"])
def test_a_passwd_file_that_is_none_has_no_users_and_keeps_nobody_waiting(tree: Tree, outside: Path, kind: str) -> None:
    (tree.root / "etc").mkdir()
    place = tree.root / "etc/passwd"
    match kind:
        case "fifo":
            os.mkfifo(place)
        case "directory":
            place.mkdir()
        case "loop":
            place.symlink_to("passwd")
        case _:
            place.symlink_to(outside / "precious")
    assert lookup_user(tree, "1000").uid == 1000
    assert tree.root.exists()


def test_a_device_in_the_place_of_a_file_is_not_even_opened(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree.root / "device")
    opened: list[str] = []
    really = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: opened.append(str(path)) or really(path, *rest, **more))
    assert tree.read("/device", 10) == b""
    assert not [path for path in opened if path.startswith("/proc/self/fd")]


# --- contexts ---------------------------------------------------------------------------------------------------------


def context(root: Path, *ignored: str) -> list[str]:
    """Paths of a context with those lines in its .dockerignore."""
    return [path for path, _ in ContextTree(root, IgnorePatterns.of(ignored).matcher).paths()]


async def test_what_is_excluded_is_left_out_and_exceptions_bring_their_parents(tmp_path: Path) -> None:
    for name in ("a/x", "b/c/d/keep", "b/c/d/drop", "b/c/e/f", "b/z", "z"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert context(tmp_path, "b") == ["a", "a/x", "z"]
    found = context(tmp_path, "b", "!b/c/d/keep")
    assert found == ["a", "a/x", "b", "b/c", "b/c/d", "b/c/d/keep", "z"]
    odd = context(tmp_path, "b*/**/*", "!b*")  # asked of a path alone, the second would bring all of b back
    assert odd == ["a", "a/x", "b", "z"]
    exists = await ContextTree(tmp_path, IgnorePatterns.of(("b", "!**/keep")).matcher).existing()
    assert exists is not None
    assert [exists(path) for path in (b"b/c/d", b"b/c/e", b"b/z", b"z")] == [True, False, False, True]


def deep(folder: Path, levels: int) -> None:
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


async def test_a_deep_context_is_walked_and_hashed(tmp_path: Path) -> None:
    deep(tmp_path, 1500)
    try:
        tree = ContextTree(tmp_path)
        assert len(list(tree.paths())) == 1501
        await tree.described()
    finally:
        _remove(tmp_path, "d")


def test_a_context_too_deep_for_any_program_is_refused_in_words(tmp_path: Path) -> None:
    deep(tmp_path, 10_000)
    try:
        with pytest.raises(ContextMissing, match="too deep.*dockerignore"):
            list(ContextTree(tmp_path).paths())
        assert context(tmp_path, "d") == []
    finally:
        _remove(tmp_path, "d")


def _remove(folder: Path, name: str) -> None:
    with Tree(folder) as tree:
        tree.remove(name)
