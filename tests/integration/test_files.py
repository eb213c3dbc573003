"""File steps on real snapshots: what COPY leaves behind is what BuildKit leaves behind, byte for byte and bit for bit.

The expected trees of the first part were looked up in a current buildkitd.
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild_engine.build.failures import StepRefused
from imagebuild_engine.build.layers import LocalLayer, Tree
from imagebuild_engine.contract import Reason
from imagebuild_engine.core.graph import Chown, MkdirAction, MkfileAction, UserById, UserByName

from tests.support.file_steps import CONTEXT, SNAPSHOTTERS, FileSteps, file_steps
from tests.support.root import needs_root
from tests.support.tars import directory, file, tar

pytestmark = [pytest.mark.root, needs_root]

NUMBERS = Chown(user=UserById(id=5), group=UserById(id=6))


@pytest.fixture
def context(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    (context / "dir/sub").mkdir(parents=True)
    (context / "dir/f").write_text("f")
    (context / "dir/sub/g").write_text("g")
    (context / "file").write_text("x")
    os.link(context / "dir/f", context / "dir/hard")
    (context / "dir/link").symlink_to("f")
    (context / "ldir").symlink_to("dir")
    os.mkfifo(context / "dir/fifo")
    os.setxattr(context / "dir", "user.k", b"v")
    for name, mode in (("dir", 0o750), ("dir/sub", 0o700), ("file", 0o4755), ("dir/f", 0o644), ("dir/fifo", 0o644)):
        (context / name).chmod(mode)
    for name, time in (("dir/sub", 1_100_000_000), ("dir", 1_000_000_000)):
        os.utime(context / name, (time, time))
    return context


@pytest.fixture(params=SNAPSHOTTERS)
def steps(request: pytest.FixtureRequest, tmp_path: Path, context: Path) -> Iterator[FileSteps]:
    with file_steps(tmp_path, context, request.param) as steps:
        yield steps


def contents(at: str = "", owner: str = "0:0", **changed: str) -> dict[str, str]:
    """What `dir` holds."""
    modes = {
        "f": "- 644",
        "fifo": "p 644",
        "hard": "- 644",
        "link": "l 777",
        "sub": "d 700",
        "sub/g": "- 644",
    } | changed
    return {f"{at}{name}": f"{mode} {owner}" for name, mode in modes.items()}


@pytest.mark.parametrize("destination", ["/new", "/new/", "/new/."])
async def test_a_directory_for_contents_is_made_as_any_and_not_as_its_source(
    steps: FileSteps, destination: str
) -> None:
    made = await steps.copy("/dir", destination)
    assert await steps.look(made) == {"new": "d 755 0:0"} | contents("new/")
    times = {path: look[-1] for path, look in (await steps.picture(made, times=True)).items()}
    assert (times[b"new"], times[b"new/sub"]) == (1_000_000_000 * 10**9, 1_100_000_000 * 10**9)


async def test_hard_links_stay_together(steps: FileSteps) -> None:
    seen = await steps.picture(await steps.copy("/dir", "/new"))
    assert seen[b"new/hard"] == seen[b"new/f"]


async def test_chown_and_chmod_are_for_directories_on_the_way_too(steps: FileSteps) -> None:
    made = await steps.copy("/file", "/a/b/", mode=0o600, owner=NUMBERS)
    assert await steps.look(made) == {"a": "d 600 5:6", "a/b": "d 600 5:6", "a/b/file": "- 600 5:6"}


async def test_special_bits_of_chmod_are_not_for_directories_on_the_way(steps: FileSteps) -> None:
    seen = await steps.look(await steps.copy("/dir", "/a/b/", mode=0o2755))
    changed = {"f": "- 2755", "fifo": "p 2755", "hard": "- 2755", "sub": "d 2755", "sub/g": "- 2755"}
    assert seen == {"a": "d 755 0:0", "a/b": "d 755 0:0"} | contents("a/b/", **changed)


async def test_an_existing_destination_stays_as_it_is_and_directories_in_it_do_not(steps: FileSteps) -> None:
    first = await steps.copy("/dir", "/d/")
    seen = await steps.look(await steps.copy("/dir", "/d", first, mode=0o755, owner=NUMBERS))
    changed = {"f": "- 755", "fifo": "p 755", "hard": "- 755", "sub": "d 755", "sub/g": "- 755"}
    assert seen == {"d": "d 755 0:0"} | contents("d/", "5:6", **changed)


async def test_a_directory_below_the_destination_takes_owner_mode_and_xattrs_of_the_copied_one(
    steps: FileSteps,
) -> None:
    first = await steps.copy("/dir/sub", "/dir/", owner=NUMBERS)
    assert (await steps.look(first))["dir"] == "d 755 5:6"
    second = await steps.copy("/", "/", first)
    assert (await steps.look(second))["dir"] == "d 750 0:0"
    assert (await steps.picture(second))[b"dir"][4] == (("user.k", b"v"),)


@pytest.mark.parametrize(
    ("first", "second"), [(("/file", "/x/"), ("/dir", "/x/file")), (("/dir", "/x/"), ("/file", "/x/f/sub/z"))]
)
async def test_a_file_in_the_way_of_a_directory_is_the_users_error(
    steps: FileSteps, first: tuple[str, str], second: tuple[str, str]
) -> None:
    base = await steps.copy(*first)
    with pytest.raises(StepRefused, match="line 1: COPY: .*is not a directory") as caught:
        await steps.copy(*second, base)
    assert caught.value.reason is Reason.STEP_FAILED


async def test_a_directory_in_the_way_of_a_file_is_the_users_error(steps: FileSteps) -> None:
    base = await steps.copy("/dir", "/x/file/")
    with pytest.raises(StepRefused, match="cannot replace the directory /x/file with a file"):
        await steps.copy("/", "/x/", base)


async def test_a_socket_becomes_an_empty_file(steps: FileSteps, context: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(context / "dir/socket"))
    (context / "dir/socket").chmod(0o755)
    assert (await steps.look(await steps.copy("/dir", "/x")))["x/socket"] == "- 755 0:0"


# --- wildcards --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("/d*r", ["f", "fifo", "hard", "link", "sub", "sub/g"]),
        ("/*/sub/g", ["g"]),
        ("/ldir/s*", ["g"]),
        ("/l*/sub/g", None),
        ("/*.txt", None),
        ("/dir/[^hs]*", ["f", "fifo", "link"]),
        ("/dir/?", ["f"]),
    ],
)
async def test_wildcards_follow_links_before_them_only(steps: FileSteps, source: str, names: list[str] | None) -> None:
    seen = await steps.look(await steps.copy(source, "/x/"))
    assert seen.keys() == (set() if names is None else {"x", *(f"x/{name}" for name in names)})


async def test_a_wildcard_below_a_directory_that_is_missing_is_an_error(steps: FileSteps) -> None:
    with pytest.raises(StepRefused, match='"/nodir": not found'):
        await steps.copy("/nodir/*.txt", "/x/")


async def test_several_matches_with_a_destination_that_is_no_directory_replace_each_other(steps: FileSteps) -> None:
    seen = await steps.picture(await steps.copy("/dir/[fh]*", "/x"))
    assert set(seen) == {b"x"}


# --- patterns ---------------------------------------------------------------------------------------------------------

PARENTS = {"x": "d 755 0:0", "x/dir": "d 750 0:0", "x/dir/sub": "d 700 0:0", "x/dir/sub/g": "- 644 0:0"}


async def test_parents_are_made_as_they_are_in_the_source(steps: FileSteps) -> None:
    made = await steps.copy("/", "/x/", include_patterns=("dir/sub/g",), required_paths=("/dir/sub/g",))
    assert await steps.look(made) == PARENTS
    assert (await steps.picture(made))[b"x/dir"][4] == (("user.k", b"v"),)


async def test_parents_with_wildcards_take_owner_and_mode(steps: FileSteps) -> None:
    made = await steps.copy("/", "/x/y/", include_patterns=("dir/*/g",), mode=0o700, owner=NUMBERS)
    names = ("x", "x/y", "x/y/dir", "x/y/dir/sub")
    assert await steps.look(made) == dict.fromkeys(names, "d 700 5:6") | {"x/y/dir/sub/g": "- 700 5:6"}


async def test_parents_that_are_there_already_take_the_sources_mode_only(steps: FileSteps) -> None:
    first = await steps.perform(MkdirAction(path="/x/dir", input=-1, output=0, mode=0o711, owner=NUMBERS))
    second = await steps.copy("/", "/x/", first, include_patterns=("dir/sub/g",), mode=0o600)
    assert await steps.look(second) == {
        "x": "d 711 5:6",
        "x/dir": "d 750 5:6",
        "x/dir/sub": "d 600 0:0",
        "x/dir/sub/g": "- 600 0:0",
    }
    third = await steps.copy("/", "/x/", second, include_patterns=("dir/sub/g",), owner=NUMBERS)
    seen = await steps.look(third)
    assert (seen["x/dir/sub"], seen["x/dir/sub/g"]) == ("d 700 0:0", "- 644 5:6")


async def test_parents_of_a_pivot_begin_there(steps: FileSteps) -> None:
    made = await steps.copy("/dir", "/x/", include_patterns=("sub/g",), required_paths=("/dir/sub/g",))
    assert set(await steps.look(made)) == {"x", "x/sub", "x/sub/g"}


@pytest.mark.parametrize("missing", ["/nope", "/ldir/f"])
async def test_a_required_path_that_is_missing_or_behind_a_link_is_named(steps: FileSteps, missing: str) -> None:
    with pytest.raises(StepRefused, match=f'"{missing}": not found') as caught:
        await steps.copy("/", "/x/", include_patterns=(missing[1:],), required_paths=(missing,))
    assert caught.value.reason is Reason.CONTEXT_PATH_MISSING


async def test_parents_that_match_nothing_leave_the_destination(steps: FileSteps) -> None:
    assert await steps.look(await steps.copy("/", "/x/", include_patterns=("no*e",))) == {"x": "d 755 0:0"}


@pytest.mark.parametrize(
    ("source", "patterns", "names"),
    [
        ("/dir", ("f", "sub"), {"fifo", "hard", "link"}),
        ("/", ("dir/sub",), {"dir", "dir/f", "dir/fifo", "dir/hard", "dir/link", "file", "ldir"}),
        ("/dir", ("*", "!*/g"), {"sub", "sub/g"}),
        ("/dir", ("sub", "!sub/g"), {"f", "fifo", "hard", "link", "sub", "sub/g"}),
        ("/dir", ("**/g",), {"f", "fifo", "hard", "link", "sub"}),
        ("/file", ("file",), {"file"}),
    ],
)
async def test_exclude(steps: FileSteps, source: str, patterns: tuple[str, ...], names: set[str]) -> None:
    seen = await steps.look(await steps.copy(source, "/x/", exclude_patterns=patterns))
    assert seen.keys() == {"x", *(f"x/{name}" for name in names)}


async def test_a_hard_link_to_what_is_excluded_is_a_file_of_its_own(steps: FileSteps) -> None:
    seen = await steps.picture(await steps.copy("/dir", "/x/", exclude_patterns=("f",)))
    assert seen[b"x/hard"][7] == b"f"


@pytest.mark.parametrize("snapshotter", SNAPSHOTTERS)
async def test_what_dockerignore_keeps_out_is_not_there_for_any_way_of_copying(
    tmp_path: Path, context: Path, snapshotter: str
) -> None:
    (context / "dir/empty/er").mkdir(parents=True)
    with file_steps(tmp_path, context, snapshotter, "dir", "!**/g", "file") as steps:
        assert set(await steps.look(await steps.copy("/", "/"))) == {"dir", "dir/sub", "dir/sub/g", "ldir"}
        assert set(await steps.look(await steps.copy("/dir/*", "/"))) == {"g"}
        assert set(await steps.look(CONTEXT)) == {"dir", "dir/sub", "dir/sub/g", "ldir"}, "FROM a named context"
        for path in ("/file", "/ldir/f"):
            with pytest.raises(StepRefused, match=f'"{path}": not found'):
                await steps.copy(path, "/")


# --- files that are written -------------------------------------------------------------------------------------------


async def test_a_heredocs_file(steps: FileSteps) -> None:
    action = MkfileAction(
        path="/note", data=b"hi\n", input=-1, output=0, timestamp=7 * 10**9, mode=0o640, owner=NUMBERS
    )
    made = await steps.perform(action)
    (look,) = (await steps.picture(made, times=True)).values()
    assert (look[1], look[2], look[3], look[7], look[9]) == ("0o640", 5, 6, b"hi\n", 7 * 10**9)


async def test_a_heredocs_file_follows_a_link_and_replaces_a_fifo(steps: FileSteps) -> None:
    base = await steps.copy("/dir", "/")
    write = MkfileAction(path="/link", data=b"new", input=0, output=0)
    assert (await steps.picture(await steps.perform(write, inputs=(base,))))[b"f"][7] == b"new"
    write = MkfileAction(path="/fifo", data=b"new", input=0, output=0)
    assert (await steps.look(await steps.perform(write, inputs=(base,))))["fifo"] == "- 644 0:0"


@pytest.mark.parametrize(("path", "problem"), [("/sub", "cannot replace the directory"), ("/no/where", "No such file")])
async def test_a_heredocs_file_that_cannot_be(steps: FileSteps, path: str, problem: str) -> None:
    base = await steps.copy("/dir", "/")
    with pytest.raises(StepRefused, match=problem):
        await steps.perform(MkfileAction(path=path, data=b"", input=0, output=0), inputs=(base,))


async def test_an_archive_is_unpacked_with_its_owners_or_those_of_chown(steps: FileSteps, context: Path) -> None:
    (context / "a.tar").write_bytes(tar([directory("d", uid=3, gid=4), file("d/f", b"f", uid=3, gid=4)]))
    made = await steps.copy("/a.tar", "/x", unpack_archive=True)
    assert await steps.look(made) == {"x": "d 755 0:0", "x/d": "d 755 3:4", "x/d/f": "- 644 3:4"}
    made = await steps.copy("/a.tar", "/x", unpack_archive=True, owner=NUMBERS)
    assert await steps.look(made) == {"x": "d 755 5:6", "x/d": "d 755 5:6", "x/d/f": "- 644 5:6"}
    assert await steps.look(await steps.copy("/a.tar", "/x")) == {"x": "- 644 0:0"}


async def test_times_are_one_everywhere_if_one_is_given(steps: FileSteps) -> None:
    made = await steps.copy("/dir", "/a/b", timestamp=9 * 10**9)
    assert {look[-1] for look in (await steps.picture(made, times=True)).values()} == {9 * 10**9}


# --- layers on other trees (COPY --link) ------------------------------------------------------------------------------


async def test_a_merge_unpacks_nothing_until_somebody_looks(steps: FileSteps) -> None:
    base = await steps.copy("/dir", "/base/")
    linked = await steps.copy("/file", "/linked/")
    merged = await steps.merge(base, linked)
    assert merged == Tree((*base.layers, *linked.layers))
    name = merged.name()
    assert name is not None
    assert not steps.worker.store.snapshots.exists(name)
    assert await steps.look(merged) == await steps.look(base) | await steps.look(linked)


async def test_the_next_step_stands_on_the_merged_tree(steps: FileSteps) -> None:
    merged = await steps.merge(await steps.copy("/dir", "/base/"), await steps.copy("/file", "/linked/"))
    after = await steps.copy("/file", "/linked/again", merged)
    assert len(after.layers) == 3
    assert isinstance(after.layers[2], LocalLayer)
    assert after.layers[2].parent == merged.name()
    assert set(await steps.look(after)) >= {"base/f", "linked/file", "linked/again"}
    again = await steps.merge(after, await steps.copy("/file", "/linked/more"))
    assert set(await steps.look(again)) >= {"base/f", "linked/file", "linked/again", "linked/more"}


async def test_a_linked_layer_means_what_is_in_it_whatever_stands_in_its_place(steps: FileSteps) -> None:
    """As BuildKit: directories merge and take the upper one's looks, anything else is replaced."""
    base = await steps.copy("/dir", "/link/")
    base = await steps.copy("/ldir", "/tmp/", base)
    base = await steps.perform(
        MkfileAction(path="/q", data=b"file", input=0, output=1),
        MkdirAction(path="/r", input=1, output=0, mode=0o700, owner=NUMBERS),
        inputs=(base,),
    )
    linked = await steps.copy("/file", "/link/sub")
    linked = await steps.copy("/file", "/q/", linked)
    linked = await steps.copy("/dir/link", "/tmp/dir", linked)
    linked = await steps.copy("/file", "/r/", linked)
    seen = await steps.look(await steps.merge(base, linked))
    assert (seen["link/sub"], seen.get("link/sub/g"), seen["link/f"]) == ("- 4755 0:0", None, "- 644 0:0")
    assert (seen["q"], seen["q/file"]) == ("d 755 0:0", "- 4755 0:0")
    assert (seen["r"], seen["r/file"]) == ("d 755 0:0", "- 4755 0:0")


async def test_a_linked_directory_replaces_a_link_and_does_not_go_through_it(steps: FileSteps, context: Path) -> None:
    (context / "links").mkdir()
    (context / "links/etc").symlink_to("dir")
    base = await steps.copy("/", "/")
    base = await steps.copy("/links", "/", base)
    seen = await steps.look(await steps.merge(base, await steps.copy("/file", "/etc/passwd/")))
    assert (seen["etc"], seen["etc/passwd/file"]) == ("d 755 0:0", "- 4755 0:0")
    assert "dir/passwd" not in seen


async def test_a_linked_layer_with_hostile_names(steps: FileSteps, context: Path) -> None:
    names = [b"new\nline", b"not\xffutf8", b"-rf", b"a\\b", b"x" * 255]
    for name in names:
        (context / "dir" / os.fsdecode(name)).write_text("x")
    linked = await steps.copy("/dir", "/d/", exclude_patterns=("sub",))
    merged = await steps.merge(await steps.copy("/file", "/d/"), linked)
    for tree in (linked, merged):
        assert {b"d/" + name for name in names} <= set(await steps.picture(tree))


async def test_owners_are_looked_up_in_a_merged_tree(steps: FileSteps, context: Path) -> None:
    (context / "passwd").write_text("me:x:7:8::/:/bin/sh\n")
    merged = await steps.merge(await steps.copy("/file", "/base/"), await steps.copy("/passwd", "/etc/"))
    named = Chown(user=UserByName(name="me", input=0), group=None)
    assert (await steps.look(await steps.copy("/file", "/mine", merged, owner=named)))["mine"] == "- 4755 7:8"
