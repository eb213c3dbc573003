"""Programs that live beside the steps, such as an ssh-agent: ended with their context, and with the engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from .errors import ExecutorError
from .process import Stream
from .supervised import as_ourselves, run_supervised, start_supervisor

_REMEMBERED = 20
_GRACE = 1.0


class Companion:
    """A running program. `said` is the end of what it printed."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.task: asyncio.Task[int]

    @property
    def has_ended(self) -> bool:
        return self.task.done()

    def _hear(self, _stream: Stream, line: bytes) -> None:
        self.said = [*self.said, line[:200].decode(errors="replace")][-_REMEMBERED:]


@asynccontextmanager
async def companion(program: Path, arguments: Sequence[str], env: Sequence[str], cwd: Path) -> AsyncIterator[Companion]:
    """Runs the program, as we ourselves run, until the context ends."""
    start_supervisor()
    spec = as_ourselves([program.name, *arguments], str(program), env, str(cwd))
    running = Companion()
    running.task = asyncio.create_task(run_supervised(program.name, spec, running._hear, timeout=None, grace=_GRACE))
    try:
        yield running
    finally:
        running.task.cancel()
        with suppress(asyncio.CancelledError, ExecutorError):
            await running.task
