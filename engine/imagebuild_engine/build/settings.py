"""What a build takes from its surroundings and not from its request."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`state` is a directory for snapshots and blobs; None makes a temporary one that goes with the build."""

    state: Path | None = None
    docker_config: Path | None = None
    """Directory with docker's config.json; None: $DOCKER_CONFIG, else ~/.docker."""
    local_git: bool = False
    """May a Git source be a path on this machine? Not in a pod: its request comes from somebody else."""
