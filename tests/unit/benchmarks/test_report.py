"""The benchmark's tables."""

import json

from benchmarks.cases import CASES, Case
from benchmarks.contestants import Built
from benchmarks.measure import Usage
from benchmarks.report import Report
from benchmarks.rounds import Sample
from benchmarks.traffic import Traffic
from benchmarks.workload import Lines, all_steps

CASE = next(case for case in CASES if case.name == "last-step")


def sample(contestant: str, number: int, seconds: float) -> Sample:
    usage = Usage(seconds=seconds, cpu=seconds / 2, peak=64 << 20)
    built = Built(usage=usage, digest="sha256:00", executed=frozenset({"RUN x"}))
    return Sample(
        contestant=contestant, round=number, built=built, traffic=Traffic(pulled=1_500_000, pushed=2000, requests=7)
    )


def report(case: Case) -> Report:
    samples = [
        *(sample("buildkit", number, seconds) for number, seconds in ((2, 4.0), (1, 4.0), (3, 5.0))),
        *(sample("ours", number, seconds) for number, seconds in ((1, 2.0), (2, 3.0), (3, 4.0))),
    ]
    titles = {"ours": "imagebuild", "buildkit": "BuildKit"}
    return Report(about={"date": "today"}, workload={"base": "b"}, titles=titles, cases={case.name: (case, samples)})


def test_a_row_for_each_builder_and_one_for_each_comparison() -> None:
    text = report(CASE).markdown()
    assert "| imagebuild | 3.00 | 2.00–4.00 | 1.50 | 1,500.0 | 2.0 | 7 | 64 | 1 |" in text
    assert "| ours ÷ buildkit | 0.75 | 0.50–0.80 | ≤ 0.8 | yes |" in text


def test_the_file_for_programs_has_every_sample() -> None:
    value = json.loads(report(CASE).json())["cases"]["last-step"]
    assert len(value["samples"]) == 6
    assert value["ratios"]["buildkit"]["median"] == 0.75


def test_what_a_case_expects_to_run_are_steps_of_the_workload() -> None:
    for case in CASES:
        lines = case.change(3)
        for expected in case.executed.values():
            assert expected(lines) <= all_steps(lines)
        assert set(case.targets) == set(case.contestants[1:])


def test_only_the_full_hit_changes_nothing() -> None:
    assert [case.name for case in CASES if case.change(3) == Lines()] == ["full-hit"]
    assert [case.name for case in CASES if case.remade == 0] == ["full-hit"]
