"""The daemons in the host's own namespaces: etcd, kube-apiserver, controller manager, scheduler, two registries.

Here are their command lines and files; nothing is started. Settings favour a small idle load over everything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.cgroups import Cgroup
from tests.cluster.daemons import Daemon
from tests.cluster.pki import KUBELET_CLIENTS
from tests.cluster.plan import Plan

CLUSTER_DOMAIN = "cluster.local"
# Half the usual heap growth: a fifth less memory for a little work that nobody notices.
ENVIRONMENT = {"GOGC": "50"}


def daemons(plan: Plan, programs: Mapping[str, Path]) -> tuple[Daemon, ...]:
    """All of them, in the order in which they are started."""

    def daemon(name: str, program: Path, *words: str) -> Daemon:
        cgroup = Cgroup(plan.cgroup).child(name)
        log = plan.logs / f"{name}.log"
        return Daemon(name=name, command=(str(program), *words), cgroup=cgroup, log=log, environment=ENVIRONMENT)

    registry = Path("/usr/bin/docker-registry")
    return (
        daemon("etcd", programs["etcd"], *etcd_arguments(plan)),
        daemon("kube-apiserver", programs["kube-apiserver"], *apiserver_arguments(plan)),
        daemon("registry", registry, "serve", str(registry_file(plan, private=False))),
        daemon("registry-private", registry, "serve", str(registry_file(plan, private=True))),
        daemon("kube-controller-manager", programs["kube-controller-manager"], *controller_manager_arguments(plan)),
        daemon("kube-scheduler", programs["kube-scheduler"], *scheduler_arguments(plan)),
    )


def etcd_arguments(plan: Plan) -> list[str]:
    peer = f"http://{plan.networks.loopback}:{plan.etcd_peer_port}"
    return [
        "--name=imagebuild",
        f"--data-dir={plan.state / 'etcd'}",
        f"--listen-client-urls={plan.etcd}",
        f"--advertise-client-urls={plan.etcd}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=imagebuild={peer}",
        "--unsafe-no-fsync",  # nothing in here outlives the machine
        "--snapshot-count=10000",
        "--log-level=warn",
    ]


def apiserver_arguments(plan: Plan) -> list[str]:
    pki, networks = plan.pki, plan.networks
    return [
        f"--etcd-servers={plan.etcd}",
        f"--bind-address={networks.gateway}",
        # It becomes the endpoint of `kubernetes.default`, so it may not be a loopback address.
        f"--advertise-address={networks.gateway}",
        f"--secure-port={plan.apiserver_port}",
        f"--service-cluster-ip-range={networks.services}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'apiserver-kubelet.crt'}",
        f"--kubelet-client-key={pki / 'apiserver-kubelet.key'}",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        # Without these, controller manager and scheduler complain twice a second of a missing CA bundle.
        f"--requestheader-client-ca-file={pki / 'front-proxy-ca.crt'}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        f"--service-account-key-file={pki / 'sa.pub'}",
        f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        "--event-ttl=30m",
    ]


def controller_manager_arguments(plan: Plan) -> list[str]:
    pki, networks = plan.pki, plan.networks
    config = pki / "controller-manager.kubeconfig"
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={networks.loopback}",
        f"--secure-port={plan.controller_manager_port}",
        f"--cert-dir={plan.state / 'run' / 'controller-manager'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'sa.key'}",
        "--use-service-account-credentials=true",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--leader-elect=false",
        "--node-monitor-period=1s",
        "--node-monitor-grace-period=12s",
        f"--cluster-cidr={networks.pods}",
        f"--service-cluster-ip-range={networks.services}",
        # The start is a burst of hundreds of requests; the default of 20 a second draws it out over seconds.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--controllers=*,-node-ipam-controller",  # every node knows its own pod network
        "--profiling=false",
    ]


def scheduler_arguments(plan: Plan) -> list[str]:
    config = plan.pki / "scheduler.kubeconfig"
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        f"--bind-address={plan.networks.loopback}",
        f"--secure-port={plan.scheduler_port}",
        f"--cert-dir={plan.state / 'run' / 'scheduler'}",
        "--leader-elect=false",
        "--profiling=false",
    ]


def registry_file(plan: Plan, *, private: bool) -> Path:
    return plan.state / ("registry-private.json" if private else "registry.json")


def registry_settings(plan: Plan, *, private: bool) -> str:
    """Configuration of Debian's docker-registry; JSON is YAML too.

    Log level info: the log then has a line for every request, by which tests prove what was not pulled.
    """
    name = "registry-private" if private else "registry"
    password_file = {"realm": "imagebuild tests", "path": str(plan.state / "htpasswd")}
    return json.dumps(
        {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(plan.state / "registries" / name)},
                "delete": {"enabled": True},
            },
            "http": {"addr": plan.private_registry if private else plan.registry, "secret": plan.identity},
            **({"auth": {"htpasswd": password_file}} if private else {}),
        },
        indent=2,
    )


def bindings() -> tuple[tuple[str, dict[str, object]], ...]:
    """Objects that upstream's defaults lack, each with the path it is posted to."""
    group = "rbac.authorization.k8s.io"
    binding: dict[str, object] = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        # kube-apiserver calls kubelets for logs and exec; the role is there by default, the binding is not.
        "metadata": {"name": "imagebuild:apiserver-to-kubelet"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "system:kubelet-api-admin"},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": KUBELET_CLIENTS}],
    }
    return ((f"/apis/{group}/v1/clusterrolebindings", binding),)
