"""The metrics of the API document, section 6, as far as they have a source.

Label values are closed sets: others become `Other`.

Counters of builds and attempts go up after the status write that says so is durable; a crash in between loses the
count (at most once).
"""

import platform
import time
from collections.abc import Iterable, Mapping
from typing import get_args

from imagebuild_engine.contract import Category, ExportOutcome, ImportOutcome, MissReason, Reason, SourceKind
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .reconcile import Count, Measure, Observe
from .resource import Phase

OTHER = "Other"
_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_FAST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_SETS: Mapping[str, frozenset[str]] = {
    "builds_total.result": frozenset({"succeeded", "failed", "cancelled", "superseded", "up_to_date"}),
    "build_duration_seconds.result": frozenset({"succeeded", "failed", "cancelled", "superseded", "up_to_date"}),
    "builds_total.category": frozenset({"", *Category}),
    "build_failures_total.category": frozenset(Category),
    "build_failures_total.reason": frozenset(Reason),
    "retries_total.reason": frozenset(Reason),
    "attempts_total.outcome": frozenset({"succeeded", "failed", "cancelled"}),
    "stage_duration_seconds.stage": frozenset({"queue", "schedule", "source", "cache_import", "build", "push"}),
    "cache_steps_total.outcome": frozenset({"hit", "miss", "uncacheable"}),
    "cache_misses_total.reason": frozenset(MissReason),
    "cache_imports_total.outcome": frozenset(get_args(ImportOutcome)),
    "cache_imports_total.kind": frozenset(get_args(SourceKind)),
    "cache_exports_total.outcome": frozenset(get_args(ExportOutcome)),
    "cache_fallbacks_total.reason": frozenset({MissReason.BLOB_MISSING.value}),
    "cache_bytes_total.direction": frozenset({"reused", "pulled", "pushed"}),
    "gc_deleted_total.kind": frozenset({"pod"}),
    "gc_deleted_total.why": frozenset({"retention", "superseded", "suspended", "stuck", "invalid"}),
    "reconcile_errors_total.error_class": frozenset({"Conflict", "NotFound", "NameTaken", "Refused", "Unavailable"}),
    "apiserver_requests_total.verb": frozenset({"get", "post", "put", "patch", "delete"}),
    "apiserver_requests_total.code": frozenset(
        {"0", "200", "201", "202", "400", "401", "403", "404", "409", "410", "422", "429", "500", "502", "503", "504"}
    ),
}

_COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "builds_total": ("Builds that came to an end.", ("result", "category")),
    "build_failures_total": ("Builds that failed for good.", ("reason", "category")),
    "attempts_total": ("Builder pods that came to an end.", ("outcome",)),
    "retries_total": ("Attempts that followed a failed one.", ("reason",)),
    "cache_steps_total": ("Steps of finished builds.", ("outcome",)),
    "cache_misses_total": ("Misses by reason.", ("reason",)),
    "cache_imports_total": ("Cache sources that were asked.", ("outcome", "kind")),
    "cache_exports_total": ("Caches that were to be written.", ("outcome",)),
    "cache_bytes_total": ("Compressed layer bytes.", ("direction",)),
    "cache_fallbacks_total": ("Steps that ran because a promised result was lost.", ("reason",)),
    "gc_deleted_total": ("Objects deleted.", ("kind", "why")),
    "reconcile_errors_total": ("Reconciles that ended with an error.", ("handler", "error_class")),
    "apiserver_requests_total": ("Requests to the API server.", ("verb", "code")),
    "watch_restarts_total": ("Times that all watches ended and began again.", ()),
}
_HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "build_duration_seconds": ("From the revision's begin to its end.", ("result",), _BUCKETS),
    "stage_duration_seconds": ("Parts of successful builds.", ("stage",), _BUCKETS),
    "cache_import_duration_seconds": ("One cache source's import.", (), _FAST),
    "reconcile_duration_seconds": ("One reconcile.", ("handler",), _FAST),
}


class Metrics:
    """A registry of its own, so that two in one process (as in tests) do not meet."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        # The client library takes the gauge `imagebuild_builds` and the counter `imagebuild_builds_total` for one
        # family, as OpenMetrics would; in the text format that we serve they are two. So gauges have a registry too.
        self.gauges = CollectorRegistry()
        self._counters = {
            name: Counter(f"imagebuild_{name}", text, labels, registry=self.registry)
            for name, (text, labels) in _COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(f"imagebuild_{name}", text, labels, buckets=buckets, registry=self.registry)
            for name, (text, labels, buckets) in _HISTOGRAMS.items()
        }
        self._builds = self._gauge("builds", "ImageBuilds by phase.", ("phase",))
        self._oldest = self._gauge("oldest_queued_age_seconds", "Of the build that waits longest.", ("queue",))
        self._leader = self._gauge("leader", "1 where this replica leads.")
        self._watch = self._gauge("last_watch_event_timestamp_seconds", "When a watch last brought something.")
        info = self._gauge("build_info", "Always 1.", ("version", "python_version"))
        info.labels(version, platform.python_version()).set(1)
        self.count_phases(())

    def record(self, measure: Measure) -> None:
        labels = {key: _folded(measure.name, key, value) for key, value in measure.labels}
        match measure:
            case Count(name=name, amount=amount):
                counter = self._counters[name]
                (counter.labels(**labels) if labels else counter).inc(amount)
            case Observe(name=name, seconds=seconds):
                histogram = self._histograms[name]
                (histogram.labels(**labels) if labels else histogram).observe(seconds)

    def count_phases(self, phases: Iterable[str], oldest_queued: float = 0.0) -> None:
        """Set the gauges from a list of all; every phase is always there."""
        counts = dict.fromkeys((phase.value for phase in Phase), 0)
        for phase in phases:
            counts[phase if phase in counts else Phase.PENDING.value] += 1
        for phase, count in counts.items():
            self._builds.labels(phase).set(count)
        self._oldest.labels("default").set(oldest_queued)

    def reconciled(self, seconds: float) -> None:
        self.record(Observe("reconcile_duration_seconds", seconds, (("handler", "imagebuild"),)))

    def reconcile_failed(self, error: str) -> None:
        self.record(Count("reconcile_errors_total", (("handler", "imagebuild"), ("error_class", error))))

    def requested(self, verb: str, code: str) -> None:
        self.record(Count("apiserver_requests_total", (("verb", verb), ("code", code))))

    def watches_restarted(self) -> None:
        self.record(Count("watch_restarts_total"))

    def watch_event(self) -> None:
        self._watch.set(time.time())

    def leads(self, leader: bool) -> None:
        self._leader.set(1 if leader else 0)

    def text(self) -> bytes:
        return generate_latest(self.registry) + generate_latest(self.gauges)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"imagebuild_{name}", text, labels, registry=self.gauges)


def _folded(name: str, label: str, value: str) -> str:
    """`handler` is ours alone; every other label has its closed set."""
    known = _SETS.get(f"{name}.{label}")
    return value if known is None or value in known else OTHER
