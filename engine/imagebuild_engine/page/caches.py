"""The caches that were read and written, each with what became of it."""

from collections.abc import Sequence

from ..contract import BuildResult, CacheExportResult, CacheSourceResult
from ..core.amounts import size
from .markup import Html, element
from .text import cut
from .words import LONGEST_TEXT, dotted, name, section, steps_count, took

_MOST = 50
_GOOD = frozenset({"used", "exported", "unchanged"})
_QUIET = frozenset({"unused", "empty"})


def caches(result: BuildResult) -> Html | None:
    """The section; None where no cache was named."""
    sources, exports = result.cache.sources, result.cache.exports
    if not sources and not exports:
        return None
    read = _list("Read", [_source(source) for source in sources])
    written = _list("Written", [_export(export) for export in exports])
    lost = result.cache.fallbacks
    note = f"{steps_count(lost)} ran, or came from another cache, since a promised result was lost." if lost else None
    return section("Caches", "caches", read, written, element("p", note, class_="quiet") if note else None)


def _list(title: str, items: Sequence[Html]) -> Html | None:
    if not items:
        return None
    more = element("li", f"and {len(items) - _MOST} more") if len(items) > _MOST else None
    return element("div", element("h3", title), element("ol", *items[:_MOST], more, class_="caches"))


def _source(source: CacheSourceResult) -> Html:
    matched = f"{steps_count(source.matched)} found" if source.matched > 0 else None
    said = dotted(source.kind, matched, took(source.seconds), cut(source.reason, LONGEST_TEXT))
    return _cache(source.ref, source.outcome, said, source.digest)


def _export(export: CacheExportResult) -> Html:
    pushed = f"{size(export.pushed)} pushed" if export.pushed > 0 else None
    kind = export.type if export.ref else None
    said = dotted(kind, pushed, took(export.seconds), cut(export.reason, LONGEST_TEXT))
    return _cache(export.ref or export.type, export.outcome, said, export.digest)


def _cache(ref: str, outcome: str, said: Html, digest: str | None) -> Html:
    state = "good" if outcome in _GOOD else "plain" if outcome in _QUIET else "poor"
    return element(
        "li",
        element("p", name(ref), " ", element("span", outcome.replace("_", " "), class_=f"tag {state}")),
        element("p", said, class_="quiet") if said else None,
        element("p", name(digest), class_="digest") if digest else None,
    )
