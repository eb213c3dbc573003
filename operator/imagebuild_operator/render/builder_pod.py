"""The builder pod of an attempt: a bare pod, no API token, files in and a termination message out."""

import math
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from imagebuild_engine.contract import layout

from ..resource import ANNOTATION_BUILD_HASH, Identity, Profile, Spec, attempt_labels, attempt_name, build_hash
from .config_map import owner_reference
from .security import SecurityOptions, security_of

_GRACE = 120
"""Seconds past the build's own timeout: the builder ends itself with a better message than the kubelet's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderOptions:
    """What the administrator says about all builder pods."""

    image: str
    image_pull_policy: str = "IfNotPresent"
    default_profile: Profile = Profile.BASELINE
    state_size_limit: str = "10Gi"
    security: SecurityOptions = field(default_factory=SecurityOptions)


def builder_pod(identity: Identity, spec: Spec, revision: int, attempt: int, options: BuilderOptions) -> dict[str, Any]:
    name = attempt_name(identity.name, revision, attempt)
    security = security_of(spec.pod.security_profile or options.default_profile, options.security)
    volumes, mounts = _volumes(name, spec, options)
    container: dict[str, Any] = {
        "name": "builder",
        "image": options.image,
        "imagePullPolicy": options.image_pull_policy,
        "command": ["imagebuild", "build", "--request", layout.REQUEST_FILE, "--progress", "plain"],
        "env": [{"name": "DOCKER_CONFIG", "value": layout.DOCKER_CONFIG_DIRECTORY}]
        if spec.output.push_secret_ref
        else [],
        "volumeMounts": mounts,
        "terminationMessagePath": layout.TERMINATION_MESSAGE_FILE,
        "terminationMessagePolicy": "File",
        "securityContext": security.container_context,
    }
    if resources := _resources(spec):
        container["resources"] = resources
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": math.ceil(spec.timeout_seconds) + _GRACE,
        **security.pod,
        "securityContext": security.pod_context,
        "containers": [container],
        "volumes": volumes,
    }
    if spec.pod.node_selector:
        pod["nodeSelector"] = dict(spec.pod.node_selector)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": identity.namespace,
            "labels": attempt_labels(identity, revision, attempt),
            # Says for which state of the spec this pod builds: it is adopted after a restart only if that still holds.
            "annotations": {ANNOTATION_BUILD_HASH: build_hash(spec)},
            "ownerReferences": [owner_reference(identity)],
        },
        "spec": pod,
    }


def _volumes(name: str, spec: Spec, options: BuilderOptions) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    volumes: list[dict[str, Any]] = [
        {"name": "state", "emptyDir": {"sizeLimit": options.state_size_limit}},
        {"name": "request", "configMap": {"name": name}},
    ]
    mounts: list[dict[str, Any]] = [
        {"name": "state", "mountPath": layout.STATE_DIRECTORY},
        {"name": "request", "mountPath": str(PurePosixPath(layout.REQUEST_FILE).parent), "readOnly": True},
    ]
    if spec.source.config_map is not None:
        volumes.append({"name": "context", "configMap": {"name": spec.source.config_map.name}})
        mounts.append({"name": "context", "mountPath": layout.CONTEXT_DIRECTORY, "readOnly": True})
    if secret := spec.output.push_secret_ref:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        volumes.append({"name": "docker", "secret": {"secretName": secret.name, "items": items}})
        mounts.append({"name": "docker", "mountPath": layout.DOCKER_CONFIG_DIRECTORY, "readOnly": True})
    return volumes, mounts


def _resources(spec: Spec) -> dict[str, Any]:
    asked = {"requests": dict(spec.pod.resources.requests), "limits": dict(spec.pod.resources.limits)}
    return {kind: amounts for kind, amounts in asked.items() if amounts}
