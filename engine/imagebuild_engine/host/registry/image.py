"""From a reference to an image for one platform: manifest and config, no layer."""

from dataclasses import dataclass, replace

from ...core.oci import (
    Descriptor,
    Digest,
    ImageConfig,
    Index,
    InvalidImageConfig,
    InvalidManifest,
    Manifest,
    MediaType,
    Platform,
    Reference,
    parse_manifest,
)
from ...core.oci.config import MAX_BYTES as CONFIG_BYTES
from .client import RegistryClient
from .errors import InvalidResponse, NotFound

MAX_NESTING = 3
"""Indexes in indexes; nobody needs more than one in another."""

_ATTESTATION = "vnd.docker.reference.type"
IMAGE_CONFIG_TYPES = frozenset({MediaType.OCI_CONFIG, MediaType.DOCKER_CONFIG})
_ARM = ("v8", "v7", "v6", "v5")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedImage:
    """An image's description. `reference` is pinned to `top_digest`, which may be an index's."""

    reference: Reference
    top_digest: Digest
    manifest_descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    config_bytes: bytes


async def fetch_image(client: RegistryClient, ref: Reference, platform: Platform) -> FetchedImage:
    """The image for the platform. Raises NotFound if the reference or the platform is missing, InvalidResponse if what
    is there is no image.

    An image without an index is taken as it is; its config says which platform it is for.
    """
    top, data = await client.manifest(ref)
    pinned = ref.with_digest(top.digest)
    descriptor, parsed = top, _parse(ref, data, top)
    for _ in range(MAX_NESTING):
        if isinstance(parsed, Manifest):
            break
        chosen = choose_manifest(parsed, platform)
        if chosen is None:
            raise NotFound(ref.registry, f"{ref} has no image for {platform} ({_offered(parsed)})")
        descriptor, data = await client.manifest(ref.with_digest(chosen.digest))
        if descriptor.size != chosen.size:
            raise InvalidResponse(
                ref.registry, f"manifest {chosen.digest} has {descriptor.size} bytes, its index says {chosen.size}"
            )
        descriptor = replace(chosen, media_type=descriptor.media_type)
        parsed = _parse(ref, data, descriptor)
    if not isinstance(parsed, Manifest):
        raise InvalidResponse(ref.registry, f"{ref} has more than {MAX_NESTING} indexes in each other")
    if parsed.config.media_type not in IMAGE_CONFIG_TYPES:
        raise InvalidResponse(ref.registry, f'{ref} is no image (its config is "{parsed.config.media_type[:100]}")')
    config_bytes = await client.blob(pinned, parsed.config, CONFIG_BYTES)
    try:
        config = ImageConfig.parse(config_bytes)
    except InvalidImageConfig as error:
        raise InvalidResponse(ref.registry, f"{ref}: {error}") from error
    if len(config.diff_ids) != len(parsed.layers):
        raise InvalidResponse(
            ref.registry, f"{ref} has {len(parsed.layers)} layers, its config describes {len(config.diff_ids)}"
        )
    return FetchedImage(
        reference=pinned,
        top_digest=top.digest,
        manifest_descriptor=descriptor,
        manifest=parsed,
        config=config,
        config_bytes=config_bytes,
    )


def choose_manifest(index: Index, platform: Platform) -> Descriptor | None:
    """The entry that serves the platform best: its own variant first, then what the processor runs besides.

    Attestations are no images. Where a single entry says nothing about its platform, it is the one.
    """
    images = [entry for entry in index.manifests if not is_attestation(entry)]
    for served in acceptable(platform.normalized()):
        for entry in images:
            if entry.platform and _serves(entry.platform, served):
                return entry
    silent = [entry for entry in images if entry.platform is None]
    return silent[0] if len(silent) == 1 else None


def is_attestation(entry: Descriptor) -> bool:
    """Does the entry of an index tell about another one? Then it is no image."""
    unknown = entry.platform is not None and "unknown" in (entry.platform.os, entry.platform.architecture)
    return unknown or _ATTESTATION in entry.annotations


def acceptable(platform: Platform) -> list[Platform]:
    """What runs on the platform, best first (containerd's rules): older variants, and arm on arm64."""
    found = [platform]
    match platform.architecture, platform.variant:
        case "arm", variant if variant in _ARM:
            found += [replace(platform, variant=older) for older in _ARM[_ARM.index(variant) + 1 :]]
        case "arm64", "":
            found += [replace(platform, architecture="arm", variant=older) for older in _ARM]
        case "amd64", "v4" | "v3" | "v2" as variant:
            found += [replace(platform, variant=f"v{older}") for older in range(int(variant[1:]) - 1, 1, -1)]
            found.append(replace(platform, variant=""))
    return found


def _serves(offered: Platform, wanted: Platform) -> bool:
    offered = offered.normalized()
    if (offered.os, offered.architecture, offered.variant) != (wanted.os, wanted.architecture, wanted.variant):
        return False
    return not wanted.os_version or offered.os_version == wanted.os_version


def _offered(index: Index) -> str:
    names = sorted({str(entry.platform) for entry in index.manifests if entry.platform and not is_attestation(entry)})
    return f"it has {', '.join(names[:10])}" if names else "it names no platform"


def _parse(ref: Reference, data: bytes, descriptor: Descriptor) -> Manifest | Index:
    try:
        return parse_manifest(data, descriptor.media_type)
    except InvalidManifest as error:
        raise InvalidResponse(ref.registry, f"manifest {descriptor.digest} of {ref}: {error}") from error
