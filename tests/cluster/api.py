"""A few requests to kube-apiserver without kubectl: polling with a program of 60 MB is slow and warms the room."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from tests.cluster.daemons import ClusterError
from tests.cluster.plan import Plan


@dataclass(frozen=True, slots=True)
class Api:
    """kube-apiserver, as the administrator."""

    plan: Plan

    def request(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` as long as nothing listens."""
        pki = self.plan.pki
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        networks = self.plan.networks
        connection = http.client.HTTPSConnection(
            networks.gateway, self.plan.apiserver_port, timeout=10, context=context
        )
        try:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether it answers `/readyz` with ok."""
        try:
            return self.request("GET", "/readyz") == (200, b"ok")
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> dict[str, Any] | None:
        """The object, or None where there is none (yet)."""
        status, body = self.request("GET", path)
        if status == 404:
            return None
        if status != 200:
            raise ClusterError(f"GET {path}: {status} {body[:300]!r}", self.plan.logs / "kube-apiserver.log")
        found: dict[str, Any] = json.loads(body)
        return found

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create the object unless it exists."""
        status, answer = self.request("POST", path, body)
        if status not in (201, 409):
            raise ClusterError(f"POST {path}: {status} {answer[:300]!r}", self.plan.logs / "kube-apiserver.log")
