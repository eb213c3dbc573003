"""Keys of sources: an image, a file from the web, a commit. (A local directory has none: only its content counts.)"""

from typing import Any

from ...oci import Digest, Platform, go_json
from ..ops import GitSource, HttpSource, ImageSource


def image_texts(op: ImageSource) -> tuple[bytes, ...]:
    """By manifest and platform, and by the chain of its layers (source/containerimage/pull.go)."""
    by_manifest = Digest.of(go_json({"Digest": op.digest} | platform_members(op.platform)))
    by_chain = chain_id(op.diff_ids) or by_manifest
    return tuple(_source(key) for key in dict.fromkeys((by_manifest, by_chain)))


def http_text(op: HttpSource) -> bytes:
    """By the file's name, bytes and time; its address is no part (source/http/source.go, formatCacheKey)."""
    members: dict[str, Any] = {"Filename": op.filename, "Perm": 0, "UID": 0, "GID": 0, "Checksum": op.checksum}
    if op.last_modified:
        members["LastModTime"] = op.last_modified
    return _source(Digest.of(go_json(members)))


def git_text(op: GitSource) -> bytes:
    """By the commit; by the ref only where `.git` is kept, for it is in there (source/git/source.go, shaToCacheKey)."""
    key = op.commit
    if op.keep_git_dir:
        key += ".git" + (f"#{op.ref}" if op.ref else "")
    if op.subdir:
        key += f":{op.subdir}"
    if not op.submodules:
        key += "(skip-submodules)"
    return _source(key)


def chain_id(diff_ids: tuple[Digest, ...]) -> Digest | None:
    """The image spec's ChainID (config.md); None without layers."""
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    return chain


def platform_members(platform: Platform) -> dict[str, Any]:
    """A platform as the keys of images and RUNs have it: normalised, and without what is empty."""
    platform = platform.normalized()
    value: dict[str, Any] = {"OS": platform.os, "Arch": platform.architecture}
    if platform.variant:
        value["Variant"] = platform.variant
    if platform.os_version:
        value["OSVersion"] = platform.os_version
    if platform.os_features:
        value["OSFeatures"] = list(platform.os_features)
    return value


def _source(key: str) -> bytes:
    return f"buildkit.source.v0:{key}".encode()
