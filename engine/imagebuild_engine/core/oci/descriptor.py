"""Descriptors (image spec, descriptor.md): what a piece of content is, its digest and its size."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .digest import Digest, InvalidDigest
from .platform import Platform

MAX_SIZE = 1 << 46  # 64 TiB: beyond any registry, far from overflows


class InvalidDescriptor(ValueError):
    """A registry or file handed us something that is not a descriptor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer to content. `size` is in bytes."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = ""

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Checked descriptor of untrusted JSON; raises InvalidDescriptor."""
        if not isinstance(value, dict):
            raise InvalidDescriptor("a descriptor must be an object")
        try:
            digest = Digest.parse(value.get("digest"))
        except InvalidDigest as error:
            raise InvalidDescriptor(str(error)) from error
        size = value.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
            raise InvalidDescriptor(f"descriptor of {digest}: size must be a number of bytes")
        return cls(
            media_type=_text(value, "mediaType"),
            digest=digest,
            size=size,
            annotations=string_map(value.get("annotations"), "annotations"),
            platform=_platform(value.get("platform")),
            artifact_type=_text(value, "artifactType"),
        )

    def to_json(self) -> dict[str, Any]:
        """The spec's JSON object; empty members are left out."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            value["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform:
            value["platform"] = {"architecture": self.platform.architecture, "os": self.platform.os}
            if self.platform.os_version:
                value["platform"]["os.version"] = self.platform.os_version
            if self.platform.os_features:
                value["platform"]["os.features"] = list(self.platform.os_features)
            if self.platform.variant:
                value["platform"]["variant"] = self.platform.variant
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value


def string_map(value: Any, what: str) -> dict[str, str]:
    """A checked string-to-string object; absent is empty. Raises InvalidDescriptor."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidDescriptor(f"{what} must map strings to strings")
    return dict(value)


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str):
        raise InvalidDescriptor(f"{key} must be a string")
    return text


def _platform(value: Any) -> Platform | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidDescriptor("platform must be an object")
    features = value.get("os.features", [])
    if not isinstance(features, list) or not all(isinstance(item, str) for item in features):
        raise InvalidDescriptor("platform os.features must be a list of strings")
    return Platform(
        _text(value, "os"),
        _text(value, "architecture"),
        _text(value, "variant"),
        _text(value, "os.version"),
        tuple(features),
    ).normalized()
