"""Content digests (image spec, descriptor.md "Digests")."""

import hashlib
import re
from typing import Self

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class InvalidDigest(ValueError):
    """The text is not a digest that we know how to verify."""

    def __init__(self, text: str) -> None:
        super().__init__(f'"{text[:200]}" is not a digest (sha256:<64 hex digits>)')
        self.text = text


class Digest(str):
    """`algorithm:hex`, known to be well formed. Equal digests are equal strings."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Self:
        """The digest that the text spells; raises InvalidDigest."""
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise InvalidDigest(str(text))
        return cls(text)

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The sha256 digest of the bytes."""
        return cls("sha256:" + hashlib.sha256(data).hexdigest())

    @classmethod
    def from_hash(cls, raw: bytes) -> Self:
        """The digest whose 32 sha256 bytes these are."""
        return cls("sha256:" + raw.hex())

    @property
    def algorithm(self) -> str:
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.partition(":")[2]
