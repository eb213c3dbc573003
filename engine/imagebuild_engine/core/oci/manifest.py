"""Image manifests and indexes (image spec, manifest.md and image-index.md), in OCI's and in Docker's clothes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .canonical import go_json
from .descriptor import Descriptor, InvalidDescriptor, string_map
from .digest import Digest
from .media_type import MediaType

CREATED_ANNOTATION = "org.opencontainers.image.created"
"""When the thing was made, RFC 3339 (image spec, annotations.md)."""
MAX_BYTES = 4 << 20  # what registries accept for a manifest (distribution spec, "Pushing Manifests")
MAX_LAYERS = 4096
MAX_MANIFESTS = 4096


class InvalidManifest(ValueError):
    """The bytes are not a manifest or index that we can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image: its config and its layers, base layer first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = MediaType.OCI_MANIFEST
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes to push. Their digest is the image's digest."""
        value: dict[str, Any] = {"schemaVersion": 2, "mediaType": self.media_type}
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        value["config"] = self.config.to_json()
        value["layers"] = [layer.to_json() for layer in self.layers]
        if self.subject:
            value["subject"] = self.subject.to_json()
        if self.annotations:
            value["annotations"] = dict(sorted(self.annotations.items()))
        return go_json(value)

    def descriptor(self) -> Descriptor:
        data = self.encode()
        return Descriptor(media_type=self.media_type, digest=Digest.of(data), size=len(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Several manifests under one name, one for each platform."""

    manifests: tuple[Descriptor, ...]
    media_type: str = MediaType.OCI_INDEX
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        value: dict[str, Any] = {"schemaVersion": 2, "mediaType": self.media_type}
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        value["manifests"] = [manifest.to_json() for manifest in self.manifests]
        if self.subject:
            value["subject"] = self.subject.to_json()
        if self.annotations:
            value["annotations"] = dict(sorted(self.annotations.items()))
        return go_json(value)


def parse_manifest(data: bytes, media_type: str = "") -> Manifest | Index:
    """The manifest or index in untrusted bytes; raises InvalidManifest.

    `media_type` is what the registry called it; the body's own `mediaType` must agree if both are given.
    """
    if len(data) > MAX_BYTES:
        raise InvalidManifest(f"manifest of {len(data)} bytes is larger than {MAX_BYTES}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"manifest is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InvalidManifest("manifest is not a JSON object")
    if value.get("schemaVersion") != 2:
        raise InvalidManifest(f"manifest schema version {value.get('schemaVersion')!r} is not supported (only 2 is)")
    kind = _kind(value, media_type.partition(";")[0].strip())
    try:
        common: dict[str, Any] = {
            "media_type": kind,
            "subject": Descriptor.from_json(value["subject"]) if value.get("subject") else None,
            "artifact_type": _string(value, "artifactType"),
            "annotations": string_map(value.get("annotations"), "annotations"),
        }
        if MediaType.is_index(kind):
            manifests = tuple(Descriptor.from_json(item) for item in _list(value, "manifests", MAX_MANIFESTS))
            return Index(manifests=manifests, **common)
        layers = tuple(Descriptor.from_json(item) for item in _list(value, "layers", MAX_LAYERS))
        return Manifest(config=Descriptor.from_json(value.get("config")), layers=layers, **common)
    except InvalidDescriptor as error:
        raise InvalidManifest(str(error)) from error


def _kind(value: dict[str, Any], told: str) -> str:
    own = _string(value, "mediaType")
    if own and told and own != told and "json" in told and told != "application/json":
        raise InvalidManifest(f'manifest calls itself "{own}" but was delivered as "{told}"')
    kind = own or told
    if MediaType.is_manifest(kind) or MediaType.is_index(kind):
        return kind
    if not own and kind in ("", "application/json", "application/octet-stream", "text/plain"):
        return MediaType.OCI_INDEX if "manifests" in value else MediaType.OCI_MANIFEST
    raise InvalidManifest(f'manifest media type "{kind[:200]}" is not supported')


def _string(value: dict[str, Any], key: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str):
        raise InvalidManifest(f"{key} must be a string")
    return text


def _list(value: dict[str, Any], key: str, limit: int) -> list[Any]:
    items = value.get(key)
    if not isinstance(items, list):
        raise InvalidManifest(f"{key} must be a list")
    if len(items) > limit:
        raise InvalidManifest(f"{len(items)} {key} are more than {limit}")
    return items
