"""Cache sources → indexes. Each is asked at the same time, has its own deadline and ends in exactly one outcome."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..contract import CacheSource, ImportOutcome
from ..core.cache import CacheIndex, ChainResult, InvalidRecords, LayerResult, decode_records
from ..core.frontend import PinnedImage
from ..core.oci import Descriptor, Digest, ImageConfig, InvalidReference, Platform, Reference
from ..host.registry import Denied, NotFound, RegistryClient, RegistryError, RegistryTimeout, Unauthorized, fetch_image
from .layers import RemoteLayer, Tree


@dataclass(slots=True, kw_only=True)
class Imported:
    """One cache source after it was asked. Sources that brought nothing have an empty index."""

    source: CacheSource
    outcome: ImportOutcome
    reason: str = ""
    digest: Digest | None = None
    index: CacheIndex = field(default_factory=lambda: CacheIndex(()))
    layers: tuple[RemoteLayer, ...] = ()
    seconds: float = 0.0
    matched: int = 0

    def tree(self, result: LayerResult | ChainResult) -> Tree:
        """The layers that a record's result stands for."""
        match result:
            case LayerResult(layer=top):
                return Tree(self.layers[: top + 1])
            case ChainResult(layers=positions):
                return Tree(tuple(self.layers[position] for position in positions))


async def import_caches(
    client: RegistryClient, sources: Sequence[CacheSource], platform: Platform, seconds: float
) -> tuple[Imported, ...]:
    """All sources in the order given. Never raises for what a source did: that is its outcome."""
    return tuple(await asyncio.gather(*(_import(client, source, platform, seconds) for source in sources)))


async def _import(client: RegistryClient, source: CacheSource, platform: Platform, seconds: float) -> Imported:
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            imported = await _ask(client, source, platform)
    except TimeoutError:
        imported = Imported(source=source, outcome="timeout", reason=f"no answer within {seconds:g} s")
    except RegistryError as error:
        imported = Imported(source=source, outcome=_outcome(error), reason=str(error)[:300])
    except ValueError as error:  # manifests, configs, digests and records that are not what they should be
        imported = Imported(source=source, outcome="invalid", reason=str(error)[:300])
    imported.seconds = time.monotonic() - started
    return imported


async def _ask(client: RegistryClient, source: CacheSource, platform: Platform) -> Imported:
    try:
        reference = Reference.parse(source.ref)
    except InvalidReference as error:
        return Imported(source=source, outcome="invalid", reason=str(error))
    image = await fetch_image(client, reference, platform)
    pinned = reference.with_digest(image.top_digest)
    if image.config.inline_cache is None:
        return Imported(
            source=source, outcome="unused", reason="the image has no cache records", digest=image.top_digest
        )
    layers = _layers(pinned, image.manifest.layers, image.config)
    try:
        records = decode_records(image.config.inline_cache, layers=len(layers))
    except InvalidRecords as error:
        return Imported(source=source, outcome="invalid", reason=str(error), digest=image.top_digest)
    return Imported(source=source, outcome="unused", digest=image.top_digest, index=CacheIndex(records), layers=layers)


def _layers(origin: Reference, descriptors: Sequence[Descriptor], config: ImageConfig) -> tuple[RemoteLayer, ...]:
    """The image's layers, lowest first, with the times that its history gives them. Raises ValueError if the config
    does not fit the manifest."""
    if len(config.diff_ids) != len(descriptors):
        raise ValueError(f"the image has {len(descriptors)} layers, but its config knows {len(config.diff_ids)}")
    created = [entry.created for entry in config.history if not entry.empty_layer]
    created += [""] * (len(descriptors) - len(created))
    return tuple(
        RemoteLayer(descriptor=descriptor, diff_id=diff_id, origin=origin, created=moment)
        for descriptor, diff_id, moment in zip(descriptors, config.diff_ids, created, strict=False)
    )


def remote_layers_of(image: PinnedImage) -> tuple[RemoteLayer, ...]:
    """The layers of a base image."""
    return _layers(image.reference, image.layers, image.config)


def _outcome(error: RegistryError) -> ImportOutcome:
    match error:
        case NotFound():
            return "not_found"
        case Unauthorized() | Denied():
            return "unauthorized"
        case RegistryTimeout():
            return "timeout"
        case _:
            return "error"
