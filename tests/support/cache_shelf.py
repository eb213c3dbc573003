"""Cache sources in memory: manifests, configs and records, whole or broken."""

from dataclasses import dataclass, field, replace

from imagebuild_engine.build.cache_source import CREATED, DIFF_ID
from imagebuild_engine.core.cache import LayerResult, Record, encode_records
from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    HistoryEntry,
    ImageConfig,
    Index,
    Manifest,
    MediaType,
    Platform,
    Reference,
)
from imagebuild_engine.host.content import BlobMissing, OciLayout

NOON = "2024-01-01T12:00:00Z"
AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@dataclass
class Shelf:
    """A place in memory. `taken` are the digests that somebody asked for."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    first: Descriptor | None = None
    taken: list[str] = field(default_factory=list)
    referring: list[Descriptor] = field(default_factory=list)

    def put(self, data: bytes, media_type: str) -> Descriptor:
        self.first = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
        self.blobs[self.first.digest] = data
        return self.first

    async def top(self) -> tuple[Descriptor, bytes]:
        assert self.first is not None
        return self.first, self.blobs[self.first.digest]

    async def manifest(self, entry: Descriptor) -> bytes:
        return await self.blob(entry, 4 << 20)

    async def blob(self, entry: Descriptor, limit: int) -> bytes:
        self.taken.append(entry.digest)
        if entry.digest not in self.blobs:
            raise BlobMissing(entry.digest)
        assert entry.size <= limit
        return self.blobs[entry.digest]

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        return tuple(self.referring)

    def origin(self, top: Digest) -> Reference | OciLayout:
        return Reference.parse(f"registry.test/cache@{top}")


def layer(name: str, **annotations: str) -> Descriptor:
    digest = Digest.of(name.encode())
    return Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=digest, size=1, annotations=annotations)


def diff_id(name: str) -> Digest:
    return Digest.of(f"{name}, uncompressed".encode())


def listed(name: str, created: str = NOON) -> Descriptor:
    return layer(name, **{DIFF_ID: diff_id(name), CREATED: created})


def put_image(
    shelf: Shelf, platform: Platform, step: str, *, layers: tuple[str, ...] = ("base", "top"), cached: bool = True
) -> Descriptor:
    records = [Record(Digest.of(step.encode()), results=(LayerResult(len(layers) - 1, NOON),))]
    config = ImageConfig(
        platform=platform,
        diff_ids=tuple(diff_id(name) for name in layers),
        history=tuple(HistoryEntry(created=NOON, created_by=f"RUN {name}") for name in layers),
        inline_cache=encode_records(records) if cached else None,
    )
    described = shelf.put(config.encode(), MediaType.OCI_CONFIG)
    manifest = Manifest(config=described, layers=tuple(layer(name) for name in layers))
    return replace(shelf.put(manifest.encode(), MediaType.OCI_MANIFEST), platform=platform)


def put_index(shelf: Shelf, *entries: Descriptor) -> Descriptor:
    return shelf.put(Index(manifests=entries).encode(), MediaType.OCI_INDEX)
