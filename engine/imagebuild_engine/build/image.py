"""A finished tree as an image: config, history and manifest. Pure; `export.py` does the moving of bytes."""

from collections.abc import Sequence
from dataclasses import replace

from ..core.oci import Descriptor, Digest, HistoryEntry, ImageConfig, Manifest, MediaType

EXPORTER_COMMENT = "buildkit.exporter.image.v0"


def dated_history(
    history: Sequence[HistoryEntry], layer_times: Sequence[str], fallback: str
) -> tuple[HistoryEntry, ...]:
    """The history with every entry's time, and with exactly one non-empty entry per layer.

    An entry without a layer takes the time of the layer before it (of the first one, at the start). Where the history
    promises more layers than there are (an engine that drops empty layers made them), the extra entries become empty;
    where it promises fewer, entries are added, as BuildKit's exporter does (writer.go, normalizeLayersAndHistory).
    """
    entries: list[HistoryEntry] = []
    used = 0
    for entry in history:
        if entry.empty_layer or used >= len(layer_times):
            before = layer_times[used - 1] if used else (layer_times[0] if layer_times else fallback)
            entries.append(replace(entry, empty_layer=True, created=entry.created or before))
        else:
            entries.append(replace(entry, created=entry.created or layer_times[used] or fallback))
            used += 1
    entries += [HistoryEntry(created=moment or fallback, comment=EXPORTER_COMMENT) for moment in layer_times[used:]]
    return tuple(entries)


def image_manifest(config: ImageConfig, layers: Sequence[Descriptor]) -> tuple[bytes, Manifest]:
    """The config's bytes and the manifest. Layers keep their media types; Docker's become OCI's, as one image has
    one kind.
    """
    data = config.encode()
    described = Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(data), size=len(data))
    return data, Manifest(config=described, layers=tuple(oci_layer(layer) for layer in layers))


_OCI_NAMES = {
    MediaType.DOCKER_LAYER: MediaType.OCI_LAYER,
    MediaType.DOCKER_LAYER_GZIP: MediaType.OCI_LAYER_GZIP,
    MediaType.DOCKER_LAYER_ZSTD: MediaType.OCI_LAYER_ZSTD,
}


def oci_layer(layer: Descriptor) -> Descriptor:
    """The layer without the annotations that it had elsewhere; its media type OCI's."""
    return Descriptor(
        media_type=_OCI_NAMES.get(layer.media_type, layer.media_type), digest=layer.digest, size=layer.size
    )
