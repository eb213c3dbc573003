"""EXPOSE's words: `[host address:][host port:]port[-port][/protocol]`, as BuildKit reads them (convert_expose.go).

An address and a host's port say nothing to an image; BuildKit accepts and forgets them, and so do we.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from .errors import DockerfileError

_PROTOCOLS = ("tcp", "udp", "sctp")
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_LAST = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSpec:
    """An expanded word of EXPOSE. `protocol` is as written, empty where nothing was said."""

    text: str
    first: int
    last: int
    protocol: str = ""
    maps_host: bool = False
    """Does it name a host's address or port, too?"""

    @classmethod
    def parse(cls, text: str) -> PortSpec:
        """Raises DockerfileError without place for what is no port."""
        host, _, container = text.rpartition(":")
        numbers, _, protocol = container.partition("/")
        if not numbers:
            raise _refused(text, "there is no port (80, 80/udp, 8000-8010)")
        if protocol and protocol.lower() not in _PROTOCOLS:
            raise _refused(text, f'"{protocol}" is not a protocol ({", ".join(_PROTOCOLS)})')
        first, last = _range(text, numbers)
        if host:
            _check_host(text, host, first, last)
        return cls(text=text, first=first, last=last, protocol=protocol, maps_host=bool(host.strip(":")))

    @property
    def names(self) -> tuple[str, ...]:
        """The ports as the image config lists them: `80/tcp`."""
        protocol = self.protocol.lower() or "tcp"
        return tuple(f"{port}/{protocol}" for port in range(self.first, self.last + 1))


def _check_host(text: str, host: str, first: int, last: int) -> None:
    address, _, ports = host.rpartition(":")
    if address:
        plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
        try:
            ipaddress.ip_address(plain.replace("%", "/"))  # a zone is none of Go's addresses
        except ValueError:
            raise _refused(text, f'"{address}" is not an IP address') from None
    if not ports:
        return
    low, high = _range(text, ports)
    if high - low != last - first and first != last:
        raise _refused(text, "the host's ports are more or fewer than the container's")


def _range(text: str, numbers: str) -> tuple[int, int]:
    low, dash, high = numbers.partition("-")
    first = _number(text, low)
    last = first if not dash or low == high else _number(text, high)
    if last < first:
        raise _refused(text, "is not a range of ports")
    return first, last


def _number(text: str, number: str) -> int:
    if _NUMBER.fullmatch(number) is None or not 0 <= int(number) <= _LAST:
        raise _refused(text, f'"{number}" is not a port (80, 80/udp, 8000-8010)')
    return int(number)


def _refused(text: str, why: str) -> DockerfileError:
    shown = text if len(text) <= 120 else text[:120] + "…"
    return DockerfileError(f"EXPOSE {shown}: {why}")
