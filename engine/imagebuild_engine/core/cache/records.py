"""Cache records (cache/remotecache/v1/types/spec.go): "this layer is the result of that step on those inputs"."""

from dataclasses import dataclass

from ..oci import Digest

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time, which BuildKit gives to a result that it had to write as a chain."""


class InvalidRecords(ValueError):
    """Cache records, or what belongs to them, are broken; the text says how."""


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One way in which an input was known: the parent record's position, and what was selected of it ("" for all)."""

    parent: int
    selector: str = ""


@dataclass(frozen=True, slots=True, order=True)
class LayerResult:
    """The layer at a place of the table of layers, with all that it lies on: in an image, the layers 0 … `layer`."""

    layer: int
    created_at: str = ""

    @property
    def age(self) -> str:
        """Sorts results by time, the newest last."""
        return _age(self.created_at)

    @property
    def top(self) -> int:
        """The place of the uppermost layer."""
        return self.layer


@dataclass(frozen=True, slots=True, order=True)
class ChainResult:
    """Just these layers of the table, stacked in the order given, whatever they lie on there."""

    layers: tuple[int, ...]
    created_at: str = ""

    @property
    def top(self) -> int:
        """The place of the uppermost layer."""
        return self.layers[-1]

    @property
    def age(self) -> str:
        """Sorts results by time, the newest last."""
        return _age(self.created_at)


def _age(created_at: str) -> str:
    # A time of RFC 3339 in UTC sorts as text once the Z is gone: `…:00` stands before `…:00.5`, while `…:00Z` does not.
    return created_at.removesuffix("Z")


CacheResult = LayerResult | ChainResult


@dataclass(frozen=True, slots=True)
class Record:
    """A step's key, for each input the links by which it is known, and perhaps results.

    A root record (a source, or a content key) has no inputs.
    """

    digest: Digest
    inputs: tuple[tuple[Link, ...], ...] = ()
    results: tuple[LayerResult, ...] = ()
    chains: tuple[ChainResult, ...] = ()

    @property
    def result(self) -> CacheResult | None:
        """The newest result, or None for a record that only joins others."""
        found: list[CacheResult] = [*self.results, *self.chains]
        return max(found, key=lambda item: item.age, default=None)
