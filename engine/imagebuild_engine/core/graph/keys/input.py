"""What of an op's input counts."""

from dataclasses import dataclass

from ...cache import ContentRequest
from ...oci import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKey:
    """What of an input counts. `selector` belongs to links by definition; None is the whole input."""

    selector: Digest | None
    content: ContentRequest | None
    """What to hash for a link by content; None where only the definition counts."""


WHOLE = InputKey(selector=None, content=None)
