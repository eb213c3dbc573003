"""An image as a directory (image spec, image-layout.md)."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from ..core.oci import Digest, Manifest
from .layers import RemoteLayer
from .store import TreeStore


async def write_layout(
    directory: Path, store: TreeStore, manifest: Manifest, config: bytes, remote: Sequence[RemoteLayer], tag: str
) -> None:
    """Writes blobs, `oci-layout` and `index.json`. Layers that nobody pulled are pulled now."""
    await asyncio.gather(*(store.blob(layer) for layer in remote))
    await asyncio.to_thread(_write, directory, store, manifest, config, tag)


def _write(directory: Path, store: TreeStore, manifest: Manifest, config: bytes, tag: str) -> None:
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    for layer in manifest.layers:
        target = blobs / layer.digest.hex
        if not target.exists():
            shutil.copyfile(store.blobs.path(layer.digest), target)
    data = manifest.encode()
    (blobs / manifest.config.digest.hex).write_bytes(config)
    (blobs / Digest.of(data).hex).write_bytes(data)
    described = manifest.descriptor().to_json() | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (directory / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
