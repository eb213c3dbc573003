"""The HTTP library's clients, one for each kind of trust, made when first needed."""

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from .urls import Trust

if TYPE_CHECKING:
    import httpx

MAX_CONNECTIONS = 64


class Connections:
    """Pools of connections. HTTP/1.1: registries' blob stores gain nothing from one shared connection."""

    def __init__(self) -> None:
        self._clients: dict[Trust, httpx.AsyncClient] = {}

    def client(self, trust: Trust) -> "httpx.AsyncClient":
        import httpx  # 130 ms, which a build without a registry need not spend

        if trust not in self._clients:
            self._clients[trust] = httpx.AsyncClient(
                verify=_tls(trust),
                trust_env=trust != "loopback",  # proxies are for other machines
                http2=False,
                limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
                headers={"user-agent": "imagebuild"},
            )
        return self._clients[trust]

    async def close(self) -> None:
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()


def _tls(trust: Trust) -> ssl.SSLContext:
    if trust == "verified":
        context = ssl.create_default_context()
        paths = ssl.get_default_verify_paths()
        if not (paths.cafile or (paths.capath and any(Path(paths.capath).iterdir()))):
            import certifi

            context.load_verify_locations(certifi.where())  # a machine without certificates of its own
        return context
    # Loading the certificates costs 20 ms, and neither kind looks at one.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_certificate_problem(error: BaseException | None) -> bool:
    """Is it about a certificate? An unknown one will not be known in a minute."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
