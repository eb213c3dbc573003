"""Our images are caches for the real builders and theirs for us: nothing runs twice, and what changed runs.

Each builder is pruned before it builds from a cache, so all that it knows is what the image told it.
"""

import pytest

from tests.interop.cases import CASES, GLOBS, SINGLE_STAGE, STAGES, Case
from tests.interop.conftest import Other
from tests.interop.workshop import Workshop
from tests.support.daemons import Builder
from tests.support.records import unfound

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]
BUILDERS = ("dockerd", "buildkitd")


def beside(*cases: Case) -> pytest.MarkDecorator:
    """Every builder with each of the cases that it can build."""
    pairs = [(name, case) for name in BUILDERS for case in cases if name not in case.not_for]
    ids = [f"{name}-{case.name}" for name, case in pairs]
    return pytest.mark.parametrize(("other", "case"), pairs, indirect=["other"], ids=ids)


@beside(*CASES)
def test_their_image_is_all_that_we_need(workshop: Workshop, other: Other, case: Case) -> None:
    theirs = workshop.theirs(other.name, other.builder, case)
    reference = workshop.ref(f"ours-from-{other.name}", case)
    built = workshop.build(workshop.context(case), reference, case, theirs)
    assert built.executed == []
    assert built.result["cache"]["misses"] == 0
    assert workshop.layers(reference) == workshop.layers(theirs)


@beside(STAGES)
def test_what_we_make_of_their_cache_is_a_cache_that_makes_the_same_image(
    workshop: Workshop, other: Other, case: Case
) -> None:
    theirs = workshop.theirs(other.name, other.builder, case)
    first, second = (workshop.ref(f"{name}-from-{other.name}", case) for name in ("first", "second"))
    workshop.build(workshop.context(case), first, case, theirs)
    workshop.build(workshop.context(case), second, case, first)
    assert workshop.manifest(second) == workshop.manifest(first)


@beside(*CASES)
def test_our_image_is_all_that_they_need(workshop: Workshop, other: Other, case: Case) -> None:
    ours = workshop.ours(case)
    reference = workshop.ref(f"{other.name}-from-ours", case)
    other.builder.forget()
    steps = other.builder.build(workshop.context(case), reference, cache_from=ours, arguments=case.arguments)
    assert steps.executed == [], steps.log
    assert len(steps.outcomes) >= case.steps, steps.log
    assert workshop.diff_ids(reference) == workshop.diff_ids(ours)


@beside(*CASES)
def test_every_step_of_their_records_is_among_ours(workshop: Workshop, other: Other, case: Case) -> None:
    theirs = workshop.records(workshop.theirs(other.name, other.builder, case))
    assert unfound(workshop.records(workshop.ours(case)), theirs) == []


@beside(*CASES)
def test_a_changed_file_is_no_hit_for_us(workshop: Workshop, other: Other, case: Case) -> None:
    theirs = workshop.theirs(other.name, other.builder, case)
    context, instruction = workshop.changed_context(case)
    built = workshop.build(context, workshop.ref("changed", case), case, theirs)
    assert instruction in built.executed


@beside(SINGLE_STAGE, GLOBS, STAGES)
def test_a_changed_file_is_no_hit_for_them(workshop: Workshop, other: Other, case: Case) -> None:
    ours = workshop.ours(case)
    context, instruction = workshop.changed_context(case)
    other.builder.forget()
    steps = other.builder.build(context, workshop.ref("changed", case), cache_from=ours, arguments=case.arguments)
    assert [step for step in steps.executed if step.endswith(instruction)], steps.log
    # BuildKit calls the last of the hits before it DONE too: it is the one whose layers have to be unpacked now.
    assert set(steps.executed) < set(steps.outcomes), steps.log


def test_buildkit_reads_no_layer_of_ours_and_pushes_the_very_same_ones(workshop: Workshop, buildkitd: Builder) -> None:
    ours = workshop.ours(STAGES)
    buildkitd.forget()
    mark = len(workshop.registry.requests())
    reference = workshop.ref("buildkitd-lazily", STAGES)
    buildkitd.build(workshop.context(STAGES), reference, cache_from=ours)
    asked = {
        access.path.rpartition("/")[2] for access in workshop.registry.requests_after(mark) if access.method == "GET"
    }
    assert not asked & set(workshop.layers(ours))
    assert workshop.layers(reference) == workshop.layers(ours)
