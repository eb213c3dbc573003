"""What the checks may find: `corpus/exceptions.toml`, data with reasons.

An exception names the check, the builder, the cases and patterns of findings, where * is any text. It holds for no
other finding, and one that is not needed any more is an error: in each of its cases or, for `cases = ["*"]`, in all.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Check = Literal["ours for them", "theirs for us", "same image"]
CHECKS: tuple[Check, ...] = ("ours for them", "theirs for us", "same image")
_FILE = Path(__file__).parent / "corpus" / "exceptions.toml"


@dataclass(frozen=True)
class Allowed:
    """One exception. `findings` are patterns, each of which must be met in every one of the cases."""

    check: Check
    builder: str
    cases: tuple[str, ...]
    findings: tuple[str, ...]
    reason: str

    @property
    def general(self) -> bool:
        return self.cases == ("*",)

    def covers(self, finding: str) -> bool:
        return any(_matches(pattern, finding) for pattern in self.findings)


@cache
def exceptions() -> tuple[Allowed, ...]:
    entries = tomllib.loads(_FILE.read_text()).get("exception", [])
    return tuple(
        Allowed(
            check=entry["check"],
            builder=entry["builder"],
            cases=tuple(entry["cases"]),
            findings=tuple(entry["findings"]),
            reason=" ".join(entry["reason"].split()),
        )
        for entry in entries
    )


def applying(check: Check, builder: str, case: str) -> list[Allowed]:
    """The exceptions for this check of this case."""
    alike = [item for item in exceptions() if (item.check, item.builder) == (check, builder)]
    return [item for item in alike if case in item.cases or item.general]


def objections(findings: Sequence[str], allowed: Sequence[Allowed]) -> list[str]:
    """Findings that no exception allows, and exceptions that nothing needs."""
    found = [finding for finding in findings if not any(item.covers(finding) for item in allowed)]
    idle = [pattern for item in allowed if not item.general for pattern in unneeded(item, findings)]
    return found + [f"the exception is not needed: {pattern}" for pattern in idle]


def unneeded(item: Allowed, findings: Sequence[str]) -> list[str]:
    """The exception's patterns that no finding meets."""
    return [pattern for pattern in item.findings if not any(_matches(pattern, finding) for finding in findings)]


def _matches(pattern: str, finding: str) -> bool:
    """Only * is special: findings are full of brackets and question marks."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), finding, re.DOTALL) is not None
