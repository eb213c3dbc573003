"""Small HTTP servers for a scraper and for the kubelet: GET of known paths, nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

Answer = Callable[[], tuple[int, bytes]]
"""Status code and body."""


@asynccontextmanager
async def serving(host: str, port: int, answers: Mapping[str, Answer]) -> AsyncIterator[int]:
    """Serve while inside; gives the port, which is a free one where 0 was asked for."""
    application = web.Application()
    for path, answer in answers.items():
        application.router.add_get(path, _handler(answer))
    runner = web.AppRunner(application, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _handler(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        status, body = answer()
        return web.Response(
            status=status, body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    return handle
