"""Image references as docker reads them (distribution's reference grammar): `[registry/]repository[:tag][@digest]`."""

import re
from dataclasses import dataclass, replace
from typing import Self

from .digest import Digest, InvalidDigest

DEFAULT_REGISTRY = "docker.io"

_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_HOST_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")


class InvalidReference(ValueError):
    """The text does not name an image."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f'"{text[:300]}" is not an image reference: {reason}')
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name: a tag moves, a digest does not. At least one of both is set."""

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The normalised reference: docker's default registry, `library/` and `latest` are filled in.

        Raises InvalidReference.
        """
        if _IDENTIFIER.fullmatch(text):
            raise InvalidReference(text, "it is the identifier of an image, not a name")
        rest, at, digest_text = text.partition("@")
        digest: Digest | None = None
        if at:
            try:
                digest = Digest.parse(digest_text)
            except InvalidDigest as error:
                raise InvalidReference(text, str(error)) from error
        first, slash, remainder = rest.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            registry, rest = first, remainder
        else:
            registry = DEFAULT_REGISTRY
        registry = DEFAULT_REGISTRY if registry == f"index.{DEFAULT_REGISTRY}" else registry
        repository, colon, tag_text = rest.partition(":")
        if registry == DEFAULT_REGISTRY and repository and "/" not in repository:
            repository = f"library/{repository}"
        if not _REGISTRY.fullmatch(registry):
            raise InvalidReference(text, f'"{registry}" is not a registry host')
        if not repository:
            raise InvalidReference(text, "the repository is missing")
        for component in repository.split("/"):
            if not _COMPONENT.fullmatch(component):
                why = "must be lower case" if component != component.lower() else "has characters that are not allowed"
                raise InvalidReference(text, f'repository part "{component}" {why}')
        if len(repository) > 255:
            raise InvalidReference(text, "the repository is longer than 255 characters")
        if colon and not _TAG.fullmatch(tag_text):
            raise InvalidReference(text, f'"{tag_text}" is not a tag')
        tag = tag_text if colon else (None if digest else "latest")
        return cls(registry=registry, repository=repository, tag=tag, digest=digest)

    @property
    def name(self) -> str:
        """registry/repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar(self) -> str:
        """As people write it: without the default registry and its `library/`."""
        prefixes = (f"{DEFAULT_REGISTRY}/library/", f"{DEFAULT_REGISTRY}/")
        text = str(self)
        return next((text.removeprefix(prefix) for prefix in prefixes if text.startswith(prefix)), text)

    @property
    def selector(self) -> str:
        """What a registry is asked for: the digest if there is one, else the tag."""
        return self.digest or self.tag or "latest"

    def with_digest(self, digest: Digest) -> Self:
        """The same name, pinned."""
        return replace(self, digest=digest)

    def with_tag(self, tag: str) -> Self:
        """The same repository under another tag, not pinned. Raises InvalidReference."""
        if not _TAG.fullmatch(tag):
            raise InvalidReference(f"{self.name}:{tag}", f'"{tag}" is not a tag')
        return replace(self, tag=tag, digest=None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}" + (f"@{self.digest}" if self.digest else "")
