"""Every case of the corpus: what `imagebuild plan` said is what `imagebuild build` then did."""

import pytest

from tests.interop.corpus import CASES, Case
from tests.interop.engine import Built
from tests.interop.pairs import beside
from tests.interop.schedule import Schedule

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]

_SHARED = (
    *("stage", "line", "instruction", "inputs", "outcome", "source"),
    *("reason", "detail", "more", "compared_with", "saved_seconds"),
)
"""What a plan says of a step and a build, too."""


def differences(built: Built) -> list[str]:
    """What came otherwise than it was foretold, or was left open without need."""
    plan, result = built.plan, built.result
    foretold = {step["number"]: step for step in plan["steps"]}
    steps = {step["number"]: step for step in result["steps"]}
    ran = {number for number, step in steps.items() if step["outcome"] == "miss"}
    undecided = {number for number, step in foretold.items() if step["outcome"] == "depends"}
    found = [f"step {number} is in one of the two only" for number in sorted(foretold.keys() ^ steps.keys())]
    for number in sorted(foretold.keys() & steps.keys()):
        step, planned = steps[number], foretold[number]
        if number not in undecided:
            found += [
                f"step {number}, {name}: {planned[name]!r}, then {step[name]!r}"
                for name in _SHARED
                if planned[name] != step[name]
            ]
        elif not planned["depends_on"] or not ran | undecided >= {*planned["depends_on"]}:
            found.append(f"step {number} cannot depend on {planned['depends_on']}: they write nothing")
    least, pulled, most = plan["bytes"]["pulled"], result["bytes"]["pulled"], plan["bytes"]["at_most"]
    if not least <= pulled <= most or (not undecided and least != most):
        found.append(f"pulled {pulled}, foretold {least} to {most}")
    if sum(step["pulled"] for step in plan["steps"]) > least:
        found.append("more is pulled for steps than in all")
    return found


@beside()
def test_plan_of_a_build_without_a_cache(schedule: Schedule, builder: str, case: Case) -> None:
    built = schedule.ours_cold(case)
    assert differences(built) == []
    assert {step["outcome"] for step in built.plan["steps"]} <= {"miss"}


@beside()
def test_plan_of_a_build_from_our_own_image(schedule: Schedule, builder: str, case: Case) -> None:
    assert differences(schedule.ours_again(case)) == []


@beside()
def test_plan_of_a_build_from_their_image(schedule: Schedule, builder: str, case: Case) -> None:
    assert differences(schedule.ours_from_theirs(builder, case)) == []


@beside([case for case in CASES if case.changed])
def test_plan_of_a_build_with_a_changed_file(schedule: Schedule, builder: str, case: Case) -> None:
    built, instruction = schedule.ours_changed(builder, case)
    assert differences(built) == []
    assert instruction in [step["instruction"] for step in built.plan["steps"] if step["outcome"] == "miss"]
