"""Why there is no image."""

from ..contract import FailureResult
from .markup import Html, element
from .text import cut, cut_to_end, log_text
from .words import LONGEST_NAME, LONGEST_TEXT, facts, instruction, section

_LONGEST_EXCERPT = 10_000
_LONGEST_LOG = 20_000


def failed(failure: FailureResult) -> Html:
    """The message, the place in the Dockerfile, and the end of what the step printed."""
    return section(
        "What went wrong",
        "failure",
        element("p", cut(log_text(failure.message), LONGEST_TEXT), class_="message"),
        facts(
            ("Step", instruction(failure.step) if failure.step else None),
            ("Stage", cut(failure.stage, LONGEST_NAME)),
            ("Line", str(failure.line) if failure.line > 0 else None),
            ("Category", failure.category.value),
        ),
        _block("In the Dockerfile", "excerpt", cut(log_text(failure.excerpt), _LONGEST_EXCERPT)),
        _block("The end of its output", "log", cut_to_end(log_text(failure.log_tail), _LONGEST_LOG)),
    )


def _block(title: str, id_: str, text: str) -> Html | None:
    """What one can scroll, also with the keyboard."""
    if not text:
        return None
    block = element("pre", "\n", text, tabindex=0, role="region", aria_labelledby=id_)
    return element("div", element("h3", title, id=id_), block)
