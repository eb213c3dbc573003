"""BuildKit's SolveStatus, one JSON object a line, as buildx prints it with `--progress=rawjson` (client/graph.go).

Steps and the other parts of a build are vertexes, known by a digest of their number and name. Why a step is run is a
status of its vertex; what belongs to no step is logged by a vertex of its own.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from ...core.oci import Digest
from .events import BuildDone, Event, Notice, PhaseDone, PhaseStarted, StepDone, StepOutput, StepStarted
from .summary import summary

_STDOUT = 1
_BUILD = "[internal] imagebuild"


def _now() -> datetime:
    return datetime.now(UTC)


class RawJsonView:
    """For programs."""

    def __init__(self, stream: TextIO, now: Callable[[], datetime] = _now) -> None:
        self._stream = stream
        self._now = now
        self._open: dict[str, dict[str, Any]] = {}
        """Vertexes that have started, by digest."""
        self._steps: dict[int, str] = {}

    def show(self, event: Event) -> None:
        match event:
            case StepStarted(number=number, text=text, why=why):
                vertex = self._start(_digest(number, text), text)
                self._steps[number] = vertex
                if why:
                    moment = self._moment()
                    status = {"id": f"MISS {why}", "vertex": vertex, "current": 0, "timestamp": moment}
                    self._line({"statuses": [status | {"started": moment, "completed": moment}]})
            case StepDone(number=number, text=text, outcome="hit"):
                self._end(self._start(_digest(number, text), text), cached=True)
            case StepDone(number=number, text=text):
                self._end(_digest(number, text))
            case StepOutput(number=number, line=line):
                if number in self._steps:
                    self._log(self._steps[number], line)
            case PhaseStarted(name=name):
                self._start(*_phase(name))
            case PhaseDone(name=name):
                self._end(_phase(name)[0])
            case Notice(text=text, warning=True):
                self._line({"warnings": [{"level": 1, "short": _data(text)}]})
            case Notice(text=text):
                self._tell([text])
            case BuildDone(result=result):
                self._tell(list(summary(result)))

    def close(self) -> None:
        for vertex in list(self._open):
            self._end(vertex, error="it did not come to its end")
        self._stream.flush()

    def _start(self, digest: str, name: str) -> str:
        vertex = self._open[digest] = {"digest": digest, "name": name, "started": self._moment()}
        self._line({"vertexes": [vertex]})
        return digest

    def _end(self, digest: str, **more: Any) -> None:
        if (vertex := self._open.pop(digest, None)) is not None:
            self._line({"vertexes": [vertex | {"completed": self._moment()} | more]})

    def _tell(self, lines: list[str]) -> None:
        vertex = self._start(Digest.of(_BUILD.encode()), _BUILD)
        for line in lines:
            self._log(vertex, line)
        self._end(vertex)

    def _log(self, vertex: str, line: str) -> None:
        log = {"vertex": vertex, "stream": _STDOUT, "data": _data(f"{line}\n"), "timestamp": self._moment()}
        self._line({"logs": [log]})

    def _moment(self) -> str:
        return self._now().isoformat().replace("+00:00", "Z")

    def _line(self, value: dict[str, Any]) -> None:
        print(json.dumps(value, separators=(",", ":")), file=self._stream, flush=True)


def _digest(number: int, text: str) -> str:
    return Digest.of(f"step {number} {text}".encode(errors="surrogateescape"))


def _phase(name: str) -> tuple[str, str]:
    return Digest.of(f"phase {name}".encode()), f"[internal] {name}"


def _data(text: str) -> str:
    return base64.b64encode(text.encode(errors="surrogateescape")).decode()
