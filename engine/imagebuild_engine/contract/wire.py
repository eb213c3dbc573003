"""The wire form: JSON, and the budget of the termination message.

The kubelet keeps 4,096 bytes of a termination message and cuts the rest, which would leave broken JSON. So the
result is cut here, in an order that loses the least: the log tail first, then the excerpt, the step list, reasons
of cache
sources, the message. Reason and digest always survive.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from .failure import FAILURES, Reason
from .request import BuildRequest
from .result import BuildResult, FailureResult

TERMINATION_MESSAGE_LIMIT = 4096
REQUEST_LIMIT = 1 << 20


class InvalidWire(ValueError):
    """The bytes are not the value they should be; the text names the member."""


def encode_request(request: BuildRequest) -> bytes:
    return msgspec.json.encode(request)


def decode_request(data: bytes) -> BuildRequest:
    """Raises InvalidWire, naming the member that is wrong."""
    if len(data) > REQUEST_LIMIT:
        raise InvalidWire(f"build request of {len(data)} bytes is larger than {REQUEST_LIMIT}")
    try:
        return msgspec.json.decode(data, type=BuildRequest)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise InvalidWire(f"build request: {error}") from error


def encode_result(result: BuildResult, limit: int | None = None) -> bytes:
    """The result's JSON; with a limit, cut so that it fits."""
    data = msgspec.json.encode(result)
    if limit is None:
        return data
    for cut in _CUTS:
        if len(data) <= limit:
            break
        result = cut(result)
        data = msgspec.json.encode(result)
    return data


def decode_result(data: bytes) -> BuildResult:
    """The result in a termination message, which a hostile step may have tampered with. Raises InvalidWire."""
    if len(data) > TERMINATION_MESSAGE_LIMIT * 4:
        raise InvalidWire(f"build result of {len(data)} bytes is too large")
    try:
        result = msgspec.json.decode(data, type=BuildResult)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise InvalidWire(f"build result: {error}") from error
    if (result.image is None) == (result.failure is None):
        raise InvalidWire("build result: exactly one of image and failure must be set")
    return result


def failure(reason: Reason, message: str, **facts: str | int) -> FailureResult:
    """A failure with its category looked up."""
    return FailureResult(reason=reason, category=FAILURES[reason].category, message=message, **facts)  # type: ignore[arg-type]  # facts are FailureResult's own members


def _with_failure(result: BuildResult, change: Callable[[FailureResult], FailureResult]) -> BuildResult:
    return replace(result, failure=change(result.failure)) if result.failure else result


def _tail(text: str, limit: int) -> str:
    return text if len(text) <= limit else "…" + text[-limit:]


def _head(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


def _short_sources(result: BuildResult, reason: int, keep: int) -> BuildResult:
    sources = tuple(replace(source, reason=_head(source.reason, reason)) for source in result.cache.sources[:keep])
    return replace(result, cache=replace(result.cache, sources=sources))


def _first_misses(result: BuildResult, keep: int) -> BuildResult:
    misses = [replace(step, instruction=_head(step.instruction, 60)) for step in result.steps if step.outcome == "miss"]
    return replace(result, steps=tuple(misses[:keep]))


_CUTS: tuple[Callable[[BuildResult], BuildResult], ...] = (
    lambda result: _with_failure(result, lambda found: replace(found, log_tail=_tail(found.log_tail, 1200))),
    lambda result: _first_misses(result, 5),
    lambda result: _with_failure(result, lambda found: replace(found, log_tail=_tail(found.log_tail, 300))),
    lambda result: _with_failure(result, lambda found: replace(found, excerpt=_head(found.excerpt, 300))),
    lambda result: _short_sources(result, 40, 16),
    lambda result: _with_failure(
        result, lambda found: replace(found, message=_head(found.message, 500), step=_head(found.step, 120))
    ),
    lambda result: _first_misses(result, 0),
    lambda result: _with_failure(result, lambda found: replace(found, log_tail="", excerpt="")),
    lambda result: _short_sources(result, 0, 4),
    lambda result: _with_failure(
        result, lambda found: replace(found, message=_head(found.message, 200), step="", stage=_head(found.stage, 60))
    ),
    lambda result: replace(
        _short_sources(result, 0, 0), image=replace(result.image, refs=result.image.refs[:1]) if result.image else None
    ),
)
