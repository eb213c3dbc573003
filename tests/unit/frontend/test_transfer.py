"""COPY and ADD with all their options, as the file ops that BuildKit would make of them."""

import pytest
from imagebuild_engine.core.graph import (
    SCRATCH,
    Chown,
    CopyAction,
    FileOp,
    MergeOp,
    MkfileAction,
    UserById,
)

from tests.support.lowering import last_copies, lowered, refusal


def only(text: str) -> CopyAction:
    (action,) = last_copies(lowered(f"FROM base\n{text}"))
    return action


def test_a_linked_copy_is_made_on_nothing_and_merged() -> None:
    plan = lowered("FROM base\nCOPY --link a /x/\nCOPY --link --chown=5:6 b /y/")
    assert plan.target is not None
    merge = plan.target.vertex
    assert merge.op == MergeOp(count=2)
    first, second = merge.inputs
    assert first.vertex.op == MergeOp(count=2)
    op = second.vertex.op
    assert isinstance(op, FileOp)
    action = op.actions[0]
    assert isinstance(action, CopyAction)
    assert (action.input, action.source_input) == (SCRATCH, 0)
    assert action.owner == Chown(user=UserById(id=5), group=UserById(id=6))
    assert [type(step.op) for step in plan.steps] == [FileOp, FileOp]


def test_a_linked_copy_onto_nothing_needs_no_merge() -> None:
    plan = lowered("FROM scratch\nCOPY --link a /x/\nCOPY --link b /y/")
    assert plan.target is not None
    assert isinstance(plan.target.vertex.inputs[0].vertex.op, FileOp)


def test_a_linked_copy_with_a_mode_is_a_plain_one() -> None:
    plan = lowered("FROM base\nCOPY --link --chmod=755 a /x/")
    assert plan.target is not None
    assert isinstance(plan.target.vertex.op, FileOp)


def test_names_cannot_be_looked_up_for_a_linked_copy() -> None:
    assert "give numbers" in str(refusal("FROM base\nCOPY --link --chown=bob a /x/"))


def test_parents_keep_the_path_from_the_pivot_on() -> None:
    whole = only("COPY --parents d/s/y /p/")
    assert (whole.source, whole.include_patterns, whole.required_paths) == ("/", ("d/s/y",), ("/d/s/y",))
    pivot = only("COPY --parents d/./s/*/y /p/")
    assert (pivot.source, pivot.include_patterns, pivot.required_paths) == ("/d", ("s/*/y",), ())


def test_exclusions_are_kept_in_order_and_never_expanded() -> None:
    assert only("ARG X=b\nCOPY --exclude=a --exclude=$X . /p/").exclude_patterns == ("a", "$X")


def test_modes_octal_and_symbolic() -> None:
    assert (only("COPY --chmod=0 a /p").mode, only("COPY --chmod=0 a /p").mode_text) == (0, "")
    assert (only("COPY --chmod=u+x,g=u a /p").mode, only("COPY --chmod=u+x,g=u a /p").mode_text) == (0, "u+x,g=u")


def test_archives_are_unpacked_unless_said_otherwise() -> None:
    assert only("ADD a.tar /p").unpack_archive
    assert not only("ADD --unpack=false a.tar /p").unpack_archive
    assert not only("COPY a.tar /p").unpack_archive


def test_a_heredoc_is_a_file_of_its_own_copied_after_the_paths() -> None:
    plan = lowered("FROM base\nCOPY <<A <<'B' c /p/\n$BASE\nA\n$BASE\nB")
    copies = last_copies(plan)
    assert [action.source for action in copies] == ["/c", "/A", "/B"]
    assert not copies[1].allow_wildcard
    assert not copies[1].follow_symlink
    made = [plan.steps[-1].inputs[action.source_input].vertex.op for action in copies[1:]]
    written = [op.actions[0] for op in made if isinstance(op, FileOp)]
    assert written == [
        MkfileAction(path="/A", data=b"1\n", input=SCRATCH, output=0),
        MkfileAction(path="/B", data=b"$BASE\n", input=SCRATCH, output=0),
    ]
    assert plan.history[-1].created_by == "COPY c <<A <<B /p/ # buildkit"


def test_history_names_what_buildkit_names() -> None:
    text = "FROM base\nCOPY --link --parents --chown=1 --chmod=7 --exclude=x a /p/"
    assert lowered(text).history[-1].created_by == "COPY --parents --chown=1 --chmod=7 a /p/ # buildkit"


@pytest.mark.parametrize("text", ["COPY --chmod=9 a /b", "COPY --chmod=$M a /b", "ADD --chmod=u~x a /b"])
def test_modes_that_are_none(text: str) -> None:
    assert "chmod" in str(refusal(f"FROM base\nENV M=77777\n{text}"))
