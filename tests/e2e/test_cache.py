"""What the cache did is seen everywhere: status, conditions, events, columns, metrics of builds on a cluster."""

from typing import Any

import pytest

from tests.cluster.access import Access
from tests.support.builds import base, condition, files, image_build
from tests.support.product import Kubectl, Repository, until

pytestmark = pytest.mark.cluster

STAGES = """FROM {base} AS build
WORKDIR /src
COPY src .
RUN cat *.txt > all && echo the builder stage ran $((6 * 7))
FROM {base}
COPY greeting /
COPY --from=build /src/all /all
"""
"""What changes comes before what is taken from the other stage: that has to be made anew, or be in a cache."""


BUILDER_RAN = "the builder stage ran 42"
"""What the step prints; its own text is in the log in any case."""


def two_stages(access: Access) -> dict[str, str]:
    return files(access) | {"Dockerfile": STAGES.format(base=base(access))}


def events(kubectl: Kubectl, name: str, reason: str) -> list[str]:
    """The messages of an ImageBuild's events with that reason."""
    found = [item for item in kubectl.items("events") if item["involvedObject"]["name"] == name]
    return [item["message"] for item in found if item["reason"] == reason]


def log_of(kubectl: Kubectl, status: dict[str, Any]) -> str:
    return kubectl.run("logs", status["podName"])


def test_a_change_in_the_last_stage_runs_nothing_of_the_builder_stage_and_is_explained_everywhere(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(two_stages(installed))
    kubectl.apply(image_build("web", repository, f"{image}:1"))
    first = kubectl.finished("web")
    assert condition(first, "CacheImported")["reason"] == "NoSources", "there is nothing yet, which is no failure"
    assert condition(first, "CacheExported")["reason"] == "Exported", first["cache"]
    assert not events(kubectl, "web", "CacheImportFailed")
    assert BUILDER_RAN in log_of(kubectl, first)
    before = kubectl.counters()

    repository.write({"greeting": "goodbye\n"})
    kubectl.apply(image_build("web", repository, f"{image}:2"))
    second = kubectl.finished("web", revision=2)
    assert BUILDER_RAN not in log_of(kubectl, second)
    cache = second["cache"]
    assert (cache["summary"], cache["hits"], cache["misses"]) == ("3/5", 3, 2)
    miss = cache["firstMiss"]
    assert (miss["step"], miss["instruction"], miss["line"]) == (4, "COPY greeting /", 6)
    assert (miss["reason"], miss["detail"]) == ("FilesChanged", "greeting")
    assert miss["comparedWith"] == first["image"]["ref"]
    assert [(item["step"], item["reason"]) for item in cache["missedSteps"]] == [
        (4, "FilesChanged"),
        (5, "ParentMissed"),
    ]
    assert cache["export"]["outcome"] == "exported"
    (source,) = cache["imports"]
    assert (source["from"], source["outcome"], source["matchedSteps"]) == ("previous", "used", 3)
    assert (condition(second, "CacheImported")["status"], condition(second, "CacheImported")["reason"]) == (
        "True",
        "AllImported",
    )

    row = kubectl.run("get", "imagebuild", "web", "-o", "wide")
    assert "CACHE" in row.splitlines()[0].split()
    assert "FIRST-MISS" in row.splitlines()[0].split()
    assert {"3/5", "FilesChanged"} <= set(row.splitlines()[1].split())

    told = until(
        lambda: events(kubectl, "web", "CacheMissed"),
        lambda found: len(found) == 2,
        "each attempt tells its first miss",
    )
    wanted = f"step 4 of 5, line 6: COPY greeting /: FilesChanged: greeting (compared with {first['image']['ref']})"
    assert wanted in told
    (resolved,) = [text for text in events(kubectl, "web", "CacheResolved") if first["image"]["digest"] in text]
    assert resolved.startswith(f"cache sources, in this order: previous {first['image']['ref']}")

    def grown(name: str) -> float:
        return kubectl.counters().get(f"imagebuild_cache_{name}", 0) - before.get(f"imagebuild_cache_{name}", 0)

    until(lambda: grown('misses_total{reason="FilesChanged"}'), lambda value: value == 1, "the miss is counted")
    assert grown('misses_total{reason="ParentMissed"}') == 1
    assert grown('steps_total{outcome="hit"}') == 3
    assert grown('imports_total{kind="previous",outcome="used"}') == 1
    assert grown('exports_total{outcome="exported"}') >= 1

    again = image_build("web", repository, f"{image}:2", rebuild={"token": "anew"}, cache={"disabled": True})
    kubectl.apply(again)
    third = kubectl.finished("web", revision=3)
    assert (third["cache"]["summary"], third["cache"]["firstMiss"]["reason"]) == ("0/5", "CacheDisabled")
    assert condition(third, "CacheImported")["reason"] == "Disabled"
    assert third["cache"].get("imports", []) == []


def test_a_team_shares_steps_between_image_builds_that_do_not_know_each_other(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(two_stages(installed))
    shared = {"from": [], "to": {"inline": False, "attached": False}, "shared": {"ref": f"{image}/steps"}}
    kubectl.apply(image_build("one", repository, f"{image}/one:1", cache=shared))
    one = kubectl.finished("one")
    assert (one["phase"], one["cache"]["summary"]) == ("Succeeded", "0/5"), one
    kubectl.apply(image_build("two", repository, f"{image}/two:1", cache=shared))
    two = kubectl.finished("two")
    assert two["cache"]["summary"] == "5/5", two["cache"]
    assert [(item["from"], item["outcome"]) for item in two["cache"]["imports"]] == [("shared", "used")]


def test_a_build_that_wants_its_cache_fails_without_it_and_says_which_source_it_was(
    installed: Access, kubectl: Kubectl, repository: Repository, image: str
) -> None:
    repository.write(two_stages(installed))
    wanted = {"from": [{"previous": {}}, {"image": f"{image}:never"}], "onImportError": "Fail"}
    kubectl.apply(image_build("web", repository, f"{image}:1", cache=wanted))
    status = kubectl.finished("web")
    assert status["phase"] == "Failed", status
    assert f"{image}:never" in status["failure"]["message"]
    imported = condition(status, "CacheImported")
    assert (imported["status"], imported["reason"]) == ("False", "ImportFailed")
    (told,) = events(kubectl, "web", "CacheImportFailed")
    assert f"{image}:never: not_found" in told
