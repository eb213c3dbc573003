"""Names and labels. A pod's name follows from the attempt alone, so that making it twice makes it once."""

import hashlib
from dataclasses import dataclass, field

GROUP = "imagebuild.dev"
VERSION = "v1alpha1"
PLURAL = "imagebuilds"
KIND = "ImageBuild"

LABEL_NAME = f"{GROUP}/name"
LABEL_UID = f"{GROUP}/uid"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_ATTEMPT = f"{GROUP}/attempt"
ANNOTATION_BUILD_HASH = f"{GROUP}/build-hash"

_LIMIT = 63
"""Of a label's value and of a host name, which the pod's name becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which ImageBuild: what owner references and rendered objects need of its metadata."""

    namespace: str
    name: str
    uid: str
    generation: int = 1
    labels: dict[str, str] = field(default_factory=dict)


def attempt_name(name: str, revision: int, attempt: int) -> str:
    """The name of an attempt's pod and ConfigMap: `<name>-<revision>-<attempt>`, at most 63 characters."""
    tail = f"-{revision}-{attempt}"
    return _shortened(name, _LIMIT - len(tail)) + tail


def attempt_labels(identity: Identity, revision: int, attempt: int) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": "imagebuild",
        "app.kubernetes.io/component": "builder",
        LABEL_NAME: _shortened(identity.name, _LIMIT),
        LABEL_UID: identity.uid,
        LABEL_REVISION: str(revision),
        LABEL_ATTEMPT: str(attempt),
    }


def _shortened(name: str, limit: int) -> str:
    """The name, or where it is too long or has dots (no host name may), its beginning and a hash of the whole."""
    if len(name) <= limit and "." not in name:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].replace('.', '-').rstrip('-')}-{digest}"
