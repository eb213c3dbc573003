"""The WWW-Authenticate header (RFC 9110, 11.6.1): which proof of identity a server wants to see."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_LENGTH = 8 << 10

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 (the grammar's token, no secret)
_SCHEME = re.compile(_TOKEN)
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t -~])*)")')
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*(?=[ \t]*(?:,|$))")
_SPACES = re.compile(r"[ \t]*")
_COMMAS = re.compile(r"[ \t]*(?:,[ \t]*)*")


class InvalidChallenge(ValueError):
    """The header does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme with its parameters. Scheme and parameter names are lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all WWW-Authenticate headers, in order. Raises InvalidChallenge.

    Commas separate challenges as well as parameters, so what follows one is told apart by its look: `name=` is a
    parameter, a bare word is the next scheme.
    """
    return tuple(challenge for header in headers for challenge in _parse(header))


def _parse(header: str) -> Iterable[Challenge]:
    if len(header) > MAX_LENGTH:
        raise InvalidChallenge(f"WWW-Authenticate of {len(header)} characters is too long")
    at = _skip(_COMMAS, header, 0)
    while at < len(header):
        scheme = _SCHEME.match(header, at)
        if not scheme:
            raise InvalidChallenge("WWW-Authenticate: an authentication scheme is expected")
        parameters, at = _parameters(header, scheme.end())
        yield Challenge(scheme[0].lower(), parameters)


def _parameters(header: str, at: int) -> tuple[dict[str, str], int]:
    """What belongs to the scheme that ends at the position, and where the next scheme begins."""
    parameters: dict[str, str] = {}
    start = _skip(_SPACES, header, at)
    if start == at and at < len(header) and header[at] != ",":
        raise InvalidChallenge("WWW-Authenticate: a blank is expected after the scheme")
    if token68 := _TOKEN68.match(header, start):
        return parameters, _skip(_COMMAS, header, token68.end())
    at = start
    while at < len(header):
        separated = _skip(_COMMAS, header, at)
        found = _PARAMETER.match(header, separated)
        if not found:
            if at == start and "," not in header[at:separated]:
                raise InvalidChallenge("WWW-Authenticate: a parameter is expected after the scheme")
            return parameters, _end_of(header, at, separated)
        if parameters and "," not in header[at:separated]:
            raise InvalidChallenge("WWW-Authenticate: a comma is expected between parameters")
        name = found[1].lower()
        if name in parameters:
            raise InvalidChallenge(f"WWW-Authenticate: {name} is given twice")
        parameters[name] = found[2] if found[2] is not None else re.sub(r"\\(.)", r"\1", found[3])
        at = found.end()
    return parameters, at


def _end_of(header: str, at: int, separated: int) -> int:
    """After a challenge's last parameter only a comma or the end may follow."""
    if separated < len(header) and "," not in header[at:separated]:
        raise InvalidChallenge("WWW-Authenticate: a comma is expected between challenges")
    return separated


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
