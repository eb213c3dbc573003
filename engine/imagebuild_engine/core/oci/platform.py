"""Platforms (image spec, image-index.md "platform"), normalised as containerd does."""

import re
from dataclasses import dataclass
from typing import Self

_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_KNOWN_SYSTEM = re.compile(
    "aix|android|darwin|dragonfly|freebsd|hurd|illumos|ios|js|linux|nacl|netbsd|openbsd|plan9|solaris|windows|zos"
)
_KNOWN_ARCHITECTURE = re.compile(
    "386|amd64|amd64p32|arm|armbe|arm64|arm64be|loong64|mips|mipsle|mips64|mips64le|mips64p32|mips64p32le|ppc|ppc64"
    "|ppc64le|riscv|riscv64|s390|s390x|sparc|sparc64|wasm"
)


class InvalidPlatform(ValueError):
    """The text is not `os/architecture[/variant]`."""

    def __init__(self, text: str) -> None:
        super().__init__(f'"{text[:100]}" is not a platform (os/architecture[/variant], for example linux/arm64)')
        self.text = text


@dataclass(frozen=True, slots=True)
class Platform:
    """Where an image runs."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, *, own: Self | None = None) -> Self:
        """`os/architecture[/variant]`, normalised. Raises InvalidPlatform.

        With the machine's `own` platform, a known system or architecture alone is enough; the rest is as there.
        """
        parts = text.strip().split("/")
        if own is not None and len(parts) == 1:
            by_system, by_architecture = cls(parts[0], own.architecture, own.variant), cls(own.os, parts[0])
            if _KNOWN_SYSTEM.fullmatch(by_system.normalized().os):
                return by_system.normalized()
            if _KNOWN_ARCHITECTURE.fullmatch(by_architecture.normalized().architecture):
                return by_architecture.normalized()
        if not 2 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
            raise InvalidPlatform(text)
        return cls(parts[0], parts[1], parts[2] if len(parts) > 2 else "").normalized()

    def normalized(self) -> Self:
        """The spelling that keys use: aarch64 is arm64, arm64/v8 and amd64/v1 have no variant, arm is arm/v7."""
        architecture, variant = self.architecture.lower(), self.variant.lower()
        if architecture in _ARCHITECTURES:
            architecture, implied = _ARCHITECTURES[architecture]
            variant = variant or implied
        match architecture, variant:
            case ("arm64", "8" | "v8") | ("amd64", "v1"):
                variant = ""
            case "arm", "" | "7":
                variant = "v7"
            case "arm", "5" | "6" | "8":
                variant = "v" + variant
        return type(self)(self.os.lower(), architecture, variant, self.os_version, self.os_features)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
