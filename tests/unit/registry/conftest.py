"""A registry that misbehaves, and clients that wait without waiting."""

from collections.abc import AsyncIterator, Callable

import pytest
from imagebuild_engine.host.registry import Credentials, CredentialStore, RegistryClient, RetryPolicy, Timeouts

from tests.support.faults import FaultyRegistry


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Known:
    """Credentials by registry; remembers who asked."""

    def __init__(self, **credentials: Credentials) -> None:
        self.credentials = credentials
        self.asked: list[str] = []

    async def get(self, registry: str) -> Credentials | None:
        self.asked.append(registry)
        return self.credentials.get("everywhere")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def registry() -> AsyncIterator[FaultyRegistry]:
    async with FaultyRegistry() as running:
        yield running


@pytest.fixture
async def elsewhere() -> AsyncIterator[FaultyRegistry]:
    """Another host: a token server, or where redirects lead."""
    async with FaultyRegistry() as running:
        yield running


Connect = Callable[..., RegistryClient]


@pytest.fixture
def connect(clock: Clock) -> Connect:
    def make(store: CredentialStore | None = None, *, read: float = 10.0, **options: object) -> RegistryClient:
        return RegistryClient(
            store,
            retries=RetryPolicy(attempts=4, first=1.0),
            timeouts=Timeouts(connect=5, read=read, write=5, commit=read, whole=30),
            clock=clock,
            sleep=clock.sleep,
            jitter=lambda: 1.0,
            **options,  # type: ignore[arg-type]  # what a test adds is the client's own
        )

    return make
