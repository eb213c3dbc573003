"""Which findings a Dockerfile has. The same files go through a real buildkitd in tests/interop/test_checks.py."""

from __future__ import annotations

from collections import Counter

import pytest
from imagebuild_engine.core.checks import RULES, Facts, Report, check
from imagebuild_engine.core.dockerfile import IgnorePatterns, parse_dockerfile
from imagebuild_engine.core.frontend import BuildOptions, predefined_args
from imagebuild_engine.core.oci import Digest, ImageConfig, Platform, Reference

from tests.support.check_cases import AMD64, CASES, IMAGES, PLATFORMS, CheckCase
from tests.support.lowering import lowered

NAMES = {name: f"{name}:1" for name in IMAGES}
IMAGES_BY_NAME = {
    (Reference.parse(NAMES[name]), platform): ImageConfig(
        platform=PLATFORMS.get(name, AMD64), config=config, diff_ids=(Digest.of(b"diff"),)
    )
    for name, config in IMAGES.items()
    for platform in (AMD64, Platform("linux", "arm64"))
}


def report_of(case: CheckCase) -> Report:
    """What the case's checks find, with all that a build knows."""
    dockerfile = parse_dockerfile(case.dockerfile(NAMES).encode())
    options = BuildOptions(platform=AMD64, build_platform=AMD64, build_args=case.arguments, target=case.target)
    facts = Facts(
        platform=AMD64,
        build_platform=AMD64,
        predefined=predefined_args(options, dockerfile),
        build_args=case.arguments,
        images=IMAGES_BY_NAME,
        ignored=IgnorePatterns.parse(case.ignore).matcher if case.ignore else None,
        stages=lowered(case.dockerfile({"base": "base"}), target=case.target).stages if case.target else None,
    )
    return check(dockerfile, facts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_has_the_findings_that_buildkit_has(case: CheckCase) -> None:
    found = Counter(
        (violation.rule.name, violation.location.start if violation.location else 0)
        for violation in report_of(case).violations
    )
    assert found == case.found


def test_every_rule_has_a_file_that_breaks_it_one_that_does_not_and_one_that_skips_it() -> None:
    broken = Counter(rule for case in CASES for rule in case.rules)
    skipped = {rule for rule in RULES for case in CASES if f"skip={rule}" in case.text and rule not in case.rules}
    clean = {rule for rule in RULES for case in CASES if rule not in case.rules}
    experimental = {name for name, rule in RULES.items() if rule.experimental}
    assert broken.keys() == clean == RULES.keys()
    assert skipped == RULES.keys() - experimental
