"""Median, least and most of a few runs; ratios pair by pair, because a machine that slows down slows both of a pair."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Three numbers that say how a figure lay."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Raises ValueError for no values."""
        if not values:
            raise ValueError("no runs, no figures")
        return cls(median=median(values), least=min(values), most=max(values))


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Of each round's pair, ours ÷ theirs. Raises ValueError unless there are as many of both."""
    return Spread.of([own / other for own, other in zip(ours, theirs, strict=True)])
