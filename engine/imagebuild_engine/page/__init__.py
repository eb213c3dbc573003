"""The build report: one HTML page made from a build's result. Values in, bytes out: it does no I/O.

`rows` says what there is to show, `lanes` where the graph's lines run, `rails` draws them; `markup` and `text` let
nothing that came from outside become markup; `document` joins the sections to the page.
"""

from .document import page

__all__ = ["page"]
