"""The wire form: JSON, and the budget of the termination message.

The kubelet keeps 4,096 bytes of a termination message and cuts the rest, which would leave broken JSON. So the
result is cut here, in an order that loses the least: the log tail first, then the steps that are no misses, details
of all misses but the first, the excerpt, reasons of cache sources, the message. Reason and digest always survive, the
counts of misses by reason too, and the first miss with its detail as long as anything can be left out instead.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from .failure import FAILURES, Reason
from .request import BuildRequest
from .result import BuildResult, FailureResult, StepResult

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
    cache = result.cache
    sources = tuple(replace(source, reason=_head(source.reason, reason)) for source in cache.sources[:keep])
    exports = tuple(replace(export, reason=_head(export.reason, reason)) for export in cache.exports[:keep])
    return replace(result, cache=replace(cache, sources=sources, exports=exports))


def _misses(result: BuildResult, keep: int, *, details: int = 5, letters: int = 160) -> BuildResult:
    """Only misses: the first with some of its details, those that follow with their reasons alone."""
    misses = [replace(step, instruction=_head(step.instruction, 60)) for step in result.steps if step.outcome == "miss"]
    first = [_short_detail(step, details, letters) for step in misses[:1]]
    others = [replace(step, inputs=(), detail=(), more=0, compared_with="") for step in misses[1:keep]]
    return replace(result, steps=(*first, *others)[:keep])


def _short_detail(step: StepResult, details: int, letters: int) -> StepResult:
    detail = tuple(_head(text, letters) for text in step.detail[:details])
    more = step.more + len(step.detail) - len(detail)
    return replace(step, inputs=(), stage=_head(step.stage, 60), detail=detail, more=more)


_CUTS: tuple[Callable[[BuildResult], BuildResult], ...] = (
    lambda result: _with_failure(result, lambda found: replace(found, log_tail=_tail(found.log_tail, 1200))),
    lambda result: _misses(result, 20),
    lambda result: _with_failure(result, lambda found: replace(found, log_tail=_tail(found.log_tail, 300))),
    lambda result: _with_failure(result, lambda found: replace(found, excerpt=_head(found.excerpt, 300))),
    lambda result: _misses(result, 5),
    lambda result: _short_sources(result, 40, 16),
    lambda result: _with_failure(
        result, lambda found: replace(found, message=_head(found.message, 500), step=_head(found.step, 120))
    ),
    lambda result: _misses(result, 1),
    lambda result: _with_failure(result, lambda found: replace(found, log_tail="", excerpt="")),
    lambda result: _short_sources(result, 0, 4),
    lambda result: _with_failure(
        result, lambda found: replace(found, message=_head(found.message, 200), step="", stage=_head(found.stage, 60))
    ),
    lambda result: replace(
        _short_sources(result, 0, 0), image=replace(result.image, refs=result.image.refs[:1]) if result.image else None
    ),
    lambda result: _misses(result, 1, details=2, letters=80),
    lambda result: _misses(result, 0),
)
