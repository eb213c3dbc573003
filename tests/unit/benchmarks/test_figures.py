"""The benchmark's numbers: medians, spreads, pairs."""

import pytest

from benchmarks.figures import Spread, ratios


def test_a_spread_is_median_least_and_most() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(median=2.0, least=1.0, most=3.0)


def test_no_runs_have_no_figures() -> None:
    with pytest.raises(ValueError, match="no runs"):
        Spread.of([])


def test_ratios_are_taken_within_a_round_not_between_medians() -> None:
    # The machine slowed down by ten after the first round: both sides did, no ratio tells of it.
    assert ratios([1.0, 10.0, 12.0], [2.0, 20.0, 20.0]) == Spread(median=0.5, least=0.5, most=0.6)


def test_ratios_need_both_sides_of_every_round() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])
