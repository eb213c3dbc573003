"""How kopf's watches reach the API server from inside a pod: as every Kubernetes client does, by address.

kopf's own way is the name kubernetes.default.svc, which needs a cluster DNS that answers; the rest of the operator does
not.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import kopf

_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def log_in_from_pod(environ: Mapping[str, str] | None = None, folder: Path = _FOLDER) -> kopf.ConnectionInfo | None:
    """The pod's service account, or None. Read anew at each login: the kubelet rotates the token."""
    environ = os.environ if environ is None else environ
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        token = (folder / "token").read_text().strip()
    except OSError:
        return None
    if not host or not token:
        return None
    address = f"[{host}]" if ":" in host else host
    return kopf.ConnectionInfo(server=f"https://{address}:{port}", ca_path=str(folder / "ca.crt"), token=token)
