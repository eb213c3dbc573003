"""The status of an ImageBuild: what is written back, and the whole memory of the operator.

Bounded: `capped` keeps its JSON below 16 KiB whatever a builder says.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from .conditions import Conditions

STATUS_LIMIT = 16 * 1024


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    pass


class PlatformDigest(_Part, frozen=True):
    platform: str
    digest: str


class Image(_Part, frozen=True):
    """The image of the last success. `ref` is pinned by digest, ready to copy."""

    ref: str
    digest: str
    short_digest: str = ""
    media_type: str = ""
    size_bytes: int = 0
    platforms: tuple[PlatformDigest, ...] = ()
    pushed: bool = False


class SourceStatus(_Part, frozen=True):
    revision: str = ""


class Import(_Part, frozen=True):
    """One cache source. Chosen (kind, ref, digest) before the attempt; outcome after it, empty while it runs."""

    from_: str = msgspec.field(name="from")
    ref: str = ""
    digest: str = ""
    outcome: str = ""
    reason: str = ""
    matched_steps: int = 0
    duration_ms: int = 0


class FirstMiss(_Part, frozen=True):
    """`step` is the number among the steps, from 1; `compared_with` (REF@DIGEST) is what the detail speaks of."""

    stage: str = ""
    step: int = 0
    instruction: str = ""
    line: int = 0
    reason: str = ""
    detail: str = ""
    compared_with: str = ""


class Miss(_Part, frozen=True):
    step: int = 0
    reason: str = ""


class Export(_Part, frozen=True):
    """Of all caches that were to be written, the worst outcome."""

    outcome: str
    reason: str = ""


class Cache(_Part, frozen=True):
    """`summary` is `hits/total`, for the printer column. `missed_steps` are the first of the `misses`."""

    summary: str = ""
    steps_total: int = 0
    hits: int = 0
    misses: int = 0
    uncacheable: int = 0
    hit_ratio_percent: int = 0
    bytes_reused: int = 0
    bytes_pulled: int = 0
    imports: tuple[Import, ...] = ()
    first_miss: FirstMiss | None = None
    missed_steps: tuple[Miss, ...] = ()
    export: Export | None = None


class Timings(_Part, frozen=True):
    """Seconds."""

    queued: float = 0.0
    scheduled: float = 0.0
    source: float = 0.0
    cache_import: float = 0.0
    build: float = 0.0
    push: float = 0.0
    total: float = 0.0


class Attempt(_Part, frozen=True):
    """`outcome`: Starting (written before the pod is made), Running (pod seen), Succeeded, Failed, Cancelled."""

    number: int
    pod_name: str
    node: str = ""
    start_time: str = ""
    completion_time: str = ""
    outcome: str = "Starting"
    category: str = ""
    reason: str = ""
    exit_code: int | None = None

    @property
    def over(self) -> bool:
        return self.outcome not in {"Starting", "Running"}


class Failure(_Part, frozen=True):
    category: str
    reason: str
    message: str = ""
    stage: str = ""
    step: str = ""
    line: int = 0
    excerpt: str = ""
    log_tail: str = ""


class HistoryEntry(_Part, frozen=True):
    revision: int
    outcome: str
    reason: str = ""
    digest: str = ""
    hit_ratio_percent: int = 0
    duration_seconds: float = 0.0
    completion_time: str = ""


class Status(_Part, frozen=True):
    observed_generation: int = 0
    phase: str = ""
    conditions: Conditions = ()
    revision: int = 0
    build_hash: str = ""
    attempt: int = 0
    image: Image | None = None
    source: SourceStatus | None = None
    cache: Cache | None = None
    timings: Timings | None = None
    attempts: tuple[Attempt, ...] = ()
    failure: Failure | None = None
    start_time: str = ""
    completion_time: str = ""
    duration: str = ""
    pod_name: str = ""
    builder_version: str = ""
    history: tuple[HistoryEntry, ...] = ()

    @property
    def current(self) -> Attempt | None:
        """The attempt that runs or ran last in this revision."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].number == self.attempt else None

    @property
    def terminal(self) -> bool:
        """Has this revision come to its end?"""
        return self.phase in {"Succeeded", "Failed", "Cancelled"}


def decode_status(value: object) -> Status:
    """What we wrote earlier; a status that is not ours to read counts as none."""
    try:
        return msgspec.convert(value or {}, Status)
    except msgspec.ValidationError:
        return Status()


def encode_status(status: Status) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(status)
    return built


def clip(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8, with an ellipsis where something went."""
    data = _plain(text)
    if len(data) <= limit:
        return data.decode()
    return data[: max(0, limit - 3)].decode("utf-8", "ignore") + "…"


def _plain(text: str) -> bytes:
    """Without control characters and unpaired surrogates: these words end on terminals, and escapes cost space."""
    return text.translate(_CONTROLS).encode("utf-8", "replace")


_CONTROLS = {code: "?" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def capped(status: Status) -> Status:
    """The status with everything bounded: first each part, then, if still too large, the least important parts."""
    status = _bounded(status)
    for cut in _CUTS:
        # JSON escapes can make six bytes of one: the limit is one of the encoded form.
        if len(msgspec.json.encode(status)) < STATUS_LIMIT:
            break
        status = cut(status)
    return status


def _bounded(status: Status) -> Status:
    return replace(
        status,
        conditions=tuple(
            replace(found, reason=clip(found.reason, 64), message=clip(found.message, 500))
            for found in status.conditions
        ),
        attempts=tuple(
            replace(found, node=clip(found.node, 253), pod_name=clip(found.pod_name, 63))
            for found in status.attempts[-10:]
        ),
        history=status.history[-5:],
        cache=_bounded_cache(status.cache) if status.cache else None,
        failure=_bounded_failure(status.failure) if status.failure else None,
        source=SourceStatus(revision=clip(status.source.revision, 256)) if status.source else None,
        image=replace(
            status.image,
            ref=clip(status.image.ref, 600),
            media_type=clip(status.image.media_type, 120),
            platforms=tuple(
                PlatformDigest(platform=clip(found.platform, 60), digest=clip(found.digest, 140))
                for found in status.image.platforms[:8]
            ),
        )
        if status.image
        else None,
        builder_version=clip(status.builder_version, 60),
    )


def _bounded_cache(cache: Cache) -> Cache:
    miss, export = cache.first_miss, cache.export
    return replace(
        cache,
        summary=clip(cache.summary, 40),
        imports=tuple(
            replace(found, ref=clip(found.ref, 400), digest=clip(found.digest, 140), reason=clip(found.reason, 120))
            for found in cache.imports[:24]
        ),
        first_miss=replace(
            miss,
            stage=clip(miss.stage, 60),
            instruction=clip(miss.instruction, 120),
            reason=clip(miss.reason, 60),
            detail=clip(miss.detail, 300),
            compared_with=clip(miss.compared_with, 400),
        )
        if miss
        else None,
        missed_steps=tuple(replace(found, reason=clip(found.reason, 60)) for found in cache.missed_steps[:20]),
        export=replace(export, outcome=clip(export.outcome, 20), reason=clip(export.reason, 200)) if export else None,
    )


def _bounded_failure(failure: Failure) -> Failure:
    return replace(
        failure,
        message=clip(failure.message, 1024),
        stage=clip(failure.stage, 128),
        step=clip(failure.step, 256),
        excerpt=clip(failure.excerpt, 1024),
        log_tail=_tail(failure.log_tail, 2048),
    )


def _tail(text: str, limit: int) -> str:
    data = _plain(text)
    return data.decode() if len(data) <= limit else "…" + data[-(limit - 3) :].decode("utf-8", "ignore")


def _failure_with(status: Status, change: Callable[[Failure], Failure]) -> Status:
    return replace(status, failure=change(status.failure)) if status.failure else status


def _cache_with(status: Status, change: Callable[[Cache], Cache]) -> Status:
    return replace(status, cache=change(status.cache)) if status.cache else status


def _imports_with(status: Status, change: Callable[[tuple[Import, ...]], tuple[Import, ...]]) -> Status:
    return _cache_with(status, lambda cache: replace(cache, imports=change(cache.imports)))


_CUTS: tuple[Callable[[Status], Status], ...] = (
    lambda status: _failure_with(status, lambda found: replace(found, log_tail=_tail(found.log_tail, 512))),
    lambda status: _imports_with(status, lambda found: tuple(replace(one, reason="") for one in found)),
    lambda status: _failure_with(status, lambda found: replace(found, excerpt=clip(found.excerpt, 256))),
    lambda status: replace(
        status, conditions=tuple(replace(found, message=clip(found.message, 120)) for found in status.conditions)
    ),
    lambda status: _imports_with(
        status, lambda found: tuple(replace(one, ref=clip(one.ref, 200)) for one in found[:16])
    ),
    lambda status: _failure_with(
        status, lambda found: replace(found, log_tail="", excerpt="", step="", message=clip(found.message, 256))
    ),
    lambda status: _cache_with(status, lambda found: replace(found, missed_steps=found.missed_steps[:5])),
    lambda status: _imports_with(status, lambda found: found[:4]),
    lambda status: _cache_with(status, lambda found: replace(found, first_miss=None, missed_steps=(), export=None)),
)


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime | None:
    """None for what is no time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None
