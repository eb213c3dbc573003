"""Results by what is in them: equal names for equal layers on each other, wherever a cache has them.

Chains are never spelled out: those of a hostile cache are many and long.
"""

from collections.abc import Sequence

from ..oci import Digest
from .records import CacheResult, ChainResult, LayerResult
from .table import NO_PARENT, LayerTable


class Stacks:
    """The stacks of layers that results of one cache stand for. `blobs` are by place in the table."""

    def __init__(self, table: LayerTable, blobs: Sequence[str]) -> None:
        self._blobs = blobs
        self._depths = table.depths()
        self._names = [""] * len(table)
        for place in sorted(range(len(table)), key=lambda place: self._depths[place]):
            parent = table.parents[place]
            self._names[place] = _on(self._names[parent] if parent != NO_PARENT else "", blobs[place])

    def name(self, result: CacheResult) -> str:
        """Equal for equal stacks, in all caches."""
        match result:
            case LayerResult(layer=top):
                return self._names[top]
            case ChainResult(layers=places):
                name = ""
                for place in places:
                    name = _on(name, self._blobs[place])
                return name

    def depth(self, result: CacheResult) -> int:
        """How many layers there are."""
        return self._depths[result.layer] if isinstance(result, LayerResult) else len(result.layers)


def _on(below: str, blob: str) -> str:
    return Digest.of(f"{below} {blob}".encode())
