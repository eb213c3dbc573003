"""Durations as Kubernetes writes them: `90s`, `1h30m`, `1.5h`."""

import re

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|h|m|s)")
_WHOLE = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|h|m|s)){1,4}")


def parse_duration(text: str) -> float:
    """Seconds; raises ValueError."""
    if not _WHOLE.fullmatch(text):
        raise ValueError(f'"{text[:40]}" is not a duration like 30m or 1h30m')
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def short_duration(seconds: float) -> str:
    """`41s`, `3m12s`, `1h4m`: as kubectl writes ages."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s"
    return f"{whole // 3600}h{whole % 3600 // 60}m"
