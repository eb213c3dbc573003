"""The parts of a build that are no steps: how long each took, told while it happens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .progress import PhaseDone, PhaseStarted, View


class Phases:
    """`seconds` has the wall time of every part that is over, also of one that failed; of one that was done again, the
    sum."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.started = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Times a part of the build and tells the view."""
        started = time.monotonic()
        self._view.show(PhaseStarted(name=name))
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
        self._view.show(PhaseDone(name=name, seconds=self.seconds[name]))

    @property
    def total(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.started
