"""What keeps the checks honest: what changed is no hit, cases share nothing, a hit costs no download."""

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from imagebuild_engine.core.cache import Record

from tests.interop.corpus import CASES, Case
from tests.interop.pairs import beside
from tests.interop.schedule import Schedule

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]
_FIXED_POINTS = ("stages", "link-then-run", "mount-bind-from", "app-go-service", "app-python-cli")
_LAZY = ("stages-diamond", "link-stage", "app-go-service")
CHANGED = [case for case in CASES if case.changed]


@beside(CHANGED)
def test_a_changed_file_is_no_hit_for_us(schedule: Schedule, builder: str, case: Case) -> None:
    built, instruction = schedule.ours_changed(builder, case)
    assert instruction in built.executed


@beside([case for case in CHANGED if case.changed and not {"$", '"'} & set(case.changed[1])])
def test_a_changed_file_is_no_hit_for_them(schedule: Schedule, builder: str, case: Case) -> None:
    """BuildKit tells an instruction with its variables expanded and its lists without quotes: those are left out."""
    steps, instruction = schedule.theirs_changed(builder, case)
    assert [step for step in steps.executed if step.endswith(instruction)], steps.log


@beside([case for case in CASES if case.name in _FIXED_POINTS])
def test_what_we_make_of_their_cache_is_a_cache_that_makes_the_same_image(
    schedule: Schedule, builder: str, case: Case
) -> None:
    workshop = schedule.workshop
    schedule.ours_from_theirs(builder, case)
    first = workshop.ref(case, f"ours-from-{builder}")
    workshop.build(case, f"again-{builder}", first)
    assert workshop.manifest(workshop.ref(case, f"again-{builder}")) == workshop.manifest(first)


@beside([case for case in CASES if case.name in _LAZY], builders=("buildkitd",))
def test_they_read_no_layer_of_ours_for_hits(schedule: Schedule, builder: str, case: Case) -> None:
    schedule.theirs_from_ours(builder, case)
    asked = {
        access.path.rpartition("/")[2]
        for access in schedule.workshop.registry.requests_after(0)
        if access.method == "GET" and access.agent.startswith("buildkit") and f"/v2/{case.name}/ours/" in access.path
    }
    assert asked  # the manifest, at least
    assert not asked & set(schedule.workshop.layers(schedule.ours(case)))


def test_cases_share_no_step(schedule: Schedule) -> None:
    """A builder forgets between phases, not between cases: what it has of one case must be of no use for another."""
    records = {case.name: schedule.workshop.records(schedule.ours(case)) for case in schedule.built()}
    roots = Counter(digest for of in records.values() for digest in {item.digest for item in of if not item.inputs})
    shared = {digest for digest, count in roots.items() if count > 1}
    steps = Counter(digest for of in records.values() for digest in set(unsalted(of, shared)))
    twice = {digest for digest, count in steps.items() if count > 1}
    assert not {name: found for name, of in records.items() if (found := twice & set(unsalted(of, shared)))}


def unsalted(records: Sequence[Record], shared: set[str]) -> Iterator[str]:
    """Steps that can be found by roots alone that several cases have."""

    def reachable(number: int) -> bool:
        record = records[number]
        if not record.inputs:
            return record.digest in shared
        return all(any(reachable(link.parent) for link in links) for links in record.inputs)

    return (record.digest for number, record in enumerate(records) if record.inputs and reachable(number))
