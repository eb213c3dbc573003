"""Configuration files of a node's daemons: containerd, CNI, kubelet, kube-proxy. Text only; nothing is written here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.control_plane import CLUSTER_DOMAIN
from tests.cluster.plan import Plan


def files(plan: Plan, node: int) -> Mapping[Path, str]:
    """Path → content, everything below the node's own folder."""
    etc = plan.node_state(node) / "etc"
    registries = (plan.registry, plan.private_registry)
    return {
        etc / "containerd.toml": containerd(plan, node),
        **{etc / "certs.d" / address / "hosts.toml": plain_http(address) for address in registries},
        etc / "cni" / "10-imagebuild.conflist": cni(plan, node),
        etc / "kubelet.json": kubelet(plan, node),
        etc / "kube-proxy.json": kube_proxy(plan, node),
        # No DNS in this cluster: nothing listens on port 53 there, so a look-up fails at once instead of timing out.
        etc / "resolv.conf": f"nameserver {plan.networks.gateway}\n",
    }


def containerd(plan: Plan, node: int) -> str:
    etc = plan.node_state(node) / "etc"
    cri = "io.containerd.cri.v1"
    return f"""\
version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
imports = []
# nothing here uses these
disabled_plugins = [
  'io.containerd.image-verifier.v1.bindir',
  'io.containerd.internal.v1.tracing',
  'io.containerd.monitor.container.v1.restart',
  'io.containerd.nri.v1.nri',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.snapshotter.v1.erofs',
  'io.containerd.tracing.processor.v1.otlp',
]

[grpc]
  address = '/run/containerd/containerd.sock'

[plugins.'{cri}.images']
  snapshotter = 'overlayfs'
  [plugins.'{cri}.images'.pinned_images]
    sandbox = '{plan.registry}/library/pause:1'
  [plugins.'{cri}.images'.registry]
    config_path = '{etc / "certs.d"}'

[plugins.'{cri}.runtime']
  # without CAP_SYS_RESOURCE nobody may lower oom_score_adj, and every pod would fail
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins.'{cri}.runtime'.containerd]
    default_runtime_name = 'runc'
    [plugins.'{cri}.runtime'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'{cri}.runtime'.containerd.runtimes.runc.options]
        BinaryName = '{plan.binaries / "runc"}'
        SystemdCgroup = false
  [plugins.'{cri}.runtime'.cni]
    bin_dirs = ['{plan.binaries / "cni"}']
    conf_dir = '{etc / "cni"}'
    use_internal_loopback = true

[plugins.'io.containerd.grpc.v1.cri']
  stream_server_address = '127.0.0.1'
"""


def plain_http(address: str) -> str:
    """containerd's word for a registry without TLS."""
    return f"""\
server = "http://{address}"
[host."http://{address}"]
  capabilities = ["pull", "resolve"]
"""


def cni(plan: Plan, node: int) -> str:
    addresses = {
        "type": "host-local",
        "dataDir": "/run/cni-addresses",  # in memory: a node that comes back starts with all of them free
        "ranges": [[{"subnet": str(plan.networks.node_pods(node))}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "ipMasqBackend": "nftables",
        "hairpinMode": True,
        "ipam": addresses,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True, "backend": "nftables"}
    return json.dumps({"cniVersion": "1.0.0", "name": "imagebuild", "plugins": [bridge, ports]}, indent=2)


def kubelet(plan: Plan, node: int) -> str:
    pki = plan.pki
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "address": plan.networks.node_address(node),
            "healthzBindAddress": "127.0.0.1",
            "readOnlyPort": 0,
            "tlsCertFile": str(pki / f"n{node}-server.crt"),
            "tlsPrivateKeyFile": str(pki / f"n{node}-server.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "rotateCertificates": False,
            "clusterDomain": CLUSTER_DOMAIN,
            "clusterDNS": [plan.networks.gateway],
            "resolvConf": str(plan.node_state(node) / "etc" / "resolv.conf"),
            # cgroups
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{plan.cgroup}/n{node}",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": ["pods"],
            # as much as a root without CAP_SYS_RESOURCE may ask for
            "oomScoreAdj": 0,
            "maxOpenFiles": 20000,
            "failSwapOn": False,
            # size
            "podPidsLimit": 1024,
            "maxPods": 60,
            "kubeReserved": {"cpu": "100m", "memory": "256Mi"},
            # absolute: percentages would be of the whole machine's disk
            "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
            "evictionPressureTransitionPeriod": "10s",
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            # pace: the Lease keeps the node alive, its status need not be repeated
            "nodeStatusUpdateFrequency": "4s",
            "nodeStatusReportFrequency": "1m",
            "nodeLeaseDurationSeconds": 10,
            "volumeStatsAggPeriod": "10s",
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 50,
            "kubeAPIQPS": 50,
            "kubeAPIBurst": 100,
            "crashLoopBackOff": {"maxContainerRestartPeriod": "30s"},
            # volumes
            "enableControllerAttachDetach": False,
            "volumePluginDir": "/var/lib/kubelet/plugins-exec",
            "localStorageCapacityIsolation": True,
            "userNamespaces": {"idsPerPod": 65536},
            "enableProfilingHandler": False,
            "enableSystemLogHandler": False,
        },
        indent=2,
    )


def kube_proxy(plan: Plan, node: int) -> str:
    rhythm = {"minSyncPeriod": "0s", "syncPeriod": "30s"}
    return json.dumps(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "hostnameOverride": f"n{node}",
            "bindAddress": "0.0.0.0",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "clientConnection": {"kubeconfig": str(plan.pki / "proxy.kubeconfig")},
            "clusterCIDR": str(plan.networks.pods),
            "detectLocalMode": "ClusterCIDR",
            "oomScoreAdj": 0,
            # nf_conntrack_max belongs to the host and is read-only in other network namespaces
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "nftables": rhythm,
        },
        indent=2,
    )
