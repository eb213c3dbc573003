"""Media types of manifests, configs and layers, OCI's and Docker's."""


class MediaType:
    """The names, and what can be told from a name alone."""

    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
    OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    OCI_LAYER_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar"
    OCI_LAYER_FOREIGN_GZIP = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    OCI_LAYER_FOREIGN_ZSTD = "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
    DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    DOCKER_LAYER_ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"
    DOCKER_LAYER_FOREIGN_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

    @staticmethod
    def is_manifest(media_type: str) -> bool:
        return media_type in (MediaType.OCI_MANIFEST, MediaType.DOCKER_MANIFEST)

    @staticmethod
    def is_index(media_type: str) -> bool:
        return media_type in (MediaType.OCI_INDEX, MediaType.DOCKER_LIST)

    @staticmethod
    def is_layer(media_type: str) -> bool:
        return media_type in _LAYERS


_LAYERS = frozenset(
    {
        MediaType.OCI_LAYER,
        MediaType.OCI_LAYER_GZIP,
        MediaType.OCI_LAYER_ZSTD,
        MediaType.OCI_LAYER_FOREIGN,
        MediaType.OCI_LAYER_FOREIGN_GZIP,
        MediaType.OCI_LAYER_FOREIGN_ZSTD,
        MediaType.DOCKER_LAYER,
        MediaType.DOCKER_LAYER_GZIP,
        MediaType.DOCKER_LAYER_ZSTD,
        MediaType.DOCKER_LAYER_FOREIGN_GZIP,
    }
)
