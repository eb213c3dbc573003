"""Go's notations of truth, numbers and sizes, as options of mounts and Git references have them."""

from __future__ import annotations

import re
from typing import Final

_TRUE: Final = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "FALSE", "false", "False"))
_OCTAL = re.compile(r"[0-7]+")
_DECIMAL = re.compile(r"[0-9]+")
_DIGITS = "[0-9](?:_?[0-9])*"
_SIZE = re.compile(rf"([+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?[0-9]+)?) ?([a-zA-Z]*)")
_UNITS = {"": 1, "b": 1} | {
    letter + rest: 1024**power for power, letter in enumerate("kmgtp", 1) for rest in ("", "b", "ib")
}
_LONGEST = 64


def parse_bool(text: str) -> bool | None:
    """strconv.ParseBool; None if it is neither."""
    return True if text in _TRUE else False if text in _FALSE else None


def parse_unsigned(text: str, *, octal: bool = False) -> int | None:
    """strconv.ParseUint for 32 bits, digits only; None if it is no such number."""
    if (_OCTAL if octal else _DECIMAL).fullmatch(text) is None:
        return None
    digits = text.lstrip("0") or "0"
    value = int(digits, 8 if octal else 10) if len(digits) <= 12 else 2**32
    return value if value < 2**32 else None


def parse_size(text: str) -> int | None:
    """Bytes of `64m`, `1.5GiB`, `10 kb` (docker/go-units, RAMInBytes: units of 1024); None if it is no size.

    Hexadecimal floats and infinity, which Go also reads, are refused.
    """
    match = _SIZE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or (unit := match[2].lower()) not in _UNITS:
        return None
    size = float(match[1]) * _UNITS[unit]
    return int(size) if 0 <= size < 2**63 else None
