"""The signals that STOPSIGNAL may name: those of Linux (signal(7)), by name or number."""

import re

_NAMES = frozenset(
    (
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
        "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1",
        "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
        *(f"RTMIN+{number}" for number in range(1, 16)),
        *(f"RTMAX-{number}" for number in range(1, 15)),
    )
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


def is_signal(text: str) -> bool:
    """Any number but zero, or a name with or without SIG."""
    if _NUMBER.fullmatch(text):
        return int(text) != 0
    return text.upper().removeprefix("SIG") in _NAMES
