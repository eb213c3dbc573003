"""Where a cache source is: a repository, or a directory. What comes from there is verified by digest, not believed."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..contract import CacheSource
from ..core.oci import Descriptor, Digest, Reference, parse_manifest
from ..core.oci.manifest import MAX_BYTES as MANIFEST_BYTES
from ..host.content import OciLayout
from ..host.registry import RegistryClient


class Place(Protocol):
    """Where manifests and blobs come from: a repository, or a directory."""

    async def top(self) -> tuple[Descriptor, bytes]:
        """What the source's name stands for now."""
        ...

    async def manifest(self, entry: Descriptor) -> bytes:
        """A manifest or index that an index lists, verified."""
        ...

    async def blob(self, entry: Descriptor, limit: int) -> bytes:
        """A small blob, verified."""
        ...

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        """What is said to have that manifest as its subject."""
        ...

    def origin(self, top: Digest) -> Reference | OciLayout:
        """What the layers found below `top` name as their origin."""
        ...


@dataclass(frozen=True, slots=True)
class RegistryPlace:
    """A repository. Raises RegistryError."""

    client: RegistryClient
    reference: Reference

    async def top(self) -> tuple[Descriptor, bytes]:
        return await self.client.manifest(self.reference)

    async def manifest(self, entry: Descriptor) -> bytes:
        return (await self.client.manifest(self.reference.with_digest(entry.digest)))[1]

    async def blob(self, entry: Descriptor, limit: int) -> bytes:
        return await self.client.blob(self.reference, entry, limit)

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        return await self.client.referrers(self.reference.with_digest(subject), artifact_type)

    def origin(self, top: Digest) -> Reference | OciLayout:
        return self.reference.with_digest(top)


@dataclass(frozen=True, slots=True)
class LayoutPlace:
    """A directory. Raises ContentError, OSError."""

    layout: OciLayout
    tag: str = ""
    digest: Digest | None = None

    async def top(self) -> tuple[Descriptor, bytes]:
        return await asyncio.to_thread(self._top)

    def _top(self) -> tuple[Descriptor, bytes]:
        digest = self.digest or self.layout.find(self.tag).digest
        data = self.layout.read(digest, MANIFEST_BYTES)
        return Descriptor(media_type=parse_manifest(data).media_type, digest=digest, size=len(data)), data

    async def manifest(self, entry: Descriptor) -> bytes:
        return await asyncio.to_thread(self.layout.read, entry.digest, MANIFEST_BYTES)

    async def blob(self, entry: Descriptor, limit: int) -> bytes:
        return await asyncio.to_thread(self.layout.read, entry.digest, limit)

    async def referrers(self, subject: Digest, artifact_type: str) -> tuple[Descriptor, ...]:
        return ()  # our layouts have none

    def origin(self, top: Digest) -> Reference | OciLayout:
        return self.layout


def place_of(client: RegistryClient, source: CacheSource) -> Place:
    """Where the source is. Raises ValueError (InvalidReference, InvalidDigest)."""
    if source.type == "registry":
        return RegistryPlace(client, Reference.parse(source.ref))
    digest = Digest.parse(source.digest) if source.digest else None
    return LayoutPlace(OciLayout(Path(source.ref)), source.tag, digest)
