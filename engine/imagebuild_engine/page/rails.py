"""The graph's part beside one row, drawn as SVG in pixels.

The row may be of any height: the node and the bends are near its top, and the straight lines are as long as it is.
"""

from .lanes import Layout, Track
from .markup import Html, element
from .rows import Kind

NODE_Y = 20
"""Pixels from the row's top to the middle of its node: that of the row's first line of text."""
_EDGE = 12
"""Pixels from the left side to the first lane."""
_TOP = -1
"""Where lines from above begin: rows end at fractions of pixels, and no seam shall be seen."""


def gutter(layout: Layout) -> int:
    """Pixels that the graph takes."""
    return _x(layout.width - 1, layout) + _EDGE


def rail(track: Track, kind: Kind, layout: Layout) -> Html:
    """Beside a row with a node."""
    node = _x(track.lane, layout)
    lines = [_line(lane, _TOP, "100%", layout) for lane in track.through]
    for lane in track.joins:
        x = _x(lane, layout)
        if lane == track.lane:
            lines.append(_line(lane, _TOP, NODE_Y, layout))
        else:
            lines.append(element("path", d=f"M{x} {_TOP}C{x} {NODE_Y - 8} {node} 3 {node} {NODE_Y}"))
    if track.goes_on:
        lines.append(_line(track.lane, NODE_Y, "100%", layout))
    return _svg(layout, *lines, node_mark(kind, node, NODE_Y))


def rail_between(track: Track, layout: Layout) -> Html:
    """Beside what stands above a row and is no row of the graph itself: a stage's heading."""
    return _svg(layout, *(_line(lane, _TOP, "100%", layout) for lane in track.above))


def node_mark(kind: Kind, x: int, y: int) -> Html:
    """A node: every kind has a shape of its own, since colours alone tell some people nothing."""
    attributes = {"class_": f"n {kind}"}
    match kind:
        case "hit":
            return element("circle", cx=x, cy=y, r=4.5, **attributes)
        case "ran":
            return element("circle", cx=x, cy=y, r=4.0, **attributes)
        case "skipped":
            return element("circle", cx=x, cy=y, r=2.5, **attributes)
        case "uncacheable":
            return element("rect", x=x - 4, y=y - 4, width=8, height=8, **attributes)
        case "failed":
            return element("path", d=f"M{x - 4} {y - 4}l8 8m0-8l-8 8", **attributes)
        case "image":
            return element("path", d=f"M{x} {y - 7}l7 7-7 7-7-7z", **attributes)


def _x(lane: int, layout: Layout) -> int:
    """Many lanes are closer together, so that a telephone has room for the text."""
    pitch = 16 if layout.width <= 2 else 12 if layout.width <= 4 else 10 if layout.width <= 7 else 8
    return _EDGE + lane * pitch


def _line(lane: int, top: int, bottom: int | str, layout: Layout) -> Html:
    x = _x(lane, layout)
    return element("line", x1=x, y1=top, x2=x, y2=bottom)


def _svg(layout: Layout, *children: Html) -> Html:
    return element("svg", *children, class_="rail", width=gutter(layout), aria_hidden="true", focusable="false")
