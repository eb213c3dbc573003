"""The tags of a repository (distribution spec, "Listing Tags")."""

import json
from collections.abc import AsyncGenerator
from typing import Any

from ...core.oci import Reference
from .errors import InvalidResponse
from .paging import next_page
from .transport import Request, Transport

_ON_A_PAGE = 1000
_MAX_PAGES = 10_000
_PAGE_BYTES = 64 << 20
"""Some registries know no pages and list all tags at once."""


async def list_tags(transport: Transport, ref: Reference) -> AsyncGenerator[str, None]:
    """All tags, page by page; what lies under them may be gone when one looks. Raises RegistryError."""
    root = f"/v2/{ref.repository}/tags/list"
    target: str | None = f"{root}?n={_ON_A_PAGE}"
    for _ in range(_MAX_PAGES):
        if target is None:
            return
        request = Request(
            registry=ref.registry, method="GET", target=target, scopes=(f"repository:{ref.repository}:pull",)
        )
        answer = await transport.call(request, limit=_PAGE_BYTES)
        for tag in _tags(ref, answer.body):
            yield tag
        target = next_page(answer, target, root)
    raise InvalidResponse(ref.registry, f"the tags of {ref.repository} do not come to an end")


def _tags(ref: Reference, body: bytes) -> list[str]:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidResponse(ref.registry, f"the tags of {ref.repository} are not JSON") from error
    listed = value.get("tags") if isinstance(value, dict) else value
    if listed is None and isinstance(value, dict):
        return []
    if not isinstance(listed, list) or not all(isinstance(tag, str) for tag in listed):
        raise InvalidResponse(ref.registry, f"the tags of {ref.repository} are no list of texts")
    return listed
