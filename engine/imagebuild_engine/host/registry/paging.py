"""Lists that registries give page by page (RFC 8288: `Link: </v2/…?last=x>; rel="next"`)."""

import re
from urllib.parse import urljoin, urlsplit

from .transport import Answer

_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?(?=[\s;,]|$)', re.IGNORECASE)


def next_page(answer: Answer, target: str, root: str) -> str | None:
    """Where the next page is. Only below the same path: what else a registry might say is no page of it."""
    found = _NEXT.search(answer.headers.get("link", "")[:4096])
    if found is None:
        return None
    parts = urlsplit(urljoin(target, found[1]))
    return f"{parts.path}?{parts.query}" if parts.path == root and parts.query else None
