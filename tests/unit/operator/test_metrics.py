"""Label values are closed sets, whatever is recorded."""

import pytest
from imagebuild_operator.metrics import Metrics
from imagebuild_operator.reconcile import Count, Observe
from imagebuild_operator.resource import Phase


@pytest.mark.parametrize(
    "measure",
    [
        Count("builds_total", (("result", "web"), ("category", "web"))),
        Count("build_failures_total", (("reason", "web"), ("category", "web"))),
        Count("attempts_total", (("outcome", "web"),)),
        Count("retries_total", (("reason", "web"),)),
        Count("cache_steps_total", (("outcome", "web"),)),
        Count("cache_misses_total", (("reason", "web"),)),
        Count("cache_imports_total", (("outcome", "web"), ("kind", "web"))),
        Count("cache_exports_total", (("outcome", "web"),)),
        Count("cache_fallbacks_total", (("reason", "web"),)),
        Count("cache_bytes_total", (("direction", "web"),)),
        Count("gc_deleted_total", (("kind", "web"), ("why", "web"))),
        Count("reconcile_errors_total", (("handler", "imagebuild"), ("error_class", "web"))),
        Count("apiserver_requests_total", (("verb", "web"), ("code", "web"))),
        Observe("build_duration_seconds", 1, (("result", "web"),)),
        Observe("stage_duration_seconds", 1, (("stage", "web"),)),
    ],
)
def test_unknown_label_values_become_other(measure: Count | Observe) -> None:
    metrics = Metrics("1")
    metrics.record(measure)
    text = metrics.text().decode()
    assert '"web"' not in text
    assert '"Other"' in text


def test_every_phase_is_always_there() -> None:
    metrics = Metrics("1")
    metrics.count_phases(["Running", "", "Nonsense"], oldest_queued=3)
    lines = metrics.text().decode().splitlines()
    counts = {"Running": "1.0", "Pending": "2.0"}
    assert {line for line in lines if line.startswith("imagebuild_builds{")} == {
        f'imagebuild_builds{{phase="{phase}"}} {counts.get(phase, "0.0")}' for phase in Phase
    }
    assert 'imagebuild_oldest_queued_age_seconds{queue="default"} 3.0' in lines
    assert any(line.startswith("# TYPE imagebuild_builds_total counter") for line in lines)


def test_leader_and_info_are_gauges_of_their_own() -> None:
    metrics = Metrics("1.2.3")
    metrics.leads(True)
    text = metrics.text().decode()
    assert "imagebuild_leader 1.0" in text
    assert 'version="1.2.3"' in text
