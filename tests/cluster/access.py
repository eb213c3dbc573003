"""How tests and the demo reach a cluster: this checkout's disposable one, or one that the user names.

`IMAGEBUILD_USE_CLUSTER=1` with `KUBECONFIG` takes the cluster at hand. It must run pods, and it needs a registry that
this machine and the cluster's nodes and pods reach under the same name: `IMAGEBUILD_TEST_REGISTRY=HOST:PORT`, plain
HTTP, deletion enabled. The images of `images.py` are pushed to it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import images, tools
from tests.cluster.daemons import ClusterError
from tests.cluster.layout import Registry
from tests.cluster.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one needs to know of a running cluster. What only the disposable one has is empty for a foreign one."""

    kubeconfig: Path
    registry: str
    registry_log: Path | None = None
    private_registry: str = ""
    private_user: str = ""
    private_password: str = ""
    host: str = ""
    """An address of this machine that pods reach: listen there to serve them something."""
    binaries: Path | None = None
    """kubectl, helm and the others, for PATH."""
    logs: Path | None = None

    @property
    def disposable(self) -> bool:
        return self.binaries is not None

    def environment(self) -> dict[str, str]:
        """Variables for programs that use the cluster."""
        path = os.environ.get("PATH", os.defpath)
        values = {
            "KUBECONFIG": str(self.kubeconfig),
            "IMAGEBUILD_TEST_REGISTRY": self.registry,
            "IMAGEBUILD_TEST_REGISTRY_LOG": str(self.registry_log or ""),
            "IMAGEBUILD_TEST_PRIVATE_REGISTRY": self.private_registry,
            "IMAGEBUILD_TEST_PRIVATE_USER": self.private_user,
            "IMAGEBUILD_TEST_PRIVATE_PASSWORD": self.private_password,
            "IMAGEBUILD_TEST_HOST": self.host,
        }
        if self.binaries is not None and str(self.binaries) not in path.split(":"):
            values["PATH"] = f"{self.binaries}:{path}"
        return {name: value for name, value in values.items() if value}

    def exports(self) -> str:
        """The same for a shell's `eval`."""
        return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in self.environment().items())


def to_disposable(plan: Plan) -> Access:
    return Access(
        kubeconfig=plan.kubeconfig,
        registry=plan.registry,
        registry_log=plan.logs / "registry.log",
        private_registry=plan.private_registry,
        private_user=plan.private_user,
        private_password=plan.private_password,
        host=plan.networks.gateway,
        binaries=plan.binaries,
        logs=plan.logs,
    )


def wants_foreign(environment: Mapping[str, str]) -> bool:
    """Whether the user asked for the cluster that KUBECONFIG names."""
    return environment.get("IMAGEBUILD_USE_CLUSTER") == "1"


def to_foreign(environment: Mapping[str, str]) -> Access:
    """The user's cluster, once it has answered and the images are in its registry."""
    missing = [name for name in ("KUBECONFIG", "IMAGEBUILD_TEST_REGISTRY") if not environment.get(name)]
    if missing:
        raise ClusterError(f"IMAGEBUILD_USE_CLUSTER=1 needs {' and '.join(missing)}")
    kubeconfig, registry = Path(environment["KUBECONFIG"]), environment["IMAGEBUILD_TEST_REGISTRY"]
    kubectl = shutil.which("kubectl") or str(tools.path("kubectl"))
    command = [kubectl, "--kubeconfig", str(kubeconfig), "--request-timeout=10s", "get", "--raw", "/readyz"]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)
    if asked.returncode != 0 or asked.stdout.strip() != "ok":
        raise ClusterError(f"the cluster of KUBECONFIG={kubeconfig} does not answer: {asked.stderr.strip()[-500:]}")
    try:
        images.publish_all(Registry(address=registry))
    except OSError as error:
        raise ClusterError(f"IMAGEBUILD_TEST_REGISTRY={registry} does not answer: {error}") from error
    return Access(
        kubeconfig=kubeconfig,
        registry=registry,
        private_registry=environment.get("IMAGEBUILD_TEST_PRIVATE_REGISTRY", ""),
        private_user=environment.get("IMAGEBUILD_TEST_PRIVATE_USER", ""),
        private_password=environment.get("IMAGEBUILD_TEST_PRIVATE_PASSWORD", ""),
        host=environment.get("IMAGEBUILD_TEST_HOST", ""),
    )
