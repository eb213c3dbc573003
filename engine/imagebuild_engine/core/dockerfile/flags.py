"""The `--name=value` flags of an instruction, checked against what the instruction knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from .errors import DockerfileError, not_supported, suggest


class Kind(Enum):
    """What a flag takes."""

    TEXT = auto()
    TEXTS = auto()
    SWITCH = auto()


@dataclass(frozen=True, slots=True)
class Flags:
    """The values that were given, checked, in their order."""

    given: tuple[tuple[str, str], ...]

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a flag that may be repeated."""
        return tuple(value for key, value in self.given if key == name)

    def text(self, name: str) -> str | None:
        """The value, or None if the flag was not given or is empty: BuildKit takes these for the same."""
        return next((value for key, value in self.given if key == name and value), None)

    def switch(self, name: str) -> bool | None:
        """True or false as it was said; None if nothing was."""
        return next((value == "true" for key, value in self.given if key == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSet:
    """The flags of one instruction: those that do something, and those that are refused when used."""

    instruction: str
    known: Mapping[str, Kind] = field(default_factory=dict)
    refused: Mapping[str, Kind] = field(default_factory=dict)

    def parse(self, flags: tuple[str, ...]) -> Flags:
        """The flags of a line. A repeated, unknown or refused one raises, as does a value that is missing."""
        given: list[tuple[str, str]] = []
        seen: set[str] = set()
        for flag in flags:
            name, equals, value = flag.removeprefix("--").partition("=")
            kind = self.known.get(name) or self.refused.get(name)
            word = f"--{name}"
            if kind is None:
                hint = suggest(name, self.known.keys() | self.refused.keys())
                hint = hint.replace('"', '"--', 1)
                raise DockerfileError(f"unknown flag: {self.instruction} --{name}", hint=hint, word=word)
            if name in seen and kind is not Kind.TEXTS:
                raise DockerfileError(f"duplicate flag: {self.instruction} --{name}", word=word, nth=2)
            seen.add(name)
            if kind is Kind.SWITCH:
                value = self._switch(name, equals, value)
            elif not equals:
                raise DockerfileError(f"missing a value on flag: {self.instruction} --{name}", word=word)
            if name in self.refused:
                raise not_supported(f"{self.instruction} --{name}", word=word)
            given.append((name, value))
        return Flags(tuple(given))

    def _switch(self, name: str, equals: str, value: str) -> str:
        if equals and not value:
            raise DockerfileError(f"missing a value on flag: {self.instruction} --{name}", word=f"--{name}")
        if value.lower() not in ("", "true", "false"):
            raise DockerfileError(
                f'expecting true or false for flag {self.instruction} --{name}, not "{value}"', word=f"--{name}"
            )
        return value.lower() or "true"
