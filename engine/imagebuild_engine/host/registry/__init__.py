"""The distribution protocol: images pulled, checked and pushed.

`RegistryClient` is the door; what it needs to know about credentials is the `CredentialStore` protocol, which
`DockerCredentials` fulfils from docker's config. Everything that goes wrong is a `RegistryError`. The HTTP library is
imported by the first request, not by this package.
"""

from .client import RegistryClient
from .credentials import Credentials, CredentialStore, DockerCredentials
from .errors import (
    DeletionRefused,
    Denied,
    InvalidResponse,
    NotFound,
    RegistryError,
    RegistryTimeout,
    Unauthorized,
    Unavailable,
)
from .image import IMAGE_CONFIG_TYPES, FetchedImage, acceptable, choose_manifest, fetch_image, is_attestation
from .retry import RetryPolicy
from .transport import Timeouts, Transfer
from .upload import PushOutcome

__all__ = [
    "IMAGE_CONFIG_TYPES",
    "CredentialStore",
    "Credentials",
    "DeletionRefused",
    "Denied",
    "DockerCredentials",
    "FetchedImage",
    "InvalidResponse",
    "NotFound",
    "PushOutcome",
    "RegistryClient",
    "RegistryError",
    "RegistryTimeout",
    "RetryPolicy",
    "Timeouts",
    "Transfer",
    "Unauthorized",
    "Unavailable",
    "acceptable",
    "choose_manifest",
    "fetch_image",
    "is_attestation",
]
