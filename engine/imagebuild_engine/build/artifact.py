"""What a registry or a layout takes: blobs, and the manifest that lists them. An image, or a cache in either shape."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.cache import CONFIG_MEDIA_TYPE
from ..core.oci import Descriptor, Digest, Index, Manifest, MediaType

_DOCKER_NAMES = {
    MediaType.OCI_LAYER: MediaType.DOCKER_LAYER,
    MediaType.OCI_LAYER_GZIP: MediaType.DOCKER_LAYER_GZIP,
    MediaType.OCI_LAYER_ZSTD: MediaType.DOCKER_LAYER_ZSTD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """The bytes of a manifest or index and of its config; of the layers their descriptors."""

    manifest: bytes
    media_type: str
    config: Descriptor
    config_bytes: bytes
    layers: tuple[Descriptor, ...]

    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=self.media_type, digest=Digest.of(self.manifest), size=len(self.manifest))


def image_artifact(manifest: Manifest, config: bytes) -> Artifact:
    return Artifact(
        manifest=manifest.encode(),
        media_type=manifest.media_type,
        config=manifest.config,
        config_bytes=config,
        layers=manifest.layers,
    )


def cache_artifact(
    config: bytes, layers: Sequence[Descriptor], *, image_manifest: bool, oci_media_types: bool
) -> Artifact:
    """A cacheconfig with its layers, as a manifest or as an index (remotecache/export.go, ExportableCache).

    An index lists the layers and then the config, as if they were manifests. Only an index may have Docker's types.
    """
    described = Descriptor(media_type=CONFIG_MEDIA_TYPE, digest=Digest.of(config), size=len(config))
    if image_manifest:
        return image_artifact(Manifest(config=described, layers=tuple(layers)), config)
    if not oci_media_types:
        layers = [_docker_layer(layer) for layer in layers]
    kind = MediaType.OCI_INDEX if oci_media_types else MediaType.DOCKER_LIST
    index = Index(manifests=(*layers, described), media_type=kind)
    return Artifact(
        manifest=index.encode(), media_type=kind, config=described, config_bytes=config, layers=tuple(layers)
    )


def _docker_layer(layer: Descriptor) -> Descriptor:
    return Descriptor(
        media_type=_DOCKER_NAMES.get(layer.media_type, layer.media_type),
        digest=layer.digest,
        size=layer.size,
        annotations=layer.annotations,
    )
