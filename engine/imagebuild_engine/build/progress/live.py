"""The live view of a terminal: running steps with their last lines of output, finished ones with their outcome."""

import time
from collections import deque
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .events import BuildDone, Event, Notice, PhaseDone, PhaseStarted, StepDone, StepOutput, StepStarted
from .plain import hit_text, printable
from .summary import summary

_TAIL = 5


@dataclass(slots=True)
class _Running:
    text: str
    why: str
    started: float
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))


class LiveView:
    """Finished lines scroll away above; what runs is repainted below."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[int, _Running] = {}
        self._phases: dict[str, float] = {}
        self._hits = self._misses = 0
        self._live = Live(console=console, refresh_per_second=8, transient=True, get_renderable=self._render)
        self._live.start()

    def show(self, event: Event) -> None:
        match event:
            case StepStarted(number=number, text=text, why=why):
                self._running[number] = _Running(text, why, time.monotonic())
            case StepDone(number=number, text=text, outcome="hit"):
                self._hits += 1
                self._print("CACHED", "cyan", text, hit_text(event).strip())
            case StepDone(number=number, text=text, seconds=seconds):
                running = self._running.pop(number, None)
                self._misses += 1
                self._print(f"{seconds:5.1f}s", "green", text, running.why if running else "")
            case StepOutput(number=number, line=line):
                if number in self._running:
                    self._running[number].tail.append(printable(line))
            case PhaseStarted(name=name):
                self._phases[name] = time.monotonic()
            case PhaseDone(name=name, seconds=seconds, detail=detail):
                self._phases.pop(name, None)
                self._print(f"{seconds:5.1f}s", "green", name, detail)
            case BuildDone(result=result):
                *lines, last = summary(result)
                for line in lines:
                    self._console.print(Text(printable(line), style="dim"), soft_wrap=True)
                self._console.print(Text(last, style="bold"), soft_wrap=True)
            case Notice(text=text, warning=warning):
                self._console.print(Text(text, style="yellow" if warning else ""), soft_wrap=True)

    def close(self) -> None:
        self._live.stop()

    def _print(self, mark: str, style: str, text: str, detail: str) -> None:
        line = Text.assemble((f"{mark:>7} ", style), printable(text))
        if detail:
            line.append(f"  {printable(detail)}", style="dim")
        self._console.print(line, no_wrap=True, overflow="ellipsis")

    def _render(self) -> RenderableType:
        now = time.monotonic()
        rows: list[RenderableType] = []
        for name, started in self._phases.items():
            rows.append(Text(f"{now - started:5.1f}s  {name} …", style="yellow", no_wrap=True, overflow="ellipsis"))
        for running in self._running.values():
            title = Table.grid(padding=(0, 2))
            text = Text(printable(running.text)).append(f"  {printable(running.why)}", style="dim")
            title.add_row(Text(f"{now - running.started:5.1f}s", style="yellow"), text)
            rows.append(title)
            rows.extend(
                Text(f"        {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in running.tail
            )
        rows.append(Text(f"{self._hits} cached, {self._misses} run", style="dim"))
        return Group(*rows)
