"""Keys of COPY, ADD, WORKDIR and heredocs: what is hashed, and what of the inputs counts."""

import base64
import json
from typing import Any

import pytest
from imagebuild_engine.core.cache import ContentRequest, ContentSelector, selector_of
from imagebuild_engine.core.graph import (
    SCRATCH,
    Chown,
    CopyAction,
    Dialect,
    FileAction,
    FileOp,
    InputKey,
    MkdirAction,
    MkfileAction,
    UserById,
    UserByName,
    cache_map,
    op_text,
)
from imagebuild_engine.core.oci import Digest

WHOLE = InputKey(selector=None, content=None)


def copy(source: str, *, source_input: int = 1, on: int = 0, output: int = 0, **options: Any) -> CopyAction:
    return CopyAction(source=source, destination="/", source_input=source_input, input=on, output=output, **options)


def digest_of(op: FileOp) -> Digest:
    (digest,) = cache_map(op).digests
    return digest


def payload(action: FileAction, dialect: Dialect = Dialect.V0_22) -> dict[str, Any]:
    text = json.loads(op_text(FileOp(actions=(action,)), dialect))["Actions"][0]
    found: dict[str, Any] = json.loads(base64.b64decode(text))
    return found


def test_the_vectors_of_file_ops() -> None:
    vectors = {
        FileOp(
            actions=(MkdirAction(path="/a", input=0, output=0),)
        ): "29054677b3c9e1d932defde92e9eaed71c85d509bc69ad369cd92637a467a8c1",
        FileOp(actions=(copy("/a.txt"),)): "dca5b6d24e62bf464390396dd284956c364296352466a9d097efdf0817545dc2",
        FileOp(
            actions=(copy("/a.txt", source_input=0, on=SCRATCH),)
        ): "190ea2578b546844338ec2ca3215ad9535269ddd0251ecd186077e282bbb9128",
    }
    assert {digest_of(op) for op in vectors} == {f"sha256:{digest}" for digest in vectors.values()}


def test_only_the_last_part_of_a_source_is_in_the_key_and_the_rest_is_selected() -> None:
    one, other = FileOp(actions=(copy("/x/a.txt"),)), FileOp(actions=(copy("/y/a.txt"),))
    assert digest_of(one) == digest_of(other)
    assert cache_map(one).inputs[1].selector == selector_of(["/x/a.txt"])
    assert cache_map(other).inputs[1].selector == selector_of(["/y/a.txt"])


def test_what_is_written_to_counts_as_it_is_and_what_is_read_by_content() -> None:
    assert cache_map(FileOp(actions=(copy("/d*"),))).inputs == (
        WHOLE,
        InputKey(
            selector=selector_of(["/d*"]),
            content=ContentRequest(selectors=(ContentSelector(path="/d*", wildcard=True),)),
        ),
    )


def test_a_copy_within_the_same_tree_has_one_input_known_by_definition() -> None:
    assert cache_map(FileOp(actions=(copy("/a", source_input=0),))).inputs == (WHOLE,)


def numbers(*actions: FileAction) -> object:
    return json.loads(op_text(FileOp(actions=actions))).get("indexes")


def test_the_numbers_of_inputs_are_left_out_in_the_common_case_only() -> None:
    assert numbers(copy("/a")) is None
    assert numbers(MkdirAction(path="/a", input=0, output=0)) is None
    assert numbers(MkdirAction(path="/a", input=SCRATCH, output=0)) == [[-1, -1, 0]]
    assert numbers(copy("/a", source_input=0, on=SCRATCH)) == [[-1, 0, 0]]
    assert numbers(copy("/a", source_input=0)) == [[0, 0, 0]]
    # With two sources, the count of actions happens to be that of inputs.
    assert numbers(copy("/a", output=-1), copy("/b", on=2)) is None
    three = (copy("/a", output=-1), copy("/b", on=2, output=-1), copy("/c", on=3))
    assert numbers(*three) == [[0, 1, -1], [2, 1, -1], [3, 1, 0]]


def test_several_sources_are_selected_from_the_last_to_the_first() -> None:
    three = FileOp(actions=(copy("/b", output=-1), copy("/c", on=2, output=-1), copy("/a", on=3)))
    base, context = cache_map(three).inputs
    assert base == WHOLE
    assert context.selector == selector_of(["/c", "/b", "/a"])


def test_a_source_named_twice_is_selected_twice() -> None:
    twice = FileOp(actions=(copy("/a", output=-1), copy("/a", on=2)))
    assert cache_map(twice).inputs[1].selector == selector_of(["/a", "/a"])


def test_actions_on_scratch_count_their_inputs_right() -> None:
    onto_scratch = FileOp(actions=(copy("/a", source_input=0, on=SCRATCH, output=-1), copy("/b", source_input=0, on=1)))
    assert [key.selector for key in cache_map(onto_scratch).inputs] == [selector_of(["/b", "/a"])]
    folders = FileOp(
        actions=(
            MkdirAction(path="/a", input=SCRATCH, output=-1),
            MkdirAction(path="/b", input=0, output=-1),
            MkdirAction(path="/c", input=1, output=0),
        )
    )
    assert cache_map(folders).inputs == ()


def test_a_named_owner_from_what_is_written_to_adds_nothing() -> None:
    chown = Chown(user=UserByName(name="bob"), group=UserByName(name="grp"))
    plain, named = (cache_map(FileOp(actions=(copy("/a", owner=owner),))) for owner in (None, chown))
    assert plain.inputs == named.inputs
    assert plain.digests != named.digests


def test_a_named_owner_from_what_is_read_is_read_there() -> None:
    chown = Chown(user=UserByName(name="bob", input=1), group=UserByName(name="grp", input=1))
    key = cache_map(FileOp(actions=(copy("/a", owner=chown),))).inputs[1]
    assert key.selector == selector_of(["/etc/passwd", "/etc/group", "/a"])
    assert key.content is not None
    assert set(key.content.selectors[1:]) == {ContentSelector(path="/etc/passwd"), ContentSelector(path="/etc/group")}


def test_what_is_chosen_of_a_source_is_hashed_and_in_the_key() -> None:
    filters = {"include_patterns": ("d/x",), "exclude_patterns": ("*.md",), "required_paths": ("/d/x",)}
    action = copy("/", **filters)
    assert cache_map(FileOp(actions=(action,))).inputs[1] == InputKey(
        selector=selector_of(["/"]),
        content=ContentRequest(
            selectors=(
                ContentSelector(path="/", wildcard=True, include=("d/x",), exclude=("*.md",), required=("/d/x",)),
            )
        ),
    )
    assert {name: payload(action)[name] for name in filters} == {name: list(value) for name, value in filters.items()}


def test_a_mode_is_a_number_or_words() -> None:
    assert payload(copy("/a", mode=0o755))["mode"] == 493
    assert "mode" not in payload(copy("/a", mode=0))
    in_words = payload(copy("/a", mode=0, mode_text="u+x"))
    assert in_words["modeStr"] == "u+x"
    assert "mode" not in in_words


def test_a_file_made_of_a_text_has_it_in_its_key_whatever_its_bytes() -> None:
    assert payload(MkfileAction(path="/EOF", data=b"\xff<", input=SCRATCH, output=0)) == {
        "path": "/EOF",
        "mode": 0o644,
        "data": base64.b64encode(b"\xff<").decode(),
        "timestamp": -1,
    }
    assert "data" not in payload(MkfileAction(path="/EOF", data=b"", input=SCRATCH, output=0))


def test_several_files_may_come_from_several_inputs() -> None:
    """`COPY a <<EOF /x/`: the text's file is an op of its own, copied from there."""
    both = FileOp(actions=(copy("/a", output=-1), copy("/EOF", source_input=2, on=3, follow_symlink=False)))
    keys = cache_map(both).inputs
    assert [key.selector for key in keys] == [None, selector_of(["/a"]), selector_of(["/EOF"])]
    assert keys[2].content == ContentRequest(
        selectors=(ContentSelector(path="/EOF", wildcard=True, follow_links=False),)
    )


# What older versions write (their texts are measured by the golden records; here is where they differ)


def keys_of(action: FileAction) -> list[Digest]:
    """The distinct keys, the newest first."""
    spellings = cache_map(FileOp(actions=(action,))).spellings
    return list(dict.fromkeys(digest for spelling in spellings for digest in spelling.digests))


@pytest.mark.parametrize(
    ("dialect", "user", "group", "root"),
    [
        (Dialect.V0_18, {"byName": {"name": "bob"}}, {"byId": 7}, {}),
        (Dialect.V0_17, {"ByName": {"name": "bob"}}, {"ByID": 7}, {"ByID": 0}),
        (Dialect.V0_16, {"byName": {"name": "bob", "input": 0}}, {"byID": 7}, {}),
    ],
)
def test_owners_have_three_forms(dialect: Dialect, user: object, group: object, root: object) -> None:
    chown = Chown(user=UserByName(name="bob"), group=UserById(id=7))
    assert payload(copy("/a", owner=chown), dialect)["owner"] == {"user": {"User": user}, "group": {"User": group}}
    assert payload(copy("/a", owner=Chown(user=UserById(id=0))), dialect)["owner"] == {"user": {"User": root}}
    assert len(keys_of(copy("/a", owner=chown))) == 3


def test_the_directory_of_workdir_had_no_time() -> None:
    made = MkdirAction(path="/a", input=0, output=0, timestamp=5)
    assert payload(made)["timestamp"] == 5
    assert payload(made, Dialect.V0_18)["timestamp"] == -1
    assert len(keys_of(made)) == 2


@pytest.mark.parametrize(
    "action",
    [
        copy("/a*"),
        copy("/a", mode=0, mode_text="u+x"),
        copy("/", include_patterns=("a",), exclude_patterns=("b",), required_paths=("/a",)),
        MkdirAction(path="/a", input=0, output=0),
        MkfileAction(path="/a", data=b"a", input=SCRATCH, output=0),
    ],
)
def test_all_else_has_one_form(action: FileAction) -> None:
    assert cache_map(FileOp(actions=(action,))).older == ()
