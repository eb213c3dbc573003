"""Where a registry is and how it is spoken to: plain on loopback, TLS elsewhere, either for those called insecure."""

from dataclasses import dataclass

from ...core.oci import DEFAULT_REGISTRY
from ..web import Trust, is_loopback

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
