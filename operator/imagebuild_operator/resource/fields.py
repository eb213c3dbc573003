"""What every part of the spec is made of: a struct that refuses unknown members, errors that name the field."""

import re

import msgspec
from imagebuild_engine.contract import InvalidReference, Reference

from .duration import parse_duration

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
STAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class InvalidSpec(ValueError):
    """The spec cannot be built as it stands. `path` is the field's path, `problem` what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An object in the spec."""


class Named(Part, frozen=True):
    """A reference to an object of the same namespace."""

    name: str


def require(holds: object, path: str, problem: str) -> None:
    if not holds:
        raise InvalidSpec(path, problem)


def require_reference(path: str, text: str) -> Reference:
    try:
        return Reference.parse(text)
    except InvalidReference as error:
        raise InvalidSpec(path, str(error)) from None


def require_duration(path: str, text: str, least: float, most: float, bounds: str) -> None:
    """Seconds; `bounds` says the limits as people write them."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise InvalidSpec(path, str(error)) from None
    require(least <= seconds <= most, path, bounds)
