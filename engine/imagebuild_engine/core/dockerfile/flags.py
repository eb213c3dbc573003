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


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSet:
    """The flags of one instruction: those that do something, and those that are refused when used."""

    instruction: str
    known: Mapping[str, Kind] = field(default_factory=dict)
    refused: Mapping[str, Kind] = field(default_factory=dict)

    def parse(self, flags: tuple[str, ...]) -> dict[str, str]:
        """Flag → value. A repeated, unknown or refused one raises; but `=false` is no use of a refused switch."""
        values: dict[str, str] = {}
        seen: set[str] = set()
        for flag in flags:
            name, equals, value = flag.removeprefix("--").partition("=")
            kind = self.known.get(name) or self.refused.get(name)
            if kind is None:
                hint = suggest(name, self.known.keys() | self.refused.keys())
                hint = hint.replace('"', '"--', 1)
                raise DockerfileError(f"unknown flag: {self.instruction} --{name}", hint=hint)
            if name in seen and kind is not Kind.TEXTS:
                raise DockerfileError(f"duplicate flag: {self.instruction} --{name}")
            seen.add(name)
            if kind is Kind.SWITCH:
                value = self._switch(name, equals, value)
            elif not equals:
                raise DockerfileError(f"missing a value on flag: {self.instruction} --{name}")
            if name in self.refused:
                if kind is Kind.SWITCH and value == "false":
                    continue
                raise not_supported(f"{self.instruction} --{name}")
            values[name] = value
        return values

    def _switch(self, name: str, equals: str, value: str) -> str:
        if equals and not value:
            raise DockerfileError(f"missing a value on flag: {self.instruction} --{name}")
        if value.lower() not in ("", "true", "false"):
            raise DockerfileError(f'expecting true or false for flag {self.instruction} --{name}, not "{value}"')
        return value.lower() or "true"
