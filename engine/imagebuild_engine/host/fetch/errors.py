"""What can go wrong with a URL. No message has a user, a password or a query in it: tokens live there."""

from typing import Literal

from ...core.oci import Digest
from ..web import redacted

Kind = Literal["not_found", "unauthorized", "invalid", "unavailable", "timeout"]
"""The first three are for the user to mend; the others are worth another try."""


class FetchFailed(Exception):
    """The file could not be had."""

    def __init__(self, url: str, problem: str, kind: Kind) -> None:
        super().__init__(f"{redacted(url)}: {problem}")
        self.url = url
        self.kind = kind


class WrongChecksum(FetchFailed):
    """The file is not the one that was asked for."""

    def __init__(self, url: str, expected: Digest, found: Digest) -> None:
        super().__init__(url, f"its checksum is {found}, not {expected}", "invalid")
        self.expected = expected
        self.found = found


def kind_of_status(status: int) -> Kind:
    """Of an answer that is no file."""
    if status in (401, 403, 407):
        return "unauthorized"
    if status in (408, 425, 429) or status >= 500:
        return "unavailable"
    return "not_found" if status in (404, 410) else "invalid"
