"""Every case of the corpus, three ways, with each of the real builders.

1. Our image is all that they need: they run no step.
2. Their image is all that we need: we run no step and download no layer.
3. What we build without a cache is what they build: the same files, the same config, times apart.

What the checks may find in spite of that is in `corpus/exceptions.toml`, with its reason.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.interop.corpus import CASES, Case
from tests.interop.exceptions import Check, applying, exceptions, objections, unneeded
from tests.interop.pairs import beside
from tests.interop.schedule import Schedule
from tests.interop.table import BUILDERS
from tests.support.image_trees import Change, tree_differences, value_differences
from tests.support.records import unfound

pytestmark = [pytest.mark.interop, pytest.mark.root, pytest.mark.registry]


def accept(schedule: Schedule, check: Check, builder: str, case: Case, findings: Sequence[str], log: str = "") -> None:
    """Fails unless the findings are the ones that the exceptions tell."""
    schedule.found += [(check, builder, finding) for finding in findings]
    wrong = objections(findings, applying(check, builder, case.name))
    assert not wrong, "\n".join([*wrong, "", "all findings:", *findings, "", log])


@beside()
def test_we_build_what_they_build(schedule: Schedule, builder: str, case: Case) -> None:
    workshop, ours, theirs = schedule.workshop, schedule.ours(case), schedule.theirs(builder, case)
    accept(
        schedule,
        "same image",
        builder,
        case,
        [
            *tree_differences(workshop.tree(ours), workshop.tree(theirs)),
            *layer_differences(workshop.changes(ours), workshop.changes(theirs)),
            *value_differences(comparable(workshop.config(ours)), comparable(workshop.config(theirs)), ""),
        ],
    )


@beside()
def test_our_image_is_all_that_they_need(schedule: Schedule, builder: str, case: Case) -> None:
    ours = schedule.ours(case)
    steps = schedule.theirs_from_ours(builder, case)
    schedule.counted[builder, case.name] = len(steps.outcomes) - len(steps.executed)
    accept(schedule, "ours for them", builder, case, [f"runs {step}" for step in steps.executed], steps.log)
    assert steps.outcomes or not own_layers(schedule.workshop.config(ours)), steps.log


@beside()
def test_every_step_of_their_records_is_among_ours(schedule: Schedule, builder: str, case: Case) -> None:
    workshop, ours, theirs = schedule.workshop, schedule.ours(case), schedule.theirs(builder, case)
    missing = unfound(workshop.records(ours), workshop.records(theirs))
    assert not missing or applying("theirs for us", builder, case.name), missing


@beside()
def test_their_image_is_all_that_we_need(schedule: Schedule, builder: str, case: Case) -> None:
    built = schedule.ours_from_theirs(builder, case)
    downloads = schedule.downloads(builder, case)
    findings = [*(f"runs {step}" for step in built.executed), *(f"downloads {path}" for path in downloads)]
    accept(schedule, "theirs for us", builder, case, findings, built.log)
    assert built.result["bytes"]["pulled"] == 0 or findings


@beside(refused=True)
def test_what_a_builder_cannot_build_it_refuses(schedule: Schedule, builder: str, case: Case) -> None:
    assert schedule.refusal(builder, case)


def test_what_is_excepted_in_any_case_is_needed_in_one(schedule: Schedule) -> None:
    """Judged where all cases were chosen: what a selection does not need says nothing."""
    if len(schedule.built()) < sum(any(builder not in case.refused for builder in BUILDERS) for case in CASES):
        return
    for item in (item for item in exceptions() if item.general):
        alike = [finding for *of, finding in schedule.found if of == [item.check, item.builder]]
        assert unneeded(item, alike) == []


def layer_differences(ours: Sequence[Change], theirs: Sequence[Change]) -> list[str]:
    """Which layer writes what. Empty layers are left out: builders count them differently."""
    our, their = ([layer.paths for layer in layers if not layer.idle] for layers in (ours, theirs))
    if len(our) != len(their):
        return [f"layers: {len(our)}, theirs {len(their)}"]
    return [
        f"layer {number}: /{path} only in {'ours' if path in a else 'theirs'}"
        for number, (a, b) in enumerate(zip(our, their, strict=True))
        for path in sorted({*a} ^ {*b})
    ]


def comparable(config: dict[str, Any]) -> dict[str, Any]:
    """An image's config without times, records and digests of layers, which depend on times."""
    history = [
        {key: value for key, value in entry.items() if key != "created"} for entry in config.get("history") or []
    ]
    return {
        key: value for key, value in config.items() if key not in ("created", "moby.buildkit.cache.v0", "rootfs")
    } | {"history": history}


def own_layers(config: dict[str, Any]) -> bool:
    """Whether any layer of the image was made by its own Dockerfile's steps."""
    return any(
        entry.get("comment") == "buildkit.dockerfile.v0" and not entry.get("empty_layer")
        for entry in config.get("history", [])
    )
