"""Go's notation for spans of time: `1h2m3.5s`, `250ms`, `0`."""

from __future__ import annotations

import re

_UNITS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,  # U+00B5 micro sign
    "μs": 10**3,  # U+03BC Greek mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]{0,40})(?:\.([0-9]{0,40}))?([^0-9.]+)")
_LARGEST = 2**63 - 1


def parse_duration(text: str) -> int:
    """Nanoseconds; ValueError with a message for people if it is no duration (time.ParseDuration)."""
    negative, rest = text.startswith("-"), text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total = at = 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None:
            break
        whole, fraction, unit = part[1], part[2] or "", part[3]
        if not (whole or fraction):
            break
        if unit not in _UNITS:
            raise ValueError(f'unknown unit "{unit}" in duration "{text}"')
        total += int(whole or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
        at = part.end()
    if at == 0 or at < len(rest):
        raise ValueError(f'"{text}" is no duration; write for example 30s or 1m30s')
    if total > _LARGEST:
        raise ValueError(f'duration "{text}" is too long')
    return -total if negative else total
