"""The page about checks has every rule, and its examples break it and do not, as it says."""

import re
from pathlib import Path

import pytest
from imagebuild_engine.core.checks import RULES, Facts, check
from imagebuild_engine.core.dockerfile import IgnorePatterns, parse_dockerfile
from imagebuild_engine.core.oci import Digest, ImageConfig, Platform, Reference

from tests.support.check_cases import AMD64

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "checks.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))
IMAGES = {
    (Reference.parse(name), AMD64): ImageConfig(platform=platform, diff_ids=(Digest.of(b"diff"),))
    for name, platform in (("alpine", AMD64), ("arm-only", Platform("linux", "arm64")))
}


def test_the_page_has_every_rule() -> None:
    assert list(SECTIONS) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_the_first_example_breaks_the_rule_and_the_second_breaks_none(rule: str) -> None:
    bad, good = re.findall(r"^```dockerfile[^\n]*\n(.*?)^```$", SECTIONS[rule], re.MULTILINE | re.DOTALL)
    assert rule in _found(bad)
    assert _found(good) == []


def _found(text: str) -> list[str]:
    facts = Facts(
        platform=AMD64,
        build_platform=AMD64,
        predefined={"TARGETPLATFORM": "linux/amd64", "BUILDPLATFORM": "linux/amd64"},
        images=IMAGES,
        ignored=IgnorePatterns.parse("*.log\n").matcher,
    )
    return [violation.rule.name for violation in check(parse_dockerfile(text.encode()), facts).violations]
