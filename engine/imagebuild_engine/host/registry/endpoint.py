"""Where a registry is and how it is spoken to: plain on loopback, TLS elsewhere, either for those called insecure."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ...core.oci import DEFAULT_REGISTRY

Trust = Literal["loopback", "verified", "unverified"]
"""How a connection is made: without proxy; with certificates checked; with whatever certificate."""

_HUB = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A registry's base URL, such as `https://registry.example:5000`."""

    base: str
    trust: Trust

    @property
    def secure(self) -> bool:
        return self.base.startswith("https://")


def candidates(registry: str, insecure: frozenset[str]) -> tuple[Endpoint, ...]:
    """In order of preference. More than one must be tried out.

    As docker: loopback is plain (nobody is in between), an insecure registry is asked with TLS before without.
    """
    host = _HUB if registry == DEFAULT_REGISTRY else registry
    if is_loopback(f"//{host}"):
        return (Endpoint(f"http://{host}", "loopback"),)
    if registry in insecure:
        return Endpoint(f"https://{host}", "unverified"), Endpoint(f"http://{host}", "unverified")
    return (Endpoint(f"https://{host}", "verified"),)


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
