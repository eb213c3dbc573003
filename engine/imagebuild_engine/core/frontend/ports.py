"""What EXPOSE takes: `[ip:][host:]port[-port][/protocol]`, of which only port and protocol reach the image."""

import re
from ipaddress import ip_address

_PROTOCOLS = ("tcp", "udp", "sctp")
_LIMIT = 65535
_RANGE = re.compile(r"\+?([0-9]{1,9})(?:-\+?([0-9]{1,9}))?")


def exposed_ports(text: str) -> list[str]:
    """`8000-8001/udp` → `8000/udp`, `8001/udp`. Raises ValueError with a sentence for people."""
    head, _, published = text.rpartition(":")
    address, separator, host = head.rpartition(":")
    if not separator:
        address, host = "", head
    ports, _, protocol = published.partition("/")
    if (protocol or "tcp").lower() not in _PROTOCOLS:
        raise ValueError(f'"{protocol}" is not a protocol ({", ".join(_PROTOCOLS)})')
    if address:
        try:
            ip_address(address.removeprefix("[").removesuffix("]"))
        except ValueError:
            raise ValueError(f'"{address}" is not an IP address') from None
    low, high = _range(ports, text)
    if host:
        from_host, to_host = _range(host, text)
        if high - low != to_host - from_host and low != high:
            raise ValueError(f'"{text}": the two ranges of ports are not equally long')
    return [f"{port}/{(protocol or 'tcp').lower()}" for port in range(low, high + 1)]


def _range(ports: str, text: str) -> tuple[int, int]:
    found = _RANGE.fullmatch(ports)
    if found is None:
        raise ValueError(f'"{text}" is not a port (80, 80/udp, 8000-8010)')
    low, high = int(found[1]), int(found[2] or found[1])
    if not low <= high <= _LIMIT:
        raise ValueError(f'"{text}" is not a range of ports')
    return low, high
