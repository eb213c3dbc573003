"""Where the graph's lines run: rows from top to bottom, lanes from left to right.

Every row has one node. A node's line goes down its lane until the last row that rests on it; a row that rests on it
gets a bend from that lane to its own node. A row takes over the lane of the first input that nobody needs after it,
so a stage is one straight line and a stage that another begins with continues it; else it takes the leftmost free lane.
So no line ever passes through a node, and two lines share a lane only one after the other.

Lanes are bounded. Where more lines would run side by side, the ones that run farthest are not drawn at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_LANES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """What the graph shows beside one row. Lanes are counted from 0, lists of them are in order."""

    lane: int
    """The node's."""
    above: tuple[int, ...] = ()
    """Lanes in which a line comes from the row above: those of `through` and of `joins`, nothing else."""
    through: tuple[int, ...] = ()
    """Lanes whose line goes on to the row below, never the node's own."""
    joins: tuple[int, ...] = ()
    """Lanes whose line ends in the node or has a branch to it; the node's own if a line comes straight down."""
    goes_on: bool = False
    """Does a line leave the node downward?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One track per row. `undrawn`: edges (input, row) for which there was no room."""

    tracks: tuple[Track, ...]
    width: int
    """How many lanes there are."""
    undrawn: tuple[tuple[int, int], ...] = ()


def lay_out(inputs: Sequence[Sequence[int]], most_lanes: int = MOST_LANES) -> Layout:
    """The graph of rows; `inputs[row]` are the rows above that it rests on, the one to continue first.

    Raises ValueError for an input that is no row above.
    """
    users: list[list[int]] = [[] for _ in inputs]
    for row, below in enumerate(inputs):
        for used in dict.fromkeys(below):
            if not 0 <= used < row:
                raise ValueError(f"row {row} cannot rest on row {used}")
            users[used].append(row)
    undrawn = _thinned(users, most_lanes)
    left = set(undrawn)
    drawn = [[used for used in dict.fromkeys(below) if (used, row) not in left] for row, below in enumerate(inputs)]
    tracks = _tracks(drawn, [rows[-1] if rows else None for rows in users])
    width = 1 + max((max((track.lane, *track.above)) for track in tracks), default=0)
    return Layout(tracks=tracks, width=width, undrawn=undrawn)


def _thinned(users: list[list[int]], most_lanes: int) -> tuple[tuple[int, int], ...]:
    """Takes uses away until nowhere more lines pass a node than there are lanes beside it; gives what was taken."""
    taken: list[tuple[int, int]] = []
    open_rows: set[int] = set()
    for row, own in enumerate(users):
        open_rows = {used for used in open_rows if users[used] and users[used][-1] > row}
        while len(open_rows) > most_lanes - 1:
            farthest = max(open_rows, key=lambda used: (users[used][-1], used))
            taken += [(farthest, user) for user in users[farthest] if user > row]
            users[farthest] = [user for user in users[farthest] if user <= row]
            open_rows.discard(farthest)
        if own:
            open_rows.add(row)
    return tuple(sorted(taken))


def _tracks(inputs: Sequence[Sequence[int]], last_use: Sequence[int | None]) -> tuple[Track, ...]:
    tracks: list[Track] = []
    lines: dict[int, int] = {}
    """Lane → the row whose line runs in it."""
    for row, below in enumerate(inputs):
        above = tuple(sorted(lines))
        lane_of = {used: lane for lane, used in lines.items()}
        joins = tuple(sorted(lane_of[used] for used in below))
        ends = [lane_of[used] for used in below if last_use[used] == row]
        passing = {lane: used for lane, used in lines.items() if last_use[used] != row}
        lane = ends[0] if ends else next(number for number in range(len(lines) + 1) if number not in lines)
        goes_on = last_use[row] is not None
        tracks.append(
            Track(lane=lane, above=above, through=tuple(sorted(passing)), joins=joins, goes_on=goes_on),
        )
        lines = {**passing, lane: row} if goes_on else passing
    return tuple(tracks)
