"""The list of steps, stage by stage, with the graph beside it."""

from collections.abc import Callable, Sequence

from ..contract import BuildResult
from ..core.amounts import duration, size
from .lanes import Layout, Track
from .markup import Html, element, joined
from .rails import node_mark, rail, rail_between
from .reasons import FOLLOWS, MEANING
from .rows import Kind, Row, Rows, Stretch
from .text import cut
from .words import (
    LONGEST_NAME,
    OUTCOMES,
    bar,
    dotted,
    facts,
    instruction,
    listed,
    name,
    section,
    step_link,
    steps_count,
    took,
)

_MOST_DETAILS = 5


def step_list(result: BuildResult, shown: Rows, layout: Layout) -> Html | None:
    """The section; None for a result that tells of no step."""
    if not shown.rows:
        return None
    steps = _Steps(result, shown, layout)
    stages = [steps.stage(stretch, number) for number, stretch in enumerate(shown.stretches, 1)]
    left_out = f"{steps_count(shown.left_out)} more are not shown." if shown.left_out else None
    undrawn = f"{len(layout.undrawn)} lines of the graph are not drawn: too many run side by side."
    notes = [element("p", text, class_="note") for text in (left_out, undrawn if layout.undrawn else None) if text]
    return section("Steps", "steps", _legend(shown, steps.outcome), *stages, steps.image(), *notes)


def _legend(shown: Rows, outcome: Callable[[Kind], str]) -> Html:
    """What the nodes mean, of those that occur."""
    kinds: dict[Kind, None] = dict.fromkeys(row.kind for row in shown.steps)
    order = [kind for kind in OUTCOMES if kind in kinds]
    items = [element("li", element("svg", node_mark(kind, 7, 7), aria_hidden="true"), outcome(kind)) for kind in order]
    return element("ul", *items, class_="legend", aria_label="Legend")


class _Steps:
    """What the rows of one page have in common."""

    def __init__(self, result: BuildResult, shown: Rows, layout: Layout) -> None:
        self._result = result
        self._shown = shown
        self._layout = layout
        self._failed = result.failure is not None
        found = [row.step for row in shown.rows if row.step]
        self._slowest = max((max(step.seconds, step.saved_seconds) for step in found), default=0.0)
        self._sources = {step.source for step in found if step.source}

    def outcome(self, kind: Kind) -> str:
        """What became of a step, in words."""
        if kind != "skipped":
            return OUTCOMES[kind]
        return (
            "left out of this result"
            if self._shown.missing
            else "not needed or not reached"
            if self._failed
            else OUTCOMES[kind]
        )

    def stage(self, stretch: Stretch, number: int) -> Html:
        rows = [self._shown.rows[place] for place in stretch.rows]
        items = [self._item(row, self._layout.tracks[place]) for place, row in zip(stretch.rows, rows, strict=True)]
        heading = element("h3", cut(stretch.stage, LONGEST_NAME) or "Stage without a name", id=f"stage-{number}")
        head = element(
            "div",
            rail_between(self._layout.tracks[stretch.rows[0]], self._layout),
            heading,
            element("p", _total(rows)),
            class_="stage",
        )
        return element("section", head, element("ol", *items), aria_labelledby=f"stage-{number}")

    def image(self) -> Html | None:
        """The row in which the graph ends."""
        image, row = self._result.image, self._shown.rows[-1]
        if image is None or row.kind != "image":
            return None
        drawn = rail(self._layout.tracks[-1], "image", self._layout)
        text = element("p", element("b", "Image"), " ", name(image.refs[0] if image.refs else image.digest))
        return element("div", drawn, text, class_="row image")

    def _item(self, row: Row, track: Track) -> Html:
        drawn = rail(track, row.kind, self._layout)
        inside = self._skipped(row) if row.kind == "skipped" else self._details(row)
        anchor = f"step-{row.number}" if row.number else None
        return element("li", drawn, inside, id=anchor, class_=f"row {row.kind}")

    def _skipped(self, row: Row) -> Html:
        count = row.last - row.number + 1
        which = f"Step {row.number}" if count == 1 else f"Steps {row.number}–{row.last}"
        why = self.outcome("skipped")
        if why == OUTCOMES["skipped"]:
            why += ": what rests on it was found without it"
        return element("p", f"{which}: {why}", class_="quiet")

    def _details(self, row: Row) -> Html:
        summary = element(
            "summary",
            element("span", str(row.number) if row.number else "", class_="no"),
            element(
                "span", element("span", instruction(row.instruction), class_="text"), self._why(row), class_="what"
            ),
            element("span", self.outcome(row.kind), class_="out"),
            element("span", size(row.step.bytes) if row.step and row.step.bytes > 0 else "", class_="size"),
            *self._time(row),
        )
        return element("details", summary, self._more(row))

    def _why(self, row: Row) -> Html | None:
        """The line below the instruction: the reason of a miss and what differs, or which of several caches it was."""
        step = row.step
        if step is None:
            return None
        if step.outcome == "hit":
            several = len(self._sources) > 1 and step.source
            return element("span", "from ", name(step.source or ""), class_="why") if several else None
        if step.reason is None:
            return None
        tag = element("span", step.reason.value, class_="tag plain" if step.reason in FOLLOWS else "tag")
        return element("span", tag, " ", differences(row), class_="why")

    def _time(self, row: Row) -> tuple[Html | None, ...]:
        """What the step took, or took when it ran, in words and beside the slowest one."""
        step = row.step
        if step is None:
            return ()
        hit = step.outcome == "hit"
        seconds = step.saved_seconds if hit else step.seconds
        if seconds <= 0:
            return ()
        text = f"saved {duration(seconds)}" if hit else duration(seconds)
        return element("span", text, class_="time"), bar(seconds / self._slowest, "saved" if hit else "spent")

    def _more(self, row: Row) -> Html:
        step = row.step
        rests_on = [self._shown.rows[place] for place in row.inputs]
        links = dotted(*(_link(below, row) for below in rests_on[:_MOST_DETAILS]))
        more = f" and {len(rests_on) - _MOST_DETAILS} more" if len(rests_on) > _MOST_DETAILS else None
        return facts(
            ("Line", str(row.line) if row.line > 0 else None),
            ("Rests on", joined((links, more)) if rests_on else None),
            ("Taken from", name(step.source) if step and step.source else None),
            ("Why", MEANING[step.reason] if step and step.reason else None),
            ("Differs", differences(row, apart=True)),
            ("Compared with", name(step.compared_with) if step and step.compared_with else None),
            ("Took", took(step.seconds) if step else None),
            ("Saved", took(step.saved_seconds) if step else None),
            ("Layer", size(step.bytes) if step and step.bytes > 0 else None),
        )


def differences(row: Row, *, apart: bool = False) -> Html | None:
    """What differs from the step it was compared with, in one line or one below the other."""
    step = row.step
    if step is None or not step.detail:
        return None
    shown = [name(text) for text in step.detail[:_MOST_DETAILS]]
    missing = max(step.more, 0) + len(step.detail) - len(shown)
    more = f"and {missing:,} more" if missing else None
    if apart:
        lines: Sequence[Html | str] = (*shown, more) if more else shown
        return element("ul", *(element("li", line) for line in lines))
    return listed(*shown, more)


def _link(below: Row, row: Row) -> Html | str:
    if not below.number:
        return "a step that failed"
    where = f" of {cut(below.stage, LONGEST_NAME)}" if below.stage != row.stage and below.stage else ""
    return joined((step_link(below), where))


def _total(rows: Sequence[Row]) -> Html:
    """What a stage's steps were together."""
    found = [row.step for row in rows if row.step]
    hits = sum(step.outcome == "hit" for step in found)
    saved = took(sum(step.saved_seconds for step in found if step.outcome == "hit"))
    return dotted(
        f"{hits} of {len(found)} from the cache" if found else None,
        took(sum(step.seconds for step in found if step.outcome != "hit")),
        f"saved {saved}" if saved else None,
    )
