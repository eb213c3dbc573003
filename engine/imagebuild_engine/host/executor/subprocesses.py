"""Attending a step to its end, whatever happens meanwhile."""

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
    ended: "asyncio.Future[T]",
    stdout: asyncio.StreamReader,
    stderr: asyncio.StreamReader,
    output: Output,
    *,
    timeout: float | None,
    kill: Callable[[], Awaitable[None]],
) -> T:
    """Waits for the end, which says that no process is left, and hands on the output. `kill` must bring it about.

    Raises StepTimedOut, CancelledError; in both cases all processes are gone.
    """
    pumps = [
        asyncio.create_task(pump(stdout, Stream.STDOUT, output)),
        asyncio.create_task(pump(stderr, Stream.STDERR, output)),
    ]
    try:
        async with asyncio.timeout(timeout):
            return await _wait(ended, pumps)
    except TimeoutError as error:
        await uninterrupted(_kill_and_wait(ended, kill, pumps))
        raise StepTimedOut(timeout or 0) from error
    except BaseException:
        await uninterrupted(_kill_and_wait(ended, kill, pumps))
        raise


async def _wait(ended: "asyncio.Future[T]", pumps: list[asyncio.Task[None]]) -> T:
    # A failing callback ends the step: nobody would see what it prints.
    pending: set[asyncio.Future[Any]] = {ended, *pumps}
    while not ended.done():
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            future.result()
    # No process is left, so the pipes end at once.
    _, late = await asyncio.wait(pumps, timeout=_PIPES_MAY_TAKE)
    for future in late:
        future.cancel()
    for future in pumps:
        with suppress(asyncio.CancelledError):
            await future
    return ended.result()


async def _kill_and_wait(
    ended: "asyncio.Future[T]", kill: Callable[[], Awaitable[None]], pumps: list[asyncio.Task[None]]
) -> None:
    if not ended.done():
        await kill()
    futures: set[asyncio.Future[Any]] = {ended, *pumps}
    _, late = await asyncio.wait(futures, timeout=_PIPES_MAY_TAKE)
    for future in late:
        future.cancel()
    await asyncio.gather(*futures, return_exceptions=True)
