"""Files that were read: listed, folded, and compared with those of another time."""

from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.cache import ContentRequest, ContentSelector
from imagebuild_engine.core.explain.files import (
    MAX_DEPTH,
    FileEntry,
    file_changes,
    files_read,
    folded,
    folded_like,
)

from tests.support.explained_world import Played

SEGMENT = st.sampled_from(["a", "b", "c", "d"])
PATHS = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)
TREES = st.dictionaries(PATHS, st.sampled_from(["one", "two"]), min_size=1, max_size=30).map(
    lambda files: Played(
        {
            path: (text, 0o644)
            for path, text in files.items()
            if not any(other.startswith(path + "/") for other in files)
        }
    )
)
ALL = ContentRequest()


def read(*paths: str, **how: object) -> ContentRequest:
    return ContentRequest(selectors=tuple(ContentSelector(path=path, **how) for path in paths))  # type: ignore[arg-type]


TREE = Played({"src/a.c": ("a", 0o644), "src/sub/b.c": ("b", 0o644), "top.txt": ("t", 0o644)})


def test_only_what_is_read_is_listed() -> None:
    assert list(files_read(TREE.described, read("/src"))) == ["/src", "/src/a.c", "/src/sub", "/src/sub/b.c"]
    assert list(files_read(TREE.described, read("/top.txt", "/src/sub"))) == ["/src/sub", "/src/sub/b.c", "/top.txt"]
    assert list(files_read(TREE.described, read("/*.txt", wildcard=True))) == ["/top.txt"]
    assert list(files_read(TREE.described, read("/src", include=("**/b.c",)))) == ["/src", "/src/sub", "/src/sub/b.c"]
    assert files_read(TREE.described, read("/missing")) == {}


def test_a_name_that_is_no_text_is_told_as_text() -> None:
    tree = Played({"bad\udcff": ("x", 0o644)})
    assert list(files_read(tree.described, read("/bad\udcff"))) == ["/bad\\xff"]


def test_what_is_too_deep_is_folded() -> None:
    deep = "/".join(["d"] * (MAX_DEPTH + 50)) + "/file"
    found = files_read(Played({deep: ("x", 0o644), "a": ("y", 0o644)}).described, ALL)
    assert max(path.count("/") for path in found) == MAX_DEPTH
    other = files_read(Played({deep: ("z", 0o644), "a": ("y", 0o644)}).described, ALL)
    assert [change.how for change in file_changes(found, other)] == ["changed"]


@settings(max_examples=60)
@given(TREES, st.integers(0, 12))
def test_folding_keeps_to_its_limit_and_forgets_no_entry(tree: Played, limit: int) -> None:
    files = files_read(tree.described, ALL)
    less = folded(files, limit)
    assert len(less) <= max(limit, 1)
    assert sum(entry.size if entry.kind == "folded" else 1 for entry in less.values()) == len(files)
    assert folded(less, limit) == less


@settings(max_examples=100)
@given(TREES, TREES, st.integers(0, 12), st.integers(0, 12))
def test_folded_or_not_trees_are_told_apart_alike(one: Played, other: Played, limit: int, second: int) -> None:
    first, last = files_read(one.described, ALL), files_read(other.described, ALL)
    same = not file_changes(first, last)
    assert same == (first == last)
    assert same == (not file_changes(folded(first, limit), last))
    assert same == (not file_changes(folded(first, limit), folded(last, second)))


@settings(max_examples=60)
@given(TREES, st.integers(0, 12), st.integers(0, 12))
def test_folding_in_two_steps_is_folding_at_once(tree: Played, fine: int, coarse: int) -> None:
    files = files_read(tree.described, ALL)
    least = folded(files, min(fine, coarse))
    assert folded_like(folded(files, max(fine, coarse)), least) == least


def test_a_folded_directory_that_differs_is_told_as_one() -> None:
    files = files_read(TREE.described, ALL)
    changed = files_read(Played({**TREE.files, "src/a.c": ("other", 0o644)}).described, ALL)
    assert [change.path for change in file_changes(folded(files, 3), changed)] == ["/src/"]
    assert [change.path for change in file_changes(files, changed)] == ["/src/a.c"]


def test_of_a_directory_that_has_come_its_content_is_not_told() -> None:
    before = files_read(Played({"a": ("a", 0o644)}).described, ALL)
    after = files_read(Played({"a": ("a", 0o644), "new/x/y": ("1", 0o644), "new-er": ("2", 0o644)}).described, ALL)
    assert [change.path for change in file_changes(before, after)] == ["/new", "/new-er"]
    assert [change.how for change in file_changes(after, before)] == ["removed", "removed"]


def test_an_owner_is_told_and_what_is_unknown_counts_as_changed() -> None:
    old = {"/f": FileEntry("file", "1", 0o644, 0, 0, 3, 7)}
    assert file_changes(old, {"/f": FileEntry("file", "2", 0o644, 5, 6, 3, 7)})[0].note == "owner 0:0 → 5:6"
    assert file_changes(old, {"/f": FileEntry("file", "2", 0o644, 0, 0, 3, 7)})[0].note == "attributes"
    assert file_changes(old, {"/f": FileEntry("file", "2")})[0].how == "changed"
