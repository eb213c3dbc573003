"""What there is to show of a result, and that any result will do."""

from imagebuild_engine.contract import Reason, StepResult, failure
from imagebuild_engine.page.rows import MOST_ROWS, Row, rows_of
from msgspec.structs import replace

from tests.support.reports import failed_build, forty_steps, hit, miss, mixed, result_of


def shown(*steps: StepResult) -> list[tuple[str, int, tuple[int, ...]]]:
    return [(row.kind, row.number, row.inputs) for row in rows_of(result_of(steps)).rows]


def test_steps_stand_in_the_order_of_the_dockerfile_and_end_in_the_image() -> None:
    assert shown(miss(2, "a", "RUN b", 1), hit(1, "a", "RUN a")) == [
        ("hit", 1, ()),
        ("ran", 2, (0,)),
        ("image", 0, (1,)),
    ]


def test_everything_that_nobody_needs_goes_into_the_image() -> None:
    assert rows_of(mixed()).rows[-1].inputs == (12,)
    assert shown(hit(1, "a", "COPY a"), hit(2, "a", "COPY --link b"))[-1] == ("image", 0, (1, 0))


def test_stages_are_stretches() -> None:
    stretches = rows_of(forty_steps()).stretches
    assert [(stretch.stage, len(stretch.rows)) for stretch in stretches] == [
        (name, 8) for name in ("base", "tools", "api", "site", "runtime")
    ]


def test_steps_that_nobody_decided_on_share_a_row() -> None:
    steps = (hit(1, "a", "RUN a"), hit(5, "a", "RUN e", 4), hit(6, "a", "RUN f", 5, 2))
    rows = rows_of(result_of(steps)).rows
    assert [(row.kind, row.number, row.last, row.inputs) for row in rows[:4]] == [
        ("hit", 1, 0, ()),
        ("skipped", 2, 4, (0,)),
        ("hit", 5, 0, (1,)),
        ("hit", 6, 0, (2, 1)),
    ]


def test_of_steps_between_two_stages_nobody_knows_what_they_rest_on() -> None:
    rows = rows_of(result_of((hit(1, "a", "RUN a"), hit(4, "b", "RUN b", 3)))).rows
    assert [(row.kind, row.inputs) for row in rows] == [("hit", ()), ("skipped", ()), ("hit", (1,)), ("image", (2, 0))]


def test_a_failed_step_has_its_row_where_it_stands_in_the_dockerfile() -> None:
    rows = rows_of(failed_build()).rows
    assert [(row.kind, row.number) for row in rows] == [
        ("hit", 1),
        ("hit", 2),
        ("hit", 3),
        ("ran", 4),
        ("failed", 5),
        ("skipped", 6),
        ("hit", 8),
    ]
    assert rows[4].inputs == (3,)
    assert rows[4].stage == "builder"


def test_a_failed_step_that_the_result_lists_is_no_second_row() -> None:
    found = failure(Reason.STEP_FAILED, "it ended", stage="a", line=3, step="RUN b")
    rows = rows_of(result_of((hit(1, "a", "RUN a"), miss(2, "a", "RUN b", 1)), failed=found)).rows
    assert [(row.kind, row.number) for row in rows] == [("hit", 1), ("failed", 2)]


def test_a_failure_of_no_step_marks_none() -> None:
    found = failure(Reason.PUSH_DENIED, "denied")
    rows = rows_of(result_of((hit(1, "a", "RUN a"),), failed=found)).rows
    assert [row.kind for row in rows] == ["hit"]


def test_a_failure_before_all_steps_is_the_first_row() -> None:
    found = failure(Reason.STEP_FAILED, "it ended", line=1)
    rows = rows_of(result_of((hit(1, "a", "RUN a"), hit(2, "a", "RUN b", 1)), failed=found)).rows
    assert [(row.kind, row.number, row.inputs) for row in rows] == [("failed", 0, ()), ("hit", 1, ()), ("hit", 2, (1,))]


def test_numbers_that_are_none_are_counted_anew() -> None:
    steps = tuple(replace(hit(1, stage, "RUN a", 3), number=0) for stage in ("a", "a", "b"))
    assert shown(*steps) == [
        ("hit", 1, ()),
        ("hit", 2, (0,)),
        ("hit", 3, ()),
        ("image", 0, (2, 1)),
    ]


def test_inputs_that_make_no_sense_are_left_out() -> None:
    assert shown(hit(1, "a", "RUN a", 1, 2, -1, 10**30))[0] == ("hit", 1, ())
    assert shown(hit(1, "a", "RUN a"), hit(2, "a", "RUN b", 1, 1, 1))[1] == ("hit", 2, (0,))


def test_a_result_without_steps_has_no_row() -> None:
    assert rows_of(result_of(())).rows == ()


def test_rows_are_bounded() -> None:
    steps = tuple(hit(number, "a", "RUN a", *range(number)) for number in range(1, MOST_ROWS + 12))
    rows = rows_of(result_of(steps))
    assert sum(isinstance(row, Row) and row.kind == "hit" for row in rows.rows) == MOST_ROWS
    assert rows.left_out == 11
