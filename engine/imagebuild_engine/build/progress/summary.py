"""What there is to say when a build or a plan is over."""

from collections.abc import Iterator, Sequence

from ...contract import BuildResult, CacheExportResult, CacheSourceResult, miss_text
from ...core.amounts import duration, size


def summary(result: BuildResult) -> Iterator[str]:
    """The caches that were asked and written, the first miss, and the sums last."""
    yield from source_lines(result.cache.sources)
    yield from export_lines(result.cache.exports)
    if result.cache.hits and (first := next((step for step in result.steps if step.outcome == "miss"), None)):
        against = f" (compared with {first.compared_with})" if first.compared_with else ""
        why = miss_text(first.reason, first.detail, first.more)
        yield f"first miss: step {first.number}, {' '.join(first.instruction.split())[:120]}: {why}{against}"
    saved = sum(step.saved_seconds for step in result.steps)
    hits = f"{result.cache.hits} of {result.cache.total} steps from the cache"
    yield "; ".join([hits + (f", {duration(saved)} saved" if saved else ""), *_of_the_moment(result)])


def _of_the_moment(result: BuildResult) -> Iterator[str]:
    """What an attached cache does not say of the build that made its image."""
    if result.seconds.total:
        moved = result.bytes
        yield f"{size(moved.pulled)} pulled, {size(moved.pushed)} pushed, {size(moved.reused)} reused"
        yield f"{result.seconds.total:.1f} s"


def source_lines(sources: Sequence[CacheSourceResult]) -> Iterator[str]:
    """What became of each cache source."""
    for source in sources:
        outcome = steps(source.matched) if source.outcome == "used" else source.outcome.replace("_", " ")
        reason = f" ({source.reason})" if source.reason else ""
        yield f"cache source {at(source.ref, source.digest)}: {outcome}{reason}"


def export_lines(exports: Sequence[CacheExportResult]) -> Iterator[str]:
    """What became of each cache that was to be written."""
    for export in exports:
        place = f" {at(export.ref, export.digest)}" if export.ref else ""
        pushed = f", {size(export.pushed)} pushed" if export.pushed else ""
        yield f"{export.type} cache{place}: {export.outcome}{pushed}" + (f" ({export.reason})" if export.reason else "")


def at(reference: str, digest: str | None) -> str:
    """The reference with its digest, once."""
    return f"{reference}@{digest}" if digest and "@" not in reference else reference


def steps(count: int) -> str:
    return f"{count} step" if count == 1 else f"{count} steps"
