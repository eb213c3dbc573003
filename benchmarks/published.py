"""What a builder has pushed, read back from the registry: the benchmark believes nobody's own word."""

import hashlib
import json
from dataclasses import dataclass

from tests.cluster.layout import MANIFEST, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A pushed image. `inline_cache`: its config carries cache records."""

    digest: str
    layers: tuple[str, ...]
    inline_cache: bool


def published(repository: str, tag: str) -> Published:
    """The image `HOST/NAME:TAG`. Raises AssertionError if it is not there or not an OCI image."""
    host, _, name = repository.partition("/")
    registry = Registry(address=host)
    status, _, data = registry.request("GET", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
    assert status == 200, f"{repository}:{tag}: {status}"
    manifest = json.loads(data)
    status, _, config = registry.request("GET", f"/v2/{name}/blobs/{manifest['config']['digest']}")
    assert status == 200, f"{repository}:{tag}: its config: {status}"
    return Published(
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        layers=tuple(layer["digest"] for layer in manifest["layers"]),
        inline_cache="moby.buildkit.cache.v0" in json.loads(config),
    )
