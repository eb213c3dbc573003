"""The part of a request that a Dockerfile is lowered with."""

from ..contract import BuildRequest
from ..core.frontend import BuildOptions
from ..core.graph import HostAddress, NetworkMode, Ulimit
from ..core.oci import Platform

_NETWORKS = {"default": NetworkMode.UNSET, "host": NetworkMode.HOST, "none": NetworkMode.NONE}


def build_options(request: BuildRequest, *, platform: Platform, build_platform: Platform) -> BuildOptions:
    """Some build arguments of BuildKit's own are no variables but settings (frontend/dockerui)."""
    return BuildOptions(
        target=request.target,
        build_args=request.build_args,
        labels=request.labels,
        platform=platform,
        build_platform=build_platform,
        no_cache=request.no_cache,
        allow_insecure="security.insecure" in request.allow,
        network=_NETWORKS[request.network],
        hostname=request.build_args.get("BUILDKIT_SANDBOX_HOSTNAME") or request.hostname,
        cache_namespace=request.build_args.get("BUILDKIT_CACHE_MOUNT_NS", ""),
        extra_hosts=tuple(HostAddress(host=entry.host, address=entry.address) for entry in request.extra_hosts),
        ulimits=tuple(Ulimit(name=entry.name, soft=entry.soft, hard=entry.hard) for entry in request.ulimits),
        cgroup_parent=request.cgroup_parent,
        shm_size=request.shm_size,
        source_date_epoch=request.source_date_epoch,
    )
