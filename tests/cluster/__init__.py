"""The disposable cluster: a real Kubernetes on this machine, up and down with one command (README.md beside this file).

    from tests.cluster import ready

    access = ready()          # up if it is not, or the user's own cluster if IMAGEBUILD_USE_CLUSTER=1
    access.kubeconfig, access.registry, access.environment()

Only the standard library is used, so that it runs before the virtual environment exists. `tools` builds Go programs
and is imported by itself (`from tests.cluster import tools`); `ready` loads the rest when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cluster.access import Access


def ready(state: Path | None = None, *, nodes: int = 1) -> Access:
    """A running cluster: the user's if asked for, else the disposable one of this state folder, up if it is not yet."""
    import os

    from tests.cluster import access, lifecycle, plan

    if state is None and access.wants_foreign(os.environ):
        return access.to_foreign(os.environ)
    return access.to_disposable(lifecycle.up(state or plan.default_state(), node_count=nodes))


__all__ = ["ready"]
