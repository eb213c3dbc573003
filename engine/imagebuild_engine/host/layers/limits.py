"""How large a layer may be. Cache images and bases come from strangers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    total_bytes: int = 256 << 30
    """Of the uncompressed tar."""
    entries: int = 10_000_000
    path_bytes: int = 1 << 16
    depth: int = 4096
    """Directories in a path. No tool that uses paths in one piece can reach half of that."""
    header_bytes: int = 1 << 20
    """Of one entry's pax or GNU extension headers."""
    ratio: int = 1_100
    """Uncompressed to compressed. Gzip cannot do more than 1,032; zstd can, and nothing honest needs it."""
    ratio_from: int = 256 << 20
    """Below this many uncompressed bytes the ratio does not matter."""
