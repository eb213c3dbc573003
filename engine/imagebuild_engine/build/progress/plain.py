"""One line per event, with the step's number in front, so that a log reads well afterwards."""

import re
from typing import TextIO

from .events import BuildDone, Event, Notice, PhaseDone, PhaseStarted, StepDone, StepOutput, StepStarted

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")


def printable(text: str) -> str:
    """The text without escape sequences: what a step prints must not be able to repaint a person's terminal."""
    return _CONTROL.sub("", text)


class PlainView:
    """For logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, event: Event) -> None:
        match event:
            case StepStarted(number=number, text=text):
                self._line(f"#{number} {text}")
            case StepDone(number=number, text=text, outcome="hit", source=source):
                self._line(f"#{number} {text}")
                self._line(f"#{number} CACHED" + (f" from {source}" if source else ""))
            case StepDone(number=number, seconds=seconds):
                self._line(f"#{number} DONE {seconds:.1f}s")
            case StepOutput(number=number, line=line):
                self._line(f"#{number} | {printable(line)}")
            case PhaseStarted(name=name):
                self._line(f"-- {name}")
            case PhaseDone(name=name, seconds=seconds, detail=detail):
                self._line(f"-- {name} done {seconds:.1f}s" + (f": {detail}" if detail else ""))
            case BuildDone():
                self._line(f"-- {event}")
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
