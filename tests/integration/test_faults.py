"""Caches that misbehave in every way that has a name, and in some random mixtures: `make faults` has more of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.workshop import NEEDS_A_REGISTRY
from tests.support.fault_campaign import World, judged, world
from tests.support.fault_cases import UPLOAD_MISHAPS, Case, mixtures, named_exports, named_imports, strict_imports
from tests.support.fault_proxy import Kind, Redirect, Rule

pytestmark = NEEDS_A_REGISTRY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("faults") / "world") as made:
        yield made


def assert_all_well(made: World, cases: list[Case]) -> None:
    found = judged(made, cases)
    told = [f"{item.case.name}: {'; '.join(item.problems)}\n{item.log[-1500:]}" for item in found if item.problems]
    assert not told, "\n\n".join(told)


def test_a_cache_that_cannot_be_read_or_used_changes_neither_outcome_nor_image(made: World) -> None:
    assert_all_well(made, list(named_imports()))


def test_where_a_source_must_not_fail_the_build_fails_with_its_reason(made: World) -> None:
    assert_all_well(made, list(strict_imports()))


def test_a_cache_that_cannot_be_written_changes_neither_outcome_nor_image(made: World) -> None:
    assert_all_well(made, [case for case in named_exports() if is_telling(case)])


def is_telling(case: Case) -> bool:
    """Every mishap where the cache is named, and in an upload those that only uploads have."""
    kind, fault, _ = case.rules[0]
    return kind is Kind.MANIFEST_PUT or (kind is Kind.UPLOAD_PUT and fault in UPLOAD_MISHAPS.values())


def test_several_mishaps_in_one_build_are_no_worse(made: World) -> None:
    assert_all_well(made, list(mixtures(seed=5, count=12)))


@dataclass(frozen=True)
class Done:
    """A build from the cache through a proxy: how it ended, what the source is called, how often it was asked."""

    code: int
    outcome: str
    asked: int
    log: str


def build(made: World, name: str, *arguments: str, elsewhere: tuple[Kind, ...] = ()) -> Done:
    """PROXY stands for the proxy's host, which redirects requests of these kinds."""
    proxy = made.proxies.open([Rule(kind, Redirect()) for kind in elsewhere])
    given = [text.replace("PROXY", proxy.host) for text in arguments]
    done = made.build(name, "--cache-from", f"{proxy.host}/cache:1", *given, proxy=proxy)
    assert not proxy.leaked
    outcome = done.result["cache"]["sources"][0]["outcome"]
    return Done(done.code, outcome, sum(proxy.counted.values()), done.log)


def test_a_source_that_is_not_trusted_is_never_asked(made: World) -> None:
    refused = build(made, "untrusted", "--cache-trust", "PROXY/other/**")
    assert (refused.code, refused.outcome, refused.asked) == (0, "untrusted", 0)
    assert "not among the trusted ones" in refused.log
    assert build(made, "trusted", "--cache-trust", "PROXY/*").outcome == "used"


def test_an_untrusted_source_fails_the_build_where_sources_must_not_fail(made: World) -> None:
    done = build(made, "strict", "--cache-trust", "PROXY/other", "--on-cache-import-error", "fail")
    assert (done.code, done.outcome) == (40, "untrusted")
    assert "error: cache source " in done.log


def test_of_a_trusted_source_only_the_registry_itself_says_what_a_tag_is(made: World) -> None:
    trust = ("--cache-trust", "PROXY/cache")
    done = build(made, "tag-elsewhere", *trust, elsewhere=(Kind.MANIFEST,))
    assert done.outcome == "invalid"
    assert "redirect to another host" in done.log
    assert build(made, "blobs-elsewhere", *trust, elsewhere=(Kind.CONFIG, Kind.LAYER)).outcome == "used"


def test_results_that_are_too_old_are_not_used(made: World) -> None:
    proxy = made.proxies.open()
    # Results are as old as SOURCE_DATE_EPOCH says.
    from_cache = ("--cache-from", f"{proxy.host}/cache:1", "--cache-max-age")
    done = made.build("old", *from_cache, "30d", proxy=proxy)
    assert {step["reason"] for step in done.result["steps"] if step["stage"] != "build"} == {"Expired"}
    assert (done.code, done.digest, done.result["cache"]["hits"]) == (0, made.digest, 0)
    young = made.build("young", *from_cache, "9999d", proxy=proxy)
    assert young.result["cache"]["hits"] == young.result["cache"]["total"]


def test_a_stage_that_wants_no_cache_runs_and_the_others_hit(made: World) -> None:
    proxy = made.proxies.open()
    source = ("--cache-from", f"{proxy.host}/cache:1")
    done = made.build("filtered", *source, "--no-cache-filter", "build", proxy=proxy)
    missed = {step["stage"]: step["reason"] for step in done.result["steps"] if step["outcome"] == "miss"}
    assert (done.digest, missed) == (made.digest, {"build": "CacheDisabled"})
    none = made.build("none", *source, "--no-cache", proxy=made.proxies.open())
    assert {step["reason"] for step in none.result["steps"]} == {"CacheDisabled"}
    assert (none.digest, none.result["cache"]["sources"]) == (made.digest, [])
