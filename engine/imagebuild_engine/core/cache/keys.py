"""The key algebra (BuildKit's solver/cachemanager.go, cachekey.go): digests of digests.

Every key is a digest of a short text: of an op's digest and an output, of a content digest and the number -1, of the
paths that an op selects in an input.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..oci import Digest

CONTENT_OUTPUT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How one range of BuildKit's versions writes a step: its digests, and of each input the selector ("" for all)."""

    digests: tuple[Digest, ...]
    selectors: tuple[str, ...] = ()


def root_key(op_digest: Digest, output: int) -> Digest:
    """The record digest of an op's output, found by definition."""
    return Digest.of(f"{op_digest}@{output}".encode())


def content_key(content_digest: Digest) -> Digest:
    """The record digest of what an op read of an input, found by content. Such a record has no inputs."""
    return root_key(content_digest, CONTENT_OUTPUT)


def selector_of(paths: Sequence[str]) -> Digest:
    """The selector of a link: which paths of the input matter, in the order given."""
    return Digest.of("\0".join(paths).encode("utf-8", "surrogateescape"))
