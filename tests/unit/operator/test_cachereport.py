"""What a build's end says of its cache: conditions by the API document's table, events, counts; hostile results too."""

from typing import Any, cast, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.contract import (
    BuildResult,
    Bytes,
    CacheExportResult,
    CacheResult,
    CacheSourceResult,
    ExportOutcome,
    ImportOutcome,
    MissReason,
    StepResult,
)
from imagebuild_operator.reconcile import Count, cachereport
from imagebuild_operator.resource import STATUS_LIMIT, Cache, Import, Status, capped, encode_status, parse_spec

from tests.support.image_builds import spec_of

DIGEST = "sha256:" + "a" * 64
NOWHERE = {"inline": False, "attached": False}


def chosen(*kinds: str) -> tuple[Import, ...]:
    return tuple(Import(from_=kind, ref=f"registry.example/{number}:1") for number, kind in enumerate(kinds))


def result(*outcomes: str, hits: int = 1, **members: Any) -> BuildResult:
    sources = tuple(
        CacheSourceResult(ref=f"registry.example/{number}:1", outcome=cast("ImportOutcome", outcome), reason="why")
        for number, outcome in enumerate(outcomes)
    )
    return BuildResult(cache=CacheResult(total=3, hits=hits, misses=3 - hits, sources=sources, **members))


def facts(imports: tuple[Import, ...], answer: BuildResult, **cache: Any) -> dict[str, tuple[str, str]]:
    found = cachereport.facts_of(parse_spec(spec_of(cache=cache)), cachereport.cache_of(imports, answer))
    return {kind: (status, reason) for kind, status, reason, _ in found}


@pytest.mark.parametrize(
    ("kinds", "outcomes", "expected"),
    [
        (["image", "image"], ["used", "unused"], ("True", "AllImported")),
        (["image", "image"], ["used", "timeout"], ("False", "PartiallyImported")),
        (["image", "image"], ["unused", "unauthorized"], ("False", "PartiallyImported")),
        (["image", "imagebuild"], ["invalid", "not_found"], ("False", "ImportFailed")),
        (["image"], ["untrusted"], ("False", "ImportFailed")),
        ([], [], ("True", "NoSources")),
        (["previous"], ["not_found"], ("True", "NoSources")),
        (["previous", "shared"], ["not_found", "not_found"], ("True", "NoSources")),
        (["previous"], ["error"], ("False", "ImportFailed")),
        (["previous", "previous"], ["not_found", "used"], ("True", "AllImported")),
    ],
)
def test_cache_imported_follows_the_sources(kinds: list[str], outcomes: list[str], expected: tuple[str, str]) -> None:
    assert facts(chosen(*kinds), result(*outcomes))["CacheImported"] == expected


def test_sources_without_a_step_of_this_build_are_nothing_usable() -> None:
    assert facts(chosen("image"), result("unused", hits=0))["CacheImported"] == ("False", "NothingUsable")


def test_a_disabled_cache_is_no_failure() -> None:
    assert facts((), result(), disabled=True)["CacheImported"] == ("True", "Disabled")


def test_nothing_is_said_of_sources_that_a_cut_result_does_not_name() -> None:
    assert "CacheImported" not in facts(chosen("image"), result())


@pytest.mark.parametrize(
    ("outcomes", "cache", "expected"),
    [
        (["exported", "unchanged"], {}, ("True", "Exported")),
        (["exported", "failed"], {}, ("False", "ExportFailed")),
        (["empty"], {}, ("True", "Exported")),
        ([], {}, None),
        ([], {"to": NOWHERE}, ("True", "Disabled")),
        ([], {"to": NOWHERE, "shared": {"ref": "a", "mode": "ReadOnly"}}, ("True", "Disabled")),
        ([], {"to": NOWHERE, "shared": {"ref": "a"}}, None),
    ],
)
def test_cache_exported_follows_the_worst(
    outcomes: list[ExportOutcome], cache: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    exports = tuple(CacheExportResult(type="attached", outcome=one, reason="denied") for one in outcomes)
    assert facts((), result(exports=exports), **cache).get("CacheExported") == expected


MISS = StepResult(
    number=7,
    stage="build",
    line=12,
    instruction="COPY app/ /srv/app",
    outcome="miss",
    reason=MissReason.FILES_CHANGED,
    detail=("app/views.py", "app/models.py"),
    more=3,
    compared_with=f"registry.example/shop/web@{DIGEST}",
)
AFTER = StepResult(
    number=8, stage="build", line=13, instruction="RUN make", outcome="miss", reason=MissReason.PARENT_MISSED
)
HIT = StepResult(number=6, stage="build", line=11, instruction="RUN pip", outcome="hit")


def test_the_first_miss_is_explained_and_the_others_are_named() -> None:
    cache = cachereport.cache_of(
        (), BuildResult(steps=(HIT, MISS, AFTER), cache=CacheResult(total=9, hits=7, misses=2))
    )
    first = cache.first_miss
    assert first
    assert (first.stage, first.step, first.line, first.instruction) == ("build", 7, 12, "COPY app/ /srv/app")
    assert (first.reason, first.detail) == ("FilesChanged", "app/views.py, app/models.py and 3 more")
    assert first.compared_with == f"registry.example/shop/web@{DIGEST}"
    assert [(one.step, one.reason) for one in cache.missed_steps] == [(7, "FilesChanged"), (8, "ParentMissed")]
    (event,) = cachereport.events_of(Status(revision=2, attempt=1, cache=cache), ())
    assert (event.kind, event.reason, event.revision, event.attempt) == ("Normal", "CacheMissed", 2, 1)
    assert event.message == (
        "step 7 of 9, line 12: COPY app/ /srv/app: FilesChanged: app/views.py, app/models.py and 3 more "
        f"(compared with registry.example/shop/web@{DIGEST})"
    )


def test_where_the_last_image_is_not_gone_nothing_is_said_of_its_tag() -> None:
    cache = cachereport.cache_of(chosen("previous", "previous", "image"), result("used", "unused", "unused"))
    assert [(one.from_, one.outcome) for one in cache.imports] == [("previous", "used"), ("image", "unused")]
    broken = cachereport.cache_of(chosen("previous", "previous"), result("timeout", "unused"))
    assert [one.outcome for one in broken.imports] == ["timeout"]
    lost = cachereport.cache_of(chosen("previous", "previous"), result("not_found", "used"))
    assert [one.outcome for one in lost.imports] == ["not_found", "used"]


def test_troubles_are_told_once_each_with_what_went_wrong() -> None:
    exports = (CacheExportResult(type="attached", outcome="failed", reason="denied"),)
    answer = result("used", "timeout", exports=exports)
    cache = cachereport.cache_of(chosen("previous", "image"), answer)
    told = cachereport.events_of(Status(cache=cache), cachereport.facts_of(parse_spec(spec_of()), cache))
    assert [(event.kind, event.reason) for event in told] == [
        ("Warning", "CacheImportFailed"),
        ("Warning", "CacheExportFailed"),
    ]
    assert told[0].message == (
        "cache sources that could not be used: 1 of 2; image registry.example/1:1: timeout (why)"
    )
    assert told[1].message == "attached cache: denied"


def test_counts_say_what_moved_where_from_and_what_was_lost() -> None:
    exports = tuple(CacheExportResult(type="steps", outcome=one) for one in get_args(ExportOutcome))
    answer = BuildResult(
        steps=(MISS, AFTER),
        cache=CacheResult(
            total=9,
            hits=1,
            misses=8,
            exports=exports,
            fallbacks=2,
            reasons={"FilesChanged": 1, "ParentMissed": 7},
        ),
        bytes=Bytes(pulled=1, pushed=2, reused=3),
    )
    imports = (Import(from_="shared", outcome="used"),)
    counts = [one for one in cachereport.measures_of(answer, imports) if isinstance(one, Count)]
    assert {(one.name, *(value for _, value in one.labels)): one.amount for one in counts} == {
        ("cache_steps_total", "hit"): 1,
        ("cache_steps_total", "miss"): 8,
        ("cache_steps_total", "uncacheable"): 0,
        ("cache_misses_total", "FilesChanged"): 1,
        ("cache_misses_total", "ParentMissed"): 7,
        ("cache_imports_total", "used", "shared"): 1,
        ("cache_exports_total", "exported"): 1,
        ("cache_exports_total", "unchanged"): 1,
        ("cache_exports_total", "empty"): 1,
        ("cache_exports_total", "failed"): 1,
        ("cache_fallbacks_total", "BlobMissing"): 2,
        ("cache_bytes_total", "reused"): 3,
        ("cache_bytes_total", "pulled"): 1,
        ("cache_bytes_total", "pushed"): 2,
    }  # fmt: skip


NUMBERS = st.integers(-(2**70), 2**70)
UNITS = st.sampled_from(["a", "\x01", "😀", '"', "\ud800"])
TEXTS = st.builds(lambda unit, count: unit * count, UNITS, st.integers(0, 3000))
HOSTILE = st.builds(
    BuildResult,
    steps=st.lists(
        st.builds(
            StepResult, number=NUMBERS, stage=TEXTS, line=NUMBERS, instruction=TEXTS, outcome=st.just("miss"),
            reason=st.sampled_from([None, *MissReason]), detail=st.lists(TEXTS, max_size=8).map(tuple), more=NUMBERS,
            compared_with=TEXTS,
        ),
        max_size=40,
    ).map(tuple),
    cache=st.builds(
        CacheResult, total=NUMBERS, hits=NUMBERS, misses=NUMBERS, uncacheable=NUMBERS, fallbacks=NUMBERS,
        reasons=st.dictionaries(TEXTS, NUMBERS, max_size=5),
        sources=st.lists(
            st.builds(
                CacheSourceResult, ref=st.sampled_from([f"registry.example/{number}:1" for number in range(30)]),
                outcome=st.sampled_from(get_args(ImportOutcome)), digest=TEXTS, reason=TEXTS, matched=NUMBERS,
                seconds=st.floats(),
            ),
            max_size=30,
        ).map(tuple),
        exports=st.lists(
            st.builds(
                CacheExportResult, type=st.just("steps"), outcome=st.sampled_from(get_args(ExportOutcome)), reason=TEXTS
            ),
            max_size=30,
        ).map(tuple),
    ),
    bytes=st.builds(Bytes, pulled=NUMBERS, pushed=NUMBERS, reused=NUMBERS),
)  # fmt: skip


def numbers(value: Any) -> list[int]:
    match value:
        case bool() | str() | None | float():
            return []
        case int():
            return [value]
        case dict():
            return [found for inner in value.values() for found in numbers(inner)]
    return [found for inner in value for found in numbers(inner)]


@settings(max_examples=60, deadline=None)
@given(answer=HOSTILE)
def test_whatever_a_builder_says_the_api_server_takes_it_and_counters_can_count_it(answer: BuildResult) -> None:
    cache: Cache = cachereport.cache_of(chosen("previous", *["image"] * 20, "shared"), answer)
    status = capped(Status(cache=cache, revision=1))
    assert len(msgspec.json.encode(status)) < STATUS_LIMIT
    assert all(0 <= number <= 2**53 for number in numbers(encode_status(status)))
    told = cachereport.events_of(status, cachereport.facts_of(parse_spec(spec_of()), cache))
    assert all(len(event.message.encode()) <= 1000 for event in told)
    assert len({event.reason for event in told}) == len(told)
    for measure in cachereport.measures_of(answer, cache.imports):
        assert 0 <= (measure.amount if isinstance(measure, Count) else measure.seconds) < 2**54
