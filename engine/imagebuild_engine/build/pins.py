"""Mutable names → digests, before anything is solved."""

import asyncio
from collections.abc import Iterable

from ..core.frontend import PinnedImage
from ..core.oci import Platform, Reference
from ..host.registry import NotFound, RegistryClient, RegistryError, Unauthorized, fetch_image
from .failures import BaseImageMissing


class Pins:
    """What every name was when this build first asked. Each name is resolved once."""

    def __init__(self, client: RegistryClient, platform: Platform) -> None:
        self._client = client
        self._platform = platform
        self.images: dict[Reference, PinnedImage] = {}

    async def pin(self, references: Iterable[Reference]) -> None:
        """Resolve what is not resolved yet, side by side. Raises BaseImageMissing, or RegistryError if the registry
        could not be asked."""
        missing = [reference for reference in dict.fromkeys(references) if reference not in self.images]
        found = await asyncio.gather(*(self._fetch(reference) for reference in missing))
        self.images.update(zip(missing, found, strict=True))

    async def _fetch(self, reference: Reference) -> PinnedImage:
        try:
            image = await fetch_image(self._client, reference, self._platform)
        except (NotFound, Unauthorized) as error:
            raise BaseImageMissing(f"base image {reference}: {error}") from error
        except RegistryError:
            raise
        except ValueError as error:
            raise BaseImageMissing(f"base image {reference}: {error}") from error
        return PinnedImage(
            reference=reference.with_digest(image.top_digest),
            digest=image.top_digest,
            platform=image.config.platform,
            config=image.config,
            layers=image.manifest.layers,
        )
