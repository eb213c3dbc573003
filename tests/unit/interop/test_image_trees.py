"""The judge of the interop tests: trees of images compared, and exceptions that must be needed."""

from io import BytesIO

from tests.interop.exceptions import Allowed, objections
from tests.support.image_trees import final_tree, read_layer, tree_differences, value_differences
from tests.support.tars import directory, file, hard_link, member, symlink, tar


def tree_of(*layers: list) -> dict:  # type: ignore[type-arg]
    return final_tree(read_layer(BytesIO(tar(members))) for members in layers)


def test_equal_trees_written_in_other_orders_do_not_differ() -> None:
    ours = tree_of([directory("d"), file("d/one", "1"), hard_link("d/two", "d/one"), symlink("d/l", "one")])
    theirs = tree_of([directory("d"), file("d/two", "1"), hard_link("d/one", "d/two"), symlink("d/l", "one")])
    assert tree_differences(ours, theirs) == []


def test_every_fact_of_a_file_counts() -> None:
    base = [file("f", "1")]
    for other in (
        file("f", "2"),
        file("f", "1", mode=0o600),
        file("f", "1", uid=5),
        file("f", "1", gid=5),
        file("f", "1", xattrs={"user.x": "y"}),
        symlink("f", "1"),
        directory("f"),
        member("f", b"3", device=(1, 3)),
        member("f", b"6"),
        file("g", "1"),
    ):
        assert tree_differences(tree_of(base), tree_of([other])), other[0]


def test_names_of_one_file_are_told_from_two_equal_files() -> None:
    one = tree_of([file("a", "1"), hard_link("b", "a")])
    two = tree_of([file("a", "1"), file("b", "1")])
    assert tree_differences(one, two) == ["/b: one file with /a, theirs with /b"]


def test_whiteouts_hide_what_is_below_and_not_what_is_beside() -> None:
    lower = [directory("d"), file("d/old"), file("gone"), directory("e"), file("e/old")]
    upper = [directory("d"), file("d/.wh..wh..opq"), file("d/new"), file(".wh.gone"), file(".wh.e")]
    assert sorted(tree_of(lower, upper)) == ["d", "d/new"]


def test_a_file_in_place_of_a_folder_takes_its_contents_away() -> None:
    assert sorted(tree_of([directory("d"), file("d/x")], [file("d")])) == ["d"]


def test_values_differ_where_they_differ() -> None:
    ours, theirs = {"a": [1, {"b": 2}], "c": [1]}, {"a": [1, {"b": 3}], "c": [1, 2], "d": None}
    assert value_differences(ours, theirs, "") == ["a[1].b: 2, theirs 3", "c: [1], theirs [1, 2]"]


def test_an_exception_allows_what_it_names_and_must_be_needed() -> None:
    allowed = [Allowed("same image", "buildkitd", ("case",), ("/dev: only in *", "history[*"), "why")]
    found = ["/dev: only in theirs", "history[0].x: 'a', theirs 'b'"]
    assert objections(found, allowed) == []
    assert objections([*found, "/etc: kind file"], allowed) == ["/etc: kind file"]
    assert objections(found[:1], allowed) == ["the exception is not needed: history[*"]
