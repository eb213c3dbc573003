"""Progress: events that `build/` emits, and the views that show them."""

import sys
from typing import Literal

from .events import (
    BuildDone,
    Event,
    Notice,
    PhaseDone,
    PhaseStarted,
    StepDone,
    StepOutput,
    StepStarted,
    View,
)
from .plain import PlainView, QuietView, printable
from .raw import RawJsonView
from .summary import at, source_lines, summary

Style = Literal["auto", "tty", "plain", "quiet", "rawjson"]


def view(style: Style) -> View:
    """The view for a style, on standard error; `auto` is live on a terminal, else plain."""
    if style == "quiet":
        return QuietView(sys.stderr)
    if style == "rawjson":
        return RawJsonView(sys.stderr)
    if style == "tty" or (style == "auto" and sys.stderr.isatty()):
        # Only here, since rich costs more to import than a full cache hit can afford.
        from rich.console import Console

        from .live import LiveView

        return LiveView(Console(stderr=True))
    return PlainView(sys.stderr)


__all__ = [
    "BuildDone",
    "Event",
    "Notice",
    "PhaseDone",
    "PhaseStarted",
    "PlainView",
    "QuietView",
    "RawJsonView",
    "StepDone",
    "StepOutput",
    "StepStarted",
    "Style",
    "View",
    "at",
    "printable",
    "source_lines",
    "summary",
    "view",
]
