"""Moving an image or a cache to its registry: layers and config first, then the manifest under every name."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..core.oci import Descriptor, Digest, Manifest, Reference
from ..host.registry import PushOutcome, RegistryError
from .artifact import Artifact, image_artifact
from .failures import PushFailed
from .layers import RemoteLayer
from .store import TreeStore

_UPLOADS = 4


@dataclass(slots=True)
class Moved:
    """Compressed bytes by how they got there."""

    pushed: int = 0
    mounted: int = 0


@dataclass
class Uploads:
    """One build's blobs on their way to repositories: each goes to each of them once, whoever asks, and counts once."""

    store: TreeStore
    moved: Moved = field(default_factory=Moved)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_UPLOADS))
    _locks: dict[tuple[str, Digest], asyncio.Lock] = field(default_factory=dict)
    _done: dict[tuple[str, Digest], PushOutcome] = field(default_factory=dict)

    async def layer(
        self,
        reference: Reference,
        layer: Descriptor,
        remote: RemoteLayer | None = None,
        neighbours: Sequence[Reference] = (),
        *,
        travel: bool = True,
    ) -> PushOutcome | None:
        """The layer into the reference's repository. One that is not here has a `remote`; `neighbours` are other
        repositories that may have it. None if it would have to be pulled first and may not `travel` through us.
        Raises RegistryError, LayerLost.
        """
        key = reference.name, layer.digest
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key not in self._done:
                async with self._slots:
                    outcome = await self._send(reference, layer, remote, neighbours, travel)
                if outcome is None:
                    return None
                self._count(key, layer, outcome)
            return self._done[key]

    async def small(self, reference: Reference, blob: Descriptor, data: bytes) -> PushOutcome:
        """A blob that is no file: a config. Raises RegistryError."""
        outcome = await self.store.client.push_blob(reference, blob, data)
        self._count((reference.name, blob.digest), blob, outcome)
        return outcome

    def pushed(self, reference: Reference, blobs: Sequence[Descriptor]) -> int:
        """How many bytes of these blobs had to be sent to the repository."""
        sizes = {blob.digest: blob.size for blob in blobs}
        return sum(size for digest, size in sizes.items() if self._done.get((reference.name, digest)) == "uploaded")

    async def _send(
        self,
        reference: Reference,
        layer: Descriptor,
        remote: RemoteLayer | None,
        neighbours: Sequence[Reference],
        travel: bool,
    ) -> PushOutcome | None:
        client, blobs = self.store.client, self.store.blobs
        origin = remote.repository if remote else None
        near = [place.repository for place in (origin, *neighbours) if place and place.registry == reference.registry]
        if remote is None or blobs.has(layer.digest):
            return await client.push_blob(reference, layer, blobs.path(layer.digest), mount_from=near)
        found = await client.find_blob(reference, layer, mount_from=near)
        if found is None and travel:
            # Neither there nor next door: it has to travel through us.
            await self.store.blob(remote)
            found = await client.push_blob(reference, layer, blobs.path(layer.digest))
        return found

    def _count(self, key: tuple[str, Digest], blob: Descriptor, outcome: PushOutcome) -> None:
        self._done[key] = outcome
        if outcome == "uploaded":
            self.moved.pushed += blob.size
        elif outcome == "mounted":
            self.moved.mounted += blob.size


async def push(
    uploads: Uploads,
    references: Sequence[Reference],
    artifact: Artifact,
    remote: Mapping[str, RemoteLayer],
    neighbours: Sequence[Reference] = (),
) -> None:
    """Push under all names. `remote` tells, by digest, which layers need not be here. Raises PushFailed, LayerLost."""
    try:
        # Names of one repository share its blobs.
        for reference in one_for_each_repository(references):
            await _push_blobs(uploads, reference, artifact, remote, neighbours)
        for reference in references:
            await uploads.store.client.push_manifest(reference, artifact.manifest, artifact.media_type)
    except RegistryError as error:
        raise PushFailed(f"cannot push {reference}") from error


async def push_referrer(
    uploads: Uploads,
    subject: Reference,
    manifest: Manifest,
    config: bytes,
    small: Mapping[Digest, bytes],
    remote: Mapping[str, RemoteLayer],
    replaces: Sequence[Digest] = (),
) -> None:
    """Push what refers to the subject, beside it. `small` are layers that are no files. Raises as `push`."""
    artifact = image_artifact(manifest, config)
    try:
        await _push_blobs(uploads, subject, artifact, remote, (), small)
        await uploads.store.client.push_referrer(subject, manifest, replaces=replaces)
    except RegistryError as error:
        raise PushFailed(f"cannot push to {subject.name}") from error


async def _push_blobs(
    uploads: Uploads,
    reference: Reference,
    artifact: Artifact,
    remote: Mapping[str, RemoteLayer],
    neighbours: Sequence[Reference],
    small: Mapping[Digest, bytes] | None = None,
) -> None:
    data = small or {}
    layers = {layer.digest: layer for layer in artifact.layers}
    await asyncio.gather(
        *(
            uploads.small(reference, layer, data[digest])
            if digest in data
            else uploads.layer(reference, layer, remote.get(digest), neighbours)
            for digest, layer in layers.items()
        ),
        uploads.small(reference, artifact.config, artifact.config_bytes),
    )


def one_for_each_repository(references: Sequence[Reference]) -> list[Reference]:
    """The first name of each."""
    return list({reference.name: reference for reference in reversed(references)}.values())[::-1]
