"""The one door to the Kubernetes API: a small protocol, typed errors, the real thing, and the Lease."""

from .door import (
    Cluster,
    ClusterError,
    Conflict,
    NameTaken,
    NotFound,
    Refused,
    Unavailable,
)
from .kube import KubeCluster, connect
from .lease import LeaderElection, LeaseTimes
from .login import log_in_from_pod

__all__ = [
    "Cluster",
    "ClusterError",
    "Conflict",
    "KubeCluster",
    "LeaderElection",
    "LeaseTimes",
    "NameTaken",
    "NotFound",
    "Refused",
    "Unavailable",
    "connect",
    "log_in_from_pod",
]
