"""The ImageBuilds that this operator serves."""

import logging
from collections.abc import Sequence
from typing import Any

from ..cluster import Cluster, NotFound, Refused

_log = logging.getLogger(__name__)


async def list_served(cluster: Cluster, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """Those of the namespaces, or of all where none is named. Raises ClusterError.

    A named namespace that is gone, or that takes back the operator's rights, has none: the others must not suffer.
    """
    if not namespaces:
        return await cluster.list_image_builds(None)
    found: list[dict[str, Any]] = []
    for namespace in namespaces:
        try:
            found += await cluster.list_image_builds(namespace)
        except (NotFound, Refused) as error:
            _log.warning("namespace %s is not served: %s", namespace, error)
    return found
