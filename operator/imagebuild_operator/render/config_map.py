"""The ConfigMap that carries the build request into the pod."""

from typing import Any

from imagebuild_engine.contract import BuildRequest, encode_request

from ..resource import GROUP, KIND, VERSION, Identity, attempt_labels, attempt_name


def owner_reference(identity: Identity) -> dict[str, Any]:
    """Deleting the ImageBuild deletes the rest, without a finalizer of ours.

    `blockOwnerDeletion` stays false: true would need the right to update finalizers on some clusters.
    """
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "name": identity.name,
        "uid": identity.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def request_config_map(identity: Identity, revision: int, attempt: int, request: BuildRequest) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": attempt_name(identity.name, revision, attempt),
            "namespace": identity.namespace,
            "labels": attempt_labels(identity, revision, attempt),
            "ownerReferences": [owner_reference(identity)],
        },
        "data": {"request.json": encode_request(request).decode()},
    }
