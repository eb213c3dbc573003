"""kopf watches the cluster; what it sees only nudges the queue.

Only `on.event` handlers: kopf adds finalizers and annotations for the other kinds (create, update, delete, timers,
daemons), and an ImageBuild must carry none of ours.
"""

from collections.abc import Callable
from typing import Any

import kopf

from ..cluster import log_in_from_pod
from ..resource import GROUP, KIND, PLURAL, VERSION

Nudge = Callable[[str, str], None]


def registry_of(nudge: Nudge, seen: Callable[[], None] = lambda: None) -> kopf.OperatorRegistry:
    """Handlers for ImageBuilds and for builder pods; `seen` is told of every event."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def log_in(**kwargs: Any) -> Any:
        return log_in_from_pod() or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry)
    async def image_build_changed(*, namespace: str | None, name: str, **_: Any) -> None:
        seen()
        nudge(namespace or "", name)

    @kopf.on.event("", "v1", "pods", labels={"app.kubernetes.io/managed-by": "imagebuild"}, registry=registry)
    async def builder_pod_changed(*, namespace: str | None, meta: kopf.Meta, **_: Any) -> None:
        seen()
        for owner in meta.get("ownerReferences") or ():
            if owner.get("kind") == KIND and str(owner.get("apiVersion", "")).startswith(f"{GROUP}/"):
                nudge(namespace or "", owner["name"])

    return registry


def settle(settings: kopf.OperatorSettings) -> kopf.OperatorSettings:
    """kopf without its own bookkeeping, and with watches that cannot hang unnoticed."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.watching.server_timeout = 240
    settings.watching.client_timeout = 300
    settings.watching.connect_timeout = 20
    settings.watching.reconnect_backoff = 1.0
    return settings
