"""What there is to show of a result: one row per step, in the order of the Dockerfile, in stretches of one stage.

A result tells of the steps that were decided on. Numbers between them are steps whose results nobody needed, or that
a failed build did not come to; they share a row. A step that failed is in the result's failure and gets its row here.
Results are read from images too, and may be anything: numbers and inputs that make no sense are left out.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from msgspec.structs import replace as changed

from ..contract import BuildResult, FailureResult, StepResult

Kind = Literal["hit", "ran", "uncacheable", "skipped", "failed", "image"]
MOST_ROWS = 2000
MOST_INPUTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A node of the graph and what stands beside it. Numbers from 1; 0 where there is none."""

    kind: Kind
    number: int = 0
    last: int = 0
    """Of skipped steps: the row stands for `number` to `last`."""
    stage: str = ""
    line: int = 0
    instruction: str = ""
    step: StepResult | None = None
    inputs: tuple[int, ...] = ()
    """Rows above (their places, from 0), the one that it continues first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows of one stage that follow each other."""

    stage: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows. The last one is the image, where there is one, and belongs to no stretch."""

    rows: tuple[Row, ...]
    stretches: tuple[Stretch, ...]
    left_out: int = 0
    """Steps beyond MOST_ROWS."""
    missing: int = 0
    """Steps that the build had and the result does not tell of: it was cut to fit somewhere."""

    @property
    def steps(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.kind != "image")


def rows_of(result: BuildResult) -> Rows:
    """The rows of a result; none if it tells of no step."""
    steps = _in_order(result.steps)
    rows = [_row(step) for step in steps[:MOST_ROWS]]
    if result.failure and rows:
        rows = _with_failed(rows, result.failure)
    rows = list(_with_skipped(rows))
    starts = [(row.number, place) for place, row in enumerate(rows) if row.number]
    placed = [replace(row, inputs=_inputs(place, rows, starts)) for place, row in enumerate(rows)]
    if result.image and placed:
        used = {below for row in placed for below in row.inputs}
        ends = [place for place in range(len(placed)) if place not in used]
        placed.append(Row(kind="image", inputs=tuple(reversed(ends))))
    return Rows(
        rows=tuple(placed),
        stretches=_stretches(placed),
        left_out=max(0, len(steps) - MOST_ROWS),
        missing=max(0, result.cache.total - len(steps)),
    )


def _in_order(steps: Sequence[StepResult]) -> list[StepResult]:
    """By number. Where the numbers are none, by their order, each on the one above it in its stage."""
    numbers = {step.number for step in steps}
    if len(numbers) == len(steps) and min(numbers, default=1) > 0:
        return sorted(steps, key=lambda step: step.number)
    return [
        changed(step, number=place + 1, inputs=(place,) if place and steps[place - 1].stage == step.stage else ())
        for place, step in enumerate(steps)
    ]


def _row(step: StepResult) -> Row:
    kinds: dict[str, Kind] = {"hit": "hit", "miss": "ran", "uncacheable": "uncacheable"}
    return Row(
        kind=kinds[step.outcome],
        number=step.number,
        stage=step.stage,
        line=step.line,
        instruction=step.instruction,
        step=step,
    )


def _with_failed(rows: list[Row], failure: FailureResult) -> list[Row]:
    """The row of the step that failed: the one that ran at that line, or a new one at its place."""
    if failure.line <= 0:
        return rows
    for place in range(len(rows) - 1, -1, -1):
        row = rows[place]
        if row.kind != "hit" and row.line == failure.line and failure.stage in ("", row.stage):
            return [*rows[:place], replace(row, kind="failed"), *rows[place + 1 :]]
    place = max((place + 1 for place, row in enumerate(rows) if row.line <= failure.line), default=0)
    before = rows[place - 1].number if place else 0
    free = place == len(rows) or rows[place].number > before + 1
    stage = failure.stage or (rows[place - 1].stage if place else "")
    failed = Row(
        kind="failed",
        number=before + 1 if free else 0,
        stage=stage,
        line=failure.line,
        instruction=failure.step or "the failed step",
    )
    return [*rows[:place], failed, *rows[place:]]


def _with_skipped(rows: Sequence[Row]) -> Iterator[Row]:
    last = 0
    stage = rows[0].stage if rows else ""
    for row in rows:
        if row.number > last + 1:
            yield Row(kind="skipped", number=last + 1, last=row.number - 1, stage=stage)
        yield row
        last, stage = row.number or last, row.stage


def _inputs(place: int, rows: Sequence[Row], starts: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    row = rows[place]
    if row.step is None:
        # Nobody says what it rests on; in the midst of a stage it is what stands above.
        around = rows[max(place - 1, 0) : place + (2 if row.kind == "skipped" else 1)]
        return (place - 1,) if place and all(near.stage == row.stage for near in around) else ()
    found: dict[int, None] = {}
    for number in row.step.inputs[:MOST_INPUTS]:
        start = bisect_right(starts, (number, len(rows))) - 1
        below = starts[start][1] if start >= 0 else place
        if below < place and number <= max(rows[below].number, rows[below].last):
            found[below] = None
    return tuple(found)


def _stretches(rows: Sequence[Row]) -> tuple[Stretch, ...]:
    numbered = [(place, row) for place, row in enumerate(rows) if row.kind != "image"]
    groups = groupby(numbered, key=lambda item: item[1].stage)
    return tuple(Stretch(stage=stage, rows=tuple(place for place, _row in group)) for stage, group in groups)
