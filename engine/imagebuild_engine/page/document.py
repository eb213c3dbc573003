"""The whole page: one file that needs nothing else and can do nothing else.

It has no script, no font, no image and no address to load. Its Content-Security-Policy says so, and allows one style
sheet by its hash: should hostile text ever become markup, the browser would still load and run nothing of it.
"""

import base64
import hashlib

from ..contract import BuildResult
from .caches import caches
from .failed import failed
from .lanes import lay_out
from .markup import Html, element
from .rails import gutter
from .rows import rows_of
from .steps import step_list
from .style import style_sheet
from .summary import causes, figures, head, made_by, title, where_time_went
from .text import cut
from .words import LONGEST_NAME


def page(result: BuildResult) -> bytes:
    """The build report of a result as HTML, in UTF-8. Any result gives a page, also one that makes no sense."""
    shown = rows_of(result)
    layout = lay_out([row.inputs for row in shown.rows])
    style = style_sheet(gutter=gutter(layout))
    body = element(
        "body",
        element("header", head(result)),
        element(
            "main",
            failed(result.failure) if result.failure else None,
            figures(result, shown),
            causes(shown),
            step_list(result, shown, layout),
            caches(result),
            where_time_went(result),
        ),
        element("footer", made_by(result)),
    )
    html = element("html", _head(cut(title(result), LONGEST_NAME), style), "\n", body, lang="en")
    return f"<!doctype html>\n{html}\n".encode()


def _head(text: str, style: str) -> Html:
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", text),
        element("style", Html(style)),
    )
