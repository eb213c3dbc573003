"""Mutable names → digests, before anything is solved."""

import asyncio
from collections.abc import Iterable

from ..core.frontend import ImageRequest, NeedsPins, PinnedImage, Pins
from ..host.registry import NotFound, RegistryClient, RegistryError, Unauthorized, fetch_image
from .failures import BaseImageMissing


class Pinner:
    """What every name was when this build first asked. Each name is resolved once."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client
        self._images: dict[ImageRequest, PinnedImage] = {}

    @property
    def pins(self) -> Pins:
        """All that is known by now."""
        return Pins(images=self._images)

    async def pin(self, needed: NeedsPins) -> None:
        """Resolve what is not resolved yet, side by side. Raises BaseImageMissing, or RegistryError if the registry
        could not be asked."""
        await self._pin_images(needed.images)

    async def _pin_images(self, requests: Iterable[ImageRequest]) -> None:
        missing = [request for request in dict.fromkeys(requests) if request not in self._images]
        found = await asyncio.gather(*(self._fetch(request) for request in missing))
        self._images.update(zip(missing, found, strict=True))

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
