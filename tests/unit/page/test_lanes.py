"""Where the graph's lines run: every edge arrives, nothing overlaps, and there is an end to lanes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.page.lanes import MOST_LANES, Layout, lay_out

Inputs = tuple[tuple[int, ...], ...]


@st.composite
def graphs(draw: st.DrawFn) -> Inputs:
    count = draw(st.integers(0, 40))
    return tuple(tuple(draw(st.lists(st.integers(0, row - 1), max_size=4))) if row else () for row in range(count))


def arrivals(layout: Layout) -> set[tuple[int, int]]:
    """Follows every line from its node downward: the edges that one sees in the picture."""
    seen: set[tuple[int, int]] = set()
    lines: dict[int, int] = {}
    for row, track in enumerate(layout.tracks):
        assert set(track.above) == set(lines), "a line begins or ends between two rows"
        assert set(track.joins) | set(track.through) == set(track.above), "a line ends in nothing"
        assert track.lane not in track.through, "a line passes through a node"
        seen |= {(lines[lane], row) for lane in track.joins}
        lines = {lane: used for lane, used in lines.items() if lane in track.through}
        if track.goes_on:
            assert track.lane not in lines, "two lines share a lane"
            lines[track.lane] = row
    assert not lines, "a line leads out of the picture"
    return seen


@given(graphs(), st.integers(2, MOST_LANES))
def test_every_edge_arrives_and_nothing_overlaps(inputs: Inputs, most_lanes: int) -> None:
    layout = lay_out(inputs, most_lanes)
    edges = {(used, row) for row, below in enumerate(inputs) for used in below}
    assert arrivals(layout) | set(layout.undrawn) == edges
    assert not arrivals(layout) & set(layout.undrawn)
    assert layout.width <= most_lanes


@given(graphs())
def test_what_has_room_is_drawn(inputs: Inputs) -> None:
    assert not lay_out(inputs, most_lanes=len(inputs) + 1).undrawn


def lanes(*inputs: Sequence[int]) -> list[int]:
    return [track.lane for track in lay_out(inputs).tracks]


def test_a_stage_is_a_straight_line() -> None:
    assert lanes((), (0,), (1,), (2,)) == [0, 0, 0, 0]


def test_a_stage_that_is_copied_from_keeps_its_lane_until_then() -> None:
    assert lanes((), (0,), (), (2,), (3, 1), (4,)) == [0, 0, 1, 1, 1, 1]


def test_a_stage_on_another_one_continues_its_line_where_nobody_else_needs_it() -> None:
    assert lanes((), (0,), (1,)) == [0, 0, 0]
    assert lanes((), (0,), (0,)) == [0, 1, 0], "two stages on one: the second continues the line"


def test_a_linked_copy_stands_beside_its_stage() -> None:
    assert lanes((), (), (0, 1), (2,)) == [0, 1, 0, 0]


def test_a_lane_is_used_again() -> None:
    assert lanes((), (), (0, 1), (), (2, 3)) == [0, 1, 0, 1, 0]


def test_the_farthest_line_is_left_out_first() -> None:
    inputs = ((), (), (), (1, 2), (3,), (4, 0))
    layout = lay_out(inputs, most_lanes=2)
    assert layout.undrawn == ((0, 5),)
    assert layout.width == 2


@pytest.mark.parametrize("inputs", [((0,),), ((), (1,)), ((), (-1,)), ((), (7,))])
def test_a_row_rests_on_rows_above_only(inputs: Inputs) -> None:
    with pytest.raises(ValueError, match="cannot rest on"):
        lay_out(inputs)


def test_a_large_graph_is_laid_out() -> None:
    inputs = tuple(tuple(range(max(0, row - 40), row)) for row in range(2000))
    layout = lay_out(inputs)
    assert layout.width <= MOST_LANES
    assert arrivals(layout) | set(layout.undrawn) == {(used, row) for row, below in enumerate(inputs) for used in below}
