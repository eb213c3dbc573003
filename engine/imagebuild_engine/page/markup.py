"""Elements of a page. Text becomes markup nowhere else: what is no Html is made visible and escaped."""

import html
from collections.abc import Iterable

from .text import visible


class Html(str):
    """Markup that is ours already."""

    __slots__ = ()


Child = str | Html | None
_VOID = frozenset({"meta", "br", "hr"})


def escaped(text: str) -> Html:
    """The text as markup that shows it."""
    return text if isinstance(text, Html) else Html(html.escape(visible(text)))


def element(tag: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """`<name …>children</name>`. `class_` and `aria_label` are the attributes `class` and `aria-label`.

    An attribute that is True stands without a value, one that is False or None does not stand.
    """
    written = [tag]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(attribute)
        elif value is not None and value is not False:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            written.append(f'{attribute}="{html.escape(visible(text))}"')
    opening = f"<{' '.join(written)}>"
    return Html(opening) if tag in _VOID else Html(f"{opening}{joined(children)}</{tag}>")


def joined(children: Iterable[Child]) -> Html:
    """One after the other."""
    return Html("".join(escaped(child) for child in children if child is not None))
