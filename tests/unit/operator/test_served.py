"""Serving several namespaces: one that is gone is nobody else's trouble."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import kopf
import pytest
from imagebuild_operator import app
from imagebuild_operator.cluster import ClusterError, NotFound, Refused, Unavailable
from imagebuild_operator.handlers import WorkQueue, list_served
from imagebuild_operator.metrics import Metrics
from imagebuild_operator.settings import Settings

from tests.support.fake_cluster import FakeCluster
from tests.support.image_builds import spec_of


class Partly(FakeCluster):
    """A cluster that answers an error for one namespace."""

    def __init__(self, error: ClusterError) -> None:
        super().__init__(datetime(2026, 1, 1, tzinfo=UTC))
        self.error = error

    async def list_image_builds(self, namespace: str | None) -> list[dict[str, Any]]:
        if namespace == "gone":
            raise self.error
        return await super().list_image_builds(namespace)


@pytest.mark.parametrize("error", [Refused("no rights", 403), NotFound("no such namespace", 404)])
async def test_the_others_are_served(error: ClusterError) -> None:
    cluster = Partly(error)
    cluster.apply("web", spec_of())
    (found,) = await list_served(cluster, ("gone", "shop"))
    assert found["metadata"]["name"] == "web"


async def test_no_answer_is_not_taken_for_no_builds() -> None:
    with pytest.raises(Unavailable):
        await list_served(Partly(Unavailable("no answer")), ("gone", "shop"))


async def test_watches_that_end_for_good_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, runs = asyncio.Event(), []

    async def operator(**_given: object) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise RuntimeError("forbidden in namespace gone")
        stop.set()

    async def nothing(_namespace: str, _name: str) -> None:
        return None

    monkeypatch.setattr(kopf, "operator", operator)
    monkeypatch.setattr(app, "_WATCHES_PAUSE", 0.01)
    settings = Settings.from_environment({"IMAGEBUILD_BUILDER_IMAGE": "builder"})
    metrics = Metrics("0")
    await asyncio.wait_for(app._watch(settings, WorkQueue(nothing), metrics, stop), 5)
    assert len(runs) == 3
    assert b"imagebuild_watch_restarts_total 2.0" in metrics.text()
