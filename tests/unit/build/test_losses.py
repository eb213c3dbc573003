"""Which sources a build that wants all its caches can do without."""

from typing import get_args

import pytest
from imagebuild_engine.build.failures import BuildFailed
from imagebuild_engine.build.imports import Imported
from imagebuild_engine.build.losses import check_sources
from imagebuild_engine.contract import FAILURES, CacheSource, ImportOutcome, SourceKind


def imported(outcome: ImportOutcome, kind: SourceKind = "image") -> Imported:
    return Imported(source=CacheSource(ref="registry.example/a:1", kind=kind), answered=outcome, why="why")


@pytest.mark.parametrize("outcome", sorted({*get_args(ImportOutcome)} - {"used", "unused"}))
def test_a_source_that_cannot_be_used_is_the_builds_failure_and_named(outcome: ImportOutcome) -> None:
    with pytest.raises(BuildFailed) as raised:
        check_sources([imported("unused"), imported(outcome)])
    failure = raised.value.result
    assert failure.message == "cache source registry.example/a:1: why"
    assert FAILURES[failure.reason].exit_code is not None, "the builder can say it with its exit code"


def test_the_first_build_finds_neither_an_earlier_image_nor_shared_steps() -> None:
    check_sources([imported("not_found", "previous"), imported("not_found", "shared"), imported("unused")])
    for kind in ("imagebuild", "selector", "image"):
        with pytest.raises(BuildFailed):
            check_sources([imported("not_found", kind)])
    with pytest.raises(BuildFailed):
        check_sources([imported("unauthorized", "previous")])
