"""What a build is given besides its context, in the words of the three clients that the tests drive."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """buildx's options. `contexts` are directories, or images as `docker-image://REF`."""

    file: str = ""
    target: str = ""
    platform: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    ssh: Path | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    add_hosts: Mapping[str, str] = field(default_factory=dict)
    ulimits: tuple[str, ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    network: str = ""
    allow: tuple[str, ...] = ()


def as_docker(options: Options) -> list[str]:
    """For `docker build` with BuildKit. It has no --build-context and no --allow yet in 20.10."""
    return list(_docker(options))


def as_imagebuild(options: Options) -> list[str]:
    """For `imagebuild build`, which has buildx's names."""
    extra = (("--build-context", f"{name}={where}") for name, where in options.contexts.items())
    allowed = (("--allow", item) for item in options.allow)
    return [*_docker(options), *(part for pair in (*extra, *allowed) for part in pair)]


def _docker(options: Options) -> Iterator[str]:
    for name, value in (
        ("--target", options.target),
        ("--platform", options.platform),
        ("--shm-size", str(options.shm_size or "")),
        ("--cgroup-parent", options.cgroup_parent),
        ("--network", options.network),
        ("--ssh", f"default={options.ssh}" if options.ssh else ""),
    ):
        if value:
            yield from (name, value)
    for name, pairs in (("--build-arg", options.arguments), ("--label", options.labels)):
        for key, value in pairs.items():
            yield from (name, f"{key}={value}")
    for key, path in options.secrets.items():
        yield from ("--secret", f"id={key},src={path}")
    for host, address in options.add_hosts.items():
        yield from ("--add-host", f"{host}:{address}")
    for limit in options.ulimits:
        yield from ("--ulimit", limit)


def as_buildctl(options: Options) -> list[str]:
    """For `buildctl build`: options of the Dockerfile frontend, and what the client itself serves."""
    values = {
        "filename": options.file,
        "target": options.target,
        "platform": options.platform,
        "shm-size": str(options.shm_size or ""),
        "cgroup-parent": options.cgroup_parent,
        "force-network-mode": options.network,
        "add-hosts": ",".join(f"{host}={address}" for host, address in options.add_hosts.items()),
        "ulimit": ",".join(options.ulimits),
        **{f"build-arg:{name}": value for name, value in options.arguments.items()},
        **{f"label:{name}": value for name, value in options.labels.items()},
        **{f"context:{name}": _context(name, where) for name, where in options.contexts.items()},
    }
    # An argument may be empty on purpose; the frontend's own options mean nothing then.
    opts = [("--opt", f"{key}={value}") for key, value in values.items() if value or ":" in key]
    local = [("--local", f"{name}={where}") for name, where in options.contexts.items() if "://" not in where]
    secrets = [("--secret", f"id={key},src={path}") for key, path in options.secrets.items()]
    ssh = [("--ssh", f"default={options.ssh}")] if options.ssh else []
    allowed = [("--allow", item) for item in options.allow]
    return [part for pair in (*opts, *local, *secrets, *ssh, *allowed) for part in pair]


def _context(name: str, where: str) -> str:
    return where if "://" in where else f"local:{name}"
