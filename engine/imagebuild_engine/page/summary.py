"""What one sees first: what was made, how much of it came from caches, what it took, and why the rest had to run."""

from collections.abc import Sequence

from ..contract import BuildResult, MissReason
from ..core.amounts import duration, size
from .markup import Html, element, joined
from .reasons import ABOUT_CACHES, MEANING
from .rows import Kind, Row, Rows
from .steps import differences
from .text import cut
from .words import LONGEST_NAME, bar, dotted, facts, instruction, name, section, step_link, steps_count, took

_MOST_CAUSES = 5
_MOST_NAMES = 20
_SHORTEST = 0.0005
"""Seconds that are worth a line."""
_STRIP = 12
_HEIGHTS: dict[Kind, int] = {"hit": 7, "skipped": 2}
"""Pixels. What ran stands out in height too, not by its colour alone."""


def title(result: BuildResult) -> str:
    """For the browser's tab."""
    if result.image:
        return f"{_main_name(result)}: {_hits(result)}"
    return "Build failed" + (f": {result.failure.reason}" if result.failure else "")


def head(result: BuildResult) -> Html:
    """The page's heading."""
    kind = element("p", "Build report", class_="kind")
    image = result.image
    if image is None:
        reason = result.failure.reason.value if result.failure else "there is no image"
        return joined(
            (kind, element("h1", "Build failed", class_="bad"), element("p", element("span", reason, class_="tag")))
        )
    names = [name(ref) for ref in image.refs[1:_MOST_NAMES]]
    more = f"and {len(image.refs) - _MOST_NAMES} more names" if len(image.refs) > _MOST_NAMES else None
    said = dotted(image.platform, size(image.size), "pushed" if image.pushed else "not pushed")
    return joined(
        (
            kind,
            element("h1", cut(_main_name(result), LONGEST_NAME)),
            element("p", name(image.digest), class_="digest"),
            element("p", said, class_="quiet"),
            element("p", "also ", dotted(*names, more), class_="quiet") if names else None,
        )
    )


def figures(result: BuildResult, shown: Rows) -> Html:
    """Hits, time and bytes at a glance."""
    saved = took(sum(row.step.saved_seconds for row in shown.rows if row.step and row.step.outcome == "hit"))
    moved, image = result.bytes, result.image
    total = took(result.seconds.total)
    return element(
        "section",
        facts(
            ("From the cache", _figure(f"{result.cache.hits} of {result.cache.total}", "steps")),
            ("Time", _figure(total, f"saved about {saved}" if saved else "") if total else None),
            ("Pulled", _figure(size(moved.pulled), "")),
            ("Pushed", _figure(size(moved.pushed), f"{size(moved.mounted)} mounted" if moved.mounted else "")),
            ("Reused", _figure(size(moved.reused), "layers of hits") if image else None),
            class_="figures",
        ),
        _strip(shown),
        aria_label="At a glance",
    )


def causes(shown: Rows) -> Html | None:
    """The steps that ran for a reason of their own, by reason; those that only followed are counted."""
    by_reason = _by_reason(shown.rows)
    followed = len(by_reason.pop(MissReason.PARENT_MISSED, ()))
    if not by_reason:
        return None
    note = element("p", f"{steps_count(followed)} ran because one of these did.", class_="quiet") if followed else None
    items = [_cause(reason, rows) for reason, rows in by_reason.items()]
    return section("Why steps ran", "causes", element("ul", *items, class_="causes"), note)


def where_time_went(result: BuildResult) -> Html | None:
    """The parts of the build."""
    seconds = result.seconds
    parts = (
        ("Source", seconds.source),
        ("Context", seconds.context),
        ("Reading caches", seconds.import_),
        ("Steps", seconds.build),
        ("Layers and push", seconds.export),
    )
    longest = max(part for _text, part in parts)
    if longest <= 0:
        return None
    shown = [
        (text, joined((element("span", duration(part)), bar(part / longest, "spent"))))
        for text, part in parts
        if part >= _SHORTEST
    ]
    return section("Where the time went", "time", facts(*shown, class_="parts"))


def made_by(result: BuildResult) -> Html:
    """The small print."""
    memory = size(result.peak_rss_bytes) if result.peak_rss_bytes > 0 else None
    return element(
        "p",
        dotted(
            f"imagebuild {result.builder_version}" if result.builder_version else "imagebuild",
            f"executor {result.executor}" if result.executor else None,
            f"peak memory {memory}" if memory else None,
            joined(("source ", name(result.source_revision))) if result.source_revision else None,
        ),
    )


def _main_name(result: BuildResult) -> str:
    assert result.image is not None
    return result.image.refs[0] if result.image.refs else "Image without a name"


def _hits(result: BuildResult) -> str:
    return f"{result.cache.hits} of {result.cache.total} steps from the cache"


def _figure(value: str, note: str) -> Html:
    return joined((element("b", value), element("small", note) if note else None))


def _strip(shown: Rows) -> Html | None:
    """All steps side by side, coloured by what became of them."""
    steps = shown.steps
    if not steps:
        return None
    share = 100 / len(steps)
    gap = min(0.4, share * 0.2)
    cells = [
        element(
            "rect",
            x=f"{place * share:.3f}%",
            width=f"{share - gap:.3f}%",
            y=_STRIP - _HEIGHTS.get(row.kind, _STRIP),
            height=_HEIGHTS.get(row.kind, _STRIP),
            class_=row.kind,
        )
        for place, row in enumerate(steps)
    ]
    return element("svg", *cells, class_="strip", aria_hidden="true")


def _by_reason(rows: Sequence[Row]) -> dict[MissReason, list[Row]]:
    found: dict[MissReason, list[Row]] = {}
    for row in rows:
        if row.step and row.step.reason:
            found.setdefault(row.step.reason, []).append(row)
    return found


def _cause(reason: MissReason, rows: Sequence[Row]) -> Html:
    head = element("p", element("span", reason.value, class_="tag"), " ", MEANING[reason])
    if reason in ABOUT_CACHES:
        return element("li", head, element("p", steps_count(len(rows)), class_="quiet"))
    items = [
        element("li", step_link(row), " ", instruction(row.instruction, LONGEST_NAME), _wrapped(differences(row)))
        for row in rows[:_MOST_CAUSES]
    ]
    if len(rows) > _MOST_CAUSES:
        items.append(element("li", f"and {len(rows) - _MOST_CAUSES} more"))
    return element("li", head, element("ul", *items))


def _wrapped(text: Html | None) -> Html | None:
    return element("span", text, class_="why") if text else None
