"""`# syntax=`, `# escape=` and `# check=` at the top of a file.

They count only before anything else: the first line that is no known directive, an ordinary comment and an empty line
included, ends them (dockerfile reference, "Parser directives").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .blanks import SPACE
from .errors import DockerfileError
from .source import Location, Source

_KNOWN = ("syntax", "escape", "check")
_ASSIGNMENT = re.compile(r"([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*\Z")
_OUR_FRONTEND = re.compile(
    r"((index\.)?docker\.io/)?docker/dockerfile(-upstream)?(:[\w.-]+)?(@[a-z0-9]+:[0-9a-f]+)?", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One of them; `name` is in lower case, `value` without blanks at its ends."""

    name: str
    value: str
    location: Location


def read_directives(lines: list[str], source: Source) -> tuple[Directive, ...]:
    """The directives that open `lines`; raises for a repeated one, a bad escape character, another frontend."""
    found: dict[str, Directive] = {}
    shebang = bool(lines) and lines[0].startswith("#!")
    for number, line in enumerate(lines, 1):
        if shebang and number == 1:
            continue
        directive = _read(line, number)
        if directive is None:
            break
        if shebang and directive.name == "escape":
            continue  # BuildKit looks past `#!` for the others only
        if directive.name in found:
            raise DockerfileError(f"only one {directive.name} parser directive can be used", directive.location, source)
        found[directive.name] = directive
    if (syntax := found.get("syntax")) is not None:
        _check_frontend(syntax, source)
    if (escape := found.get("escape")) is not None and escape.value not in ("\\", "`"):
        raise DockerfileError(f'invalid escape token "{escape.value}": it must be \\ or `', escape.location, source)
    return tuple(found.values())


def _read(line: str, number: int) -> Directive | None:
    text = line.lstrip(SPACE)
    if not text.startswith("#"):
        return None
    match = _ASSIGNMENT.match(text[1:].lstrip(SPACE))
    if match is None or match[1].lower() not in _KNOWN:
        return None
    location = Location(number, number, len(line) - len(text) + 1)
    return Directive(name=match[1].lower(), value=match[2], location=location)


def _check_frontend(syntax: Directive, source: Source) -> None:
    frontend = syntax.value.split(" ", 1)[0]  # what follows the reference is that frontend's command line
    if _OUR_FRONTEND.fullmatch(frontend) is None:
        raise DockerfileError(
            f"not supported yet: frontend {frontend}", syntax.location, source, "only docker/dockerfile is known"
        )
