"""One line per event, with the step's number in front, so that a log reads well afterwards."""

import re
from typing import TextIO

from ...core.amounts import duration
from .events import BuildDone, Event, Notice, PhaseDone, PhaseStarted, StepDone, StepOutput, StepStarted
from .summary import summary

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


def printable(text: str) -> str:
    """The text without escape sequences: what a step prints must not be able to repaint a person's terminal."""
    return _CONTROL.sub("", text)


def hit_text(event: StepDone) -> str:
    """Where a hit is from, and what it saved."""
    source = f" from {event.source}" if event.source else ""
    return source + (f", {duration(event.saved)} saved" if event.saved else "")


class PlainView:
    """For logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        match event:
            case StepStarted(number=number, text=text, why=why):
                self._line(f"#{number} {text}")
                if why:
                    self._line(f"#{number} MISS {printable(why)}")
            case StepDone(number=number, text=text, outcome="hit"):
                self._line(f"#{number} {text}")
                self._line(f"#{number} CACHED{hit_text(event)}")
            case StepDone(number=number, seconds=seconds):
                self._line(f"#{number} DONE {seconds:.1f}s")
            case StepOutput(number=number, line=line):
                self._line(f"#{number} | {printable(line)}")
            case PhaseStarted(name=name):
                self._line(f"-- {name}")
            case PhaseDone(name=name, seconds=seconds, detail=detail):
                self._line(f"-- {name} done {seconds:.1f}s" + (f": {detail}" if detail else ""))
            case BuildDone(result=result):
                for line in summary(result):
                    self._line(f"-- {printable(line)}")
            case Notice(text=text, warning=warning):
                self._line(f"warning: {text}" if warning else text)

    def close(self) -> None:
        self._stream.flush()

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class QuietView:
    """Nothing but warnings."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        if isinstance(event, Notice) and event.warning:
            print(f"warning: {event.text}", file=self._stream, flush=True)

    def close(self) -> None:
        self._stream.flush()
