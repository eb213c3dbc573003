"""When to try again: exponential backoff with jitter, or what the registry asked for."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Seconds, but for `attempts`. No pause is begun that would end more than `window` after the first try."""

    attempts: int = 5
    first: float = 0.25
    longest: float = 8.0
    longest_retry_after: float = 30.0
    window: float = 120.0

    def pause(self, failures: int, *, waited: float, retry_after: float | None, jitter: float) -> float | None:
        """How long to wait after so many failures, or None to give up. `jitter` is a number from 0 to 1.

        The registry's own wish comes first, but only up to `longest_retry_after`.
        """
        if failures >= self.attempts:
            return None
        backoff = min(self.longest, self.first * 2 ** (failures - 1)) * (0.5 + jitter / 2)
        pause = backoff if retry_after is None else max(backoff, min(retry_after, self.longest_retry_after))
        return pause if waited + pause <= self.window else None


def parse_retry_after(value: str | None, *, date: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3); nonsense counts as absent.

    A date is compared with the answer's own Date header, so a wrong clock on either side does not matter.
    """
    if not value:
        return None
    if value.strip().isdecimal():
        return float(value[:12])
    with contextlib.suppress(ValueError, TypeError):
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(value) - now).total_seconds())
    return None
