"""How much of a Dockerfile is read before it counts as an attack or a mistake."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Upper bounds; `line_bytes` is BuildKit's own, the others are far above anything people write."""

    file_bytes: int = 1 << 20
    line_bytes: int = 65_535
    lines: int = 50_000
    instructions: int = 10_000


DEFAULT_LIMITS = Limits()
