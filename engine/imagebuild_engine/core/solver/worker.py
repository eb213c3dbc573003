"""The solver's only window on the world."""

from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from ..cache import CacheResult
from ..graph import ContentRequest, Vertex
from ..oci import Digest

R = TypeVar("R")


class ResultLost(Exception):
    """An input's result is not where a cache promised it. Asked again, that input may come from elsewhere, or run."""


class Worker(Protocol[R]):
    """What the solver asks for. `R` is a result that the solver never looks into: a tree, lazy or not.

    A story: the solver finds step 1 in a cache source and calls `load`; the answer may be a chain of layers that
    nobody has pulled.
    Step 2 copies files of another tree, so it calls `digests`, which may have to pull. Step 3 is nowhere, so it calls
    `execute` with the results of its inputs.
    """

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> R | None:
        """The result that a record of cache source number `source` promises; None if it is gone from there."""
        ...

    async def digests(
        self, vertex: Vertex, input_number: int, result: R, request: ContentRequest
    ) -> Collection[Digest] | None:
        """The content digests of what `vertex` reads of its input; more than one where BuildKit's versions disagree.

        None if nobody can know them, as where it is only planned what would be done. Raises the user's error if a path
        is missing, and ResultLost.
        """
        ...

    async def execute(self, vertex: Vertex, inputs: Sequence[R]) -> R:
        """Do what the op says. Sources, which have no inputs, are resolved here too. Raises ResultLost."""
        ...

    def gone(self, result: R) -> bool:
        """Has it turned out that the result cannot be had? No result that `load` returns may be gone already."""
        ...
