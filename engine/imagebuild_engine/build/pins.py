"""Mutable names → digests, before anything is solved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..core.frontend import CommitRequest, ImageRequest, NeedsPins, PinnedCommit, PinnedFile, PinnedImage, Pins
from ..host.context import GitFailed
from ..host.fetch import FetchFailed
from ..host.registry import NotFound, RegistryClient, RegistryError, Unauthorized, fetch_image
from .failures import BaseImageMissing, SourceFailed
from .remote import RemoteFiles


class Pinner:
    """What every name was when this build first asked. Each name is resolved once."""

    def __init__(self, client: RegistryClient, remote: RemoteFiles) -> None:
        self._client = client
        self._remote = remote
        self._images: dict[ImageRequest, PinnedImage] = {}
        self._files: dict[str, PinnedFile] = {}
        self._commits: dict[CommitRequest, PinnedCommit] = {}

    @property
    def pins(self) -> Pins:
        """All that is known by now."""
        return Pins(images=self._images, files=self._files, commits=self._commits)

    async def pin(self, needed: NeedsPins) -> None:
        """Resolve what is not resolved yet, side by side. Raises BaseImageMissing, RegistryError if a registry could
        not be asked, and SourceFailed."""
        async with _together() as group:
            for image in dict.fromkeys(needed.images):
                if image not in self._images:
                    group.create_task(self._pin_image(image))
            for url in dict.fromkeys(needed.files):
                if url not in self._files:
                    group.create_task(self._pin_file(url))
            for commit in dict.fromkeys(needed.commits):
                if commit not in self._commits:
                    group.create_task(self._pin_commit(commit))

    async def _pin_image(self, request: ImageRequest) -> None:
        self._images[request] = await self._fetch(request)

    async def _pin_file(self, url: str) -> None:
        try:
            file = await self._remote.file(url)
        except FetchFailed as error:
            raise SourceFailed(url, error) from error
        self._files[url] = PinnedFile(checksum=file.checksum, last_modified=file.last_modified)

    async def _pin_commit(self, request: CommitRequest) -> None:
        try:
            found = await self._remote.resolve(request.remote, request.ref)
        except GitFailed as error:
            raise SourceFailed(request.remote, error) from error
        self._commits[request] = PinnedCommit(commit=found.commit, ref=found.ref, tag=found.tag)

    async def _fetch(self, request: ImageRequest) -> PinnedImage:
        try:
            image = await fetch_image(self._client, request.reference, request.platform)
        except (NotFound, Unauthorized) as error:
            raise BaseImageMissing(f"base image {request.reference}: {error}") from error
        except RegistryError:
            raise
        except ValueError as error:
            raise BaseImageMissing(f"base image {request.reference}: {error}") from error
        return PinnedImage(
            reference=request.reference.with_digest(image.top_digest),
            digest=image.top_digest,
            platform=image.config.platform,
            config=image.config,
            layers=image.manifest.layers,
        )


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks of which the first that fails ends the others, and whose error is the first one's."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        first = failed.exceptions[0]
        raise first from first.__cause__
