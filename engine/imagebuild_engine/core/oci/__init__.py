"""The image spec's nouns: digest, reference, platform, descriptor, manifest, index, image config.

Values only. Each is parsed once, at the border, and is valid from then on. Everything that comes from a registry is
hostile until it has passed one of the parsers here.
"""

from .canonical import go_json
from .config import GoTime, Healthcheck, HistoryEntry, ImageConfig, InvalidImageConfig, RunConfig
from .descriptor import Descriptor, InvalidDescriptor
from .digest import Digest, InvalidDigest
from .manifest import CREATED_ANNOTATION, Index, InvalidManifest, Manifest, parse_manifest
from .media_type import MediaType
from .platform import InvalidPlatform, Platform
from .reference import DEFAULT_REGISTRY, InvalidReference, Reference

__all__ = [
    "CREATED_ANNOTATION",
    "DEFAULT_REGISTRY",
    "Descriptor",
    "Digest",
    "GoTime",
    "Healthcheck",
    "HistoryEntry",
    "ImageConfig",
    "Index",
    "InvalidDescriptor",
    "InvalidDigest",
    "InvalidImageConfig",
    "InvalidManifest",
    "InvalidPlatform",
    "InvalidReference",
    "Manifest",
    "MediaType",
    "Platform",
    "Reference",
    "RunConfig",
    "go_json",
    "parse_manifest",
]
