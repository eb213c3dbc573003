"""URLs: whom they name, how such a one is spoken to, and what of one may be shown."""

import ipaddress
from typing import Literal
from urllib.parse import urlsplit

Trust = Literal["loopback", "verified", "unverified"]
"""How a connection is made: without proxy; with certificates checked; with whatever certificate."""


def trust_of(url: str, insecure: frozenset[str]) -> Trust:
    """How to speak to a host that a registry named: a token server, or where a redirect leads."""
    if is_loopback(url):
        return "loopback"
    return "unverified" if urlsplit(url).netloc.rpartition("@")[2] in insecure else "verified"


def is_loopback(url: str) -> bool:
    """Names the URL the machine itself? No name is looked up."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: credentials stay within one."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def redacted(url: str) -> str:
    """The URL without user, password, query and fragment: signatures and tokens live there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(no URL)"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
