"""Which sources a build that wants all its caches can do without."""

import asyncio
from typing import get_args

import pytest
from imagebuild_engine.build.failures import BuildFailed, CacheTooSlow
from imagebuild_engine.build.imports import Imported
from imagebuild_engine.build.losses import check_sources, in_time, until_nothing_is_lost
from imagebuild_engine.build.supplier import Patience, Supplier
from imagebuild_engine.contract import FAILURES, CacheSource, ImportOutcome, SourceKind
from imagebuild_engine.core.solver import ResultLost


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


async def test_work_that_finds_a_result_lost_is_done_again() -> None:
    done = []

    async def work() -> str:
        done.append(True)
        if len(done) < 3:
            raise ResultLost("gone")
        return "image"

    assert await until_nothing_is_lost([imported("unused")], work) == "image"
    assert len(done) == 3


async def test_a_source_that_loses_one_result_after_the_other_is_asked_no_more() -> None:
    source = imported("unused")
    source.supplier = Supplier(Patience(30.0))

    async def work() -> str:
        if not source.given_up:
            raise ResultLost("gone again")
        return "image"

    assert await until_nothing_is_lost([source], work) == "image"
    assert (source.outcome, "gone again" in source.reason) == ("error", True)


async def test_what_is_lost_with_no_cache_left_is_an_error() -> None:
    async def work() -> str:
        raise ResultLost("gone for good")

    with pytest.raises(ResultLost):
        await until_nothing_is_lost([], work)


async def test_a_cache_that_is_not_written_in_time_says_so_and_other_timeouts_stay_what_they_are() -> None:
    with pytest.raises(CacheTooSlow, match=r"within 0\.01 s"):
        await in_time(0.01, asyncio.Event().wait())

    async def impatient() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await in_time(60, impatient())
