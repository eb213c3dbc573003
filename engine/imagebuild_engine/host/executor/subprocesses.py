"""Running one child process to its end, whatever happens meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from .errors import StepTimedOut
from .output import pump
from .process import Output, Stream

T = TypeVar("T")
_PIPES_MAY_TAKE = 5.0


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Awaits the work to its end even if we are cancelled meanwhile; the cancellation comes after it."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            break
    if cancelled is not None:
        with suppress(Exception):
            task.result()
        raise cancelled
    return task.result()


async def attend(
    child: asyncio.subprocess.Process,
    output: Output,
    *,
    timeout: float | None,
    kill: Callable[[], Awaitable[None]],
) -> int:
    """Waits for the child and hands on its output. `kill` must end it with all its descendants.

    Raises StepTimedOut, CancelledError; in both cases the child is gone.
    """
    assert child.stdout is not None
    assert child.stderr is not None
    pumps = [
        asyncio.create_task(pump(child.stdout, Stream.STDOUT, output)),
        asyncio.create_task(pump(child.stderr, Stream.STDERR, output)),
    ]
    try:
        async with asyncio.timeout(timeout):
            code = await _wait(child, pumps)
    except TimeoutError as error:
        await uninterrupted(_kill_and_wait(child, kill, pumps))
        raise StepTimedOut(timeout or 0) from error
    except BaseException:
        await uninterrupted(_kill_and_wait(child, kill, pumps))
        raise
    return code


async def _wait(child: asyncio.subprocess.Process, pumps: list[asyncio.Task[None]]) -> int:
    waiting = asyncio.ensure_future(child.wait())
    try:
        # A failing callback ends the step: nobody would see what it prints.
        pending: set[asyncio.Future[Any]] = {waiting, *pumps}
        while not waiting.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                future.result()
        await _drain(pumps)
        return waiting.result()
    finally:
        waiting.cancel()


async def _drain(pumps: list[asyncio.Task[None]]) -> None:
    """The child and all its descendants are gone, so the pipes end at once."""
    _, pending = await asyncio.wait(pumps, timeout=_PIPES_MAY_TAKE)
    for future in pending:
        future.cancel()
    for future in pumps:
        with suppress(asyncio.CancelledError):
            await future


async def _kill_and_wait(
    child: asyncio.subprocess.Process, kill: Callable[[], Awaitable[None]], pumps: list[asyncio.Task[None]]
) -> None:
    await kill()
    await child.wait()
    _, pending = await asyncio.wait(pumps, timeout=_PIPES_MAY_TAKE)
    for future in pending:
        future.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)
