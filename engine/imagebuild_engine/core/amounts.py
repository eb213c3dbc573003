"""Amounts as people read them, in every view alike."""

_LONGEST = 1e9
"""Seconds. What claims to have taken longer than 30 years is no time."""


def size(count: int) -> str:
    """Bytes for people, in powers of 1000 as docker shows them: `0 B`, `1.2 kB`, `46.9 MB`."""
    if count < 1000:
        return f"{count} B"
    number = float(min(count, 10**18))
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} TB"


def duration(seconds: float) -> str:
    """Time for people: `0 s`, `40 ms`, `1.9 s`, `41 s`, `3 min 4 s`, `2 h 5 min`."""
    seconds = min(max(seconds, 0.0), _LONGEST)
    if seconds < 0.9995:
        milliseconds = round(seconds * 1000)
        return f"{milliseconds} ms" if milliseconds else "0 s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
