"""The benchmark of a change at every step: its Dockerfile, what must run, its table."""

import json
from pathlib import Path

from benchmarks.every_step import STEPS, Project, StepRun, must_run
from benchmarks.step_report import StepReport

TITLES = {"ours": "imagebuild", "buildkit": "BuildKit"}


def report(*executed: tuple[str, frozenset[int]]) -> StepReport:
    """The steps that each contestant ran, whatever had changed."""
    runs = [
        StepRun(changed=changed, contestant=name, round=number, seconds=number, executed=must_run(changed) | more)
        for changed in range(len(STEPS))
        for name, more in executed
        for number in (1, 2, 9)
    ]
    return StepReport(about={"date": "today"}, workload={}, titles=TITLES, runs=runs)


def test_it_has_twenty_steps_in_three_stages_and_no_two_are_alike() -> None:
    assert len(STEPS) == len({step.instruction("") for step in STEPS}) == 20
    assert len({step.stage for step in STEPS}) == 3
    assert all(len(step.instruction("-99")) <= 120 for step in STEPS)


def test_a_change_is_one_line_or_one_file(tmp_path: Path) -> None:
    project = Project(tmp_path / "context", "base")
    project.write()
    before = {path.name: path.read_text() for path in project.folder.iterdir()}
    for changed, step in enumerate(STEPS):
        project.write(changed, "-1")
        after = {path.name: path.read_text() for path in project.folder.iterdir()}
        assert [name for name in after if after[name] != before[name]] == [step.file or "Dockerfile"]
        lines = [after["Dockerfile"].splitlines(), before["Dockerfile"].splitlines()]
        assert sum(new != old for new, old in zip(*lines, strict=True)) == (0 if step.file else 1)


def test_what_stands_on_a_change_or_copies_from_it_must_run() -> None:
    assert must_run(19) == {19}
    assert must_run(14) == {14, 15, 16, 17, 18, 19}  # the final stage alone
    assert must_run(10) == {10, 11, 12, 13, 17, 18, 19}  # the builder stage, and the final one from its COPY --from on
    assert must_run(5) == {5, *range(9, 14), 17, 18, 19}


def test_a_row_for_each_step_with_the_median_of_the_seconds() -> None:
    text = report(("ours", frozenset()), ("buildkit", frozenset({0, 1}))).markdown()
    assert (
        "| 20 [final] `RUN (echo last; ls /final; cat /final/*) \\| sha256sum > x` | 1 | 1 | 3 | 2.00 | 2.00 |" in text
    )
    assert "imagebuild ran the fewest steps in 20 of 20 rows, and only what must run in 20." in text


def test_the_verdict_is_against_us_where_another_ran_fewer() -> None:
    text = report(("ours", frozenset({19, 0})), ("buildkit", frozenset())).markdown()
    assert "imagebuild ran the fewest steps in 1 of 20 rows, and only what must run in 1." in text


def test_the_file_for_programs_has_every_build() -> None:
    runs = json.loads(report(("ours", frozenset()), ("buildkit", frozenset())).json())["runs"]
    assert len(runs) == 20 * 2 * 3
    assert runs[-1]["must_run"] == runs[-1]["executed"] == [20]
