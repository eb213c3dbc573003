"""Pieces of text that several sections of the page use, bounded in length."""

from collections.abc import Sequence

from ..core.amounts import duration
from .markup import Html, element, joined
from .rows import Kind, Row
from .text import cut

LONGEST_NAME = 300
"""Characters of a reference, a path, a stage."""
LONGEST_TEXT = 2000
"""Characters of an instruction, a message."""
_SMALLEST_SHARE = 0.01

OUTCOMES: dict[Kind, str] = {
    "hit": "cached",
    "ran": "ran",
    "uncacheable": "not cacheable",
    "skipped": "not needed",
    "failed": "failed",
}


def name(text: str) -> Html:
    """A reference, a path, a digest: something to copy."""
    return element("code", cut(text, LONGEST_NAME))


def instruction(text: str, limit: int = LONGEST_TEXT) -> Html:
    """`COPY app/ /srv`, the word in front stressed."""
    word, blank, rest = cut(text, limit).partition(" ")
    return element("code", element("b", word), blank + rest)


def steps_count(count: int) -> str:
    return "1 step" if count == 1 else f"{count} steps"


def step_link(row: Row) -> Html:
    return element("a", f"step {row.number}", href=f"#step-{row.number}")


def bar(share: float, kind: str) -> Html | None:
    """A bar of a share (0 to 1) of the room it gets, if it can be seen; what it shows stands beside it in words."""
    if share < _SMALLEST_SHARE:
        return None
    width = f"{min(max(share, 0.0), 1.0) * 100:.2f}%"
    return element("svg", element("rect", width=width, height="100%", rx=2), class_=f"bar {kind}", aria_hidden="true")


def facts(*pairs: tuple[str, Html | str | None], class_: str = "facts") -> Html:
    """A list of names and what they stand for; what is None or empty is left out."""
    shown = [element("div", element("dt", key), element("dd", value)) for key, value in pairs if value]
    return element("dl", *shown, class_=class_)


def section(title: str, id_: str, *children: Html | None) -> Html:
    """A landmark with its heading."""
    heading = element("h2", title, id=id_)
    return element("section", heading, *children, aria_labelledby=id_)


def dotted(*parts: str | Html | None) -> Html:
    """Parts of one line, `a · b`; those that are None or empty are left out."""
    return _between(" · ", parts)


def listed(*parts: str | Html | None) -> Html:
    """`a, b`; those that are None or empty are left out."""
    return _between(", ", parts)


def _between(separator: str, parts: Sequence[str | Html | None]) -> Html:
    shown = [part for part in parts if part]
    return joined(piece for place, part in enumerate(shown) for piece in ((separator, part) if place else (part,)))


def took(seconds: float) -> str | None:
    """A duration, unless nobody measured one."""
    return duration(seconds) if seconds > 0 else None
