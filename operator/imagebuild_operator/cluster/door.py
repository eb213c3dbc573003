"""What the operator asks of a cluster, and how a cluster can say no."""

from typing import Any, Protocol

Object = dict[str, Any]
"""A Kubernetes object as JSON, just as the API server sends it."""


class ClusterError(Exception):
    """A request failed. `code` is the HTTP status, 0 where there was no answer."""

    def __init__(self, message: str, code: int = 0) -> None:
        self.code = code
        super().__init__(message)


class NotFound(ClusterError):
    """The object is not there (any more)."""


class Conflict(ClusterError):
    """Somebody wrote in between: read again, decide again."""


class NameTaken(ClusterError):
    """An object of that name exists and belongs to somebody else."""


class Refused(ClusterError):
    """The API server understood and said no (403, 422): a quota, Pod Security, an invalid object."""


class Unavailable(ClusterError):
    """No answer, or one that another try may better (429, 5xx)."""


class Cluster(Protocol):
    """The objects that a reconcile reads and writes. Everything raises ClusterError and is safe to repeat.

    A story: `get_image_build`, `list_builder_pods`, a decision, `put_status` with the resource version that was read
    (Conflict if it moved), `ensure` the ConfigMap and the pod (no error if they are there and ours), `tell` an event.
    """

    async def get_image_build(self, namespace: str, name: str) -> Object:
        """Raises NotFound."""
        ...

    async def list_image_builds(self, namespace: str | None) -> list[Object]:
        """Those of one namespace, or of all that the operator serves."""
        ...

    async def list_builder_pods(self, namespace: str, uid: str) -> list[Object]:
        """The builder pods that carry the ImageBuild's uid as their label."""
        ...

    async def put_status(self, namespace: str, name: str, resource_version: str, status: Object) -> None:
        """Replace the status whole. Raises Conflict if the object is not at `resource_version` any more."""
        ...

    async def ensure(self, manifest: Object) -> None:
        """Create a ConfigMap or Pod; one of that name, owner and build hash counts as created. Else NameTaken."""
        ...

    async def delete(self, kind: str, namespace: str, name: str, owner_uid: str) -> None:
        """Delete a ConfigMap or Pod if it is there and `owner_uid` owns it."""
        ...

    async def tell(self, event: Object) -> None:
        """Create an event; one of that name counts as told."""
        ...
