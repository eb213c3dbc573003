"""What was found, and how it is told."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from ..dockerfile import DockerfileError, Location, Source
from .rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One finding. `location` None: an image that only a mount of a RUN names."""

    rule: Rule
    detail: str
    location: Location | None

    def __str__(self) -> str:
        """One line, as a build shows it: `JSONArgsRecommended: … (line 3)`."""
        place = f" (line {self.location.start})" if self.location else ""
        return f"{self.rule.name}: {self.detail}{place}"

    def text(self, source: Source) -> str:
        """Several lines, as buildx prints them: rule and its page, what is wrong, where, excerpt."""
        title = " - ".join(filter(None, (f"WARNING: {self.rule.name}", self.rule.url)))
        if self.location is None:
            return f"{title}\n{self.detail}\n"
        place = f"{source.name}:{self.location.start}"
        excerpt = source.excerpt(Location(self.location.start, self.location.end))  # as in BuildKit, without column
        return f"{title}\n{self.detail}\n{place}\n{_FRAME}\n{excerpt}\n{_FRAME}\n"


_FRAME = "-" * 20
_MOST = 1000
"""Findings that are told in full: nobody reads more, and each excerpt costs a look through the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings in the order in which BuildKit comes upon them."""

    violations: tuple[Violation, ...] = ()
    as_errors: bool = False
    """Was `error=true` asked for?"""

    def failure(self, source: Source) -> DockerfileError | None:
        """The error that ends a build, if findings are to do that."""
        if not self.as_errors or not self.violations:
            return None
        names = ", ".join(sorted({violation.rule.name for violation in self.violations}))
        first = next((violation.location for violation in self.violations if violation.location), None)
        first = first and Location(first.start, first.end, first.column or 1)
        return DockerfileError(f"checks failed (error=true): {names}", first, source)

    def text(self, source: Source) -> str:
        """All findings for people, from the file's top to its end."""
        count = len(self.violations)
        if not count:
            return "Check complete, no warnings found.\n"
        found = "1 warning has been found!" if count == 1 else f"{count} warnings have been found!"
        told = [f"Check complete, {found}\n", *(each.text(source) for each in self._by_line()[:_MOST])]
        if count > _MOST:
            told.append(f"and {count - _MOST} more; --call=check,format=json tells them all\n")
        return "\n".join(told)

    def json(self, source: Source, error: str = "", location: Location | None = None) -> dict[str, Any]:
        """The same in the form of buildx's `--call=check,format=json` (frontend/subrequests/lint).

        `error` and its `location`: why the file cannot be built, if it cannot.
        """
        told: dict[str, Any] = {
            "warnings": [_as_json(violation) for violation in self._by_line()],
            "sources": [
                {
                    "filename": source.name,
                    "language": "Dockerfile",
                    "data": base64.b64encode(source.text.encode(errors="replace")).decode(),
                }
            ],
        }
        if error:
            told["buildError"] = {"message": error, "location": _ranges(location)}
        return told

    def _by_line(self) -> list[Violation]:
        return sorted(self.violations, key=lambda violation: violation.location.start if violation.location else 0)


def _as_json(violation: Violation) -> dict[str, Any]:
    told = {
        "ruleName": violation.rule.name,
        "description": violation.rule.description,
        "url": violation.rule.url,
        "detail": violation.detail,
        "location": _ranges(violation.location),
    }
    return {key: value for key, value in told.items() if value != ""}


def _ranges(location: Location | None) -> dict[str, Any]:
    """One range for each line, as BuildKit has it."""
    lines = range(location.start, location.end + 1) if location else ()
    return {"ranges": [{"start": {"line": line}, "end": {"line": line}} for line in lines]}
