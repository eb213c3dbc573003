"""A whole Dockerfile as a value: directives, global arguments, stages."""

from __future__ import annotations

from dataclasses import dataclass

from .directives import Directive
from .instructions import Arg, From, Instruction
from .source import Location, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM and what follows it. `location` spans from the FROM to the last line of its last instruction."""

    index: int
    from_instruction: From
    instructions: tuple[Instruction, ...]
    location: Location

    @property
    def name(self) -> str | None:
        """The name after AS, lower-cased; None without one."""
        return self.from_instruction.name

    @property
    def base(self) -> str:
        """The word after FROM, unexpanded: an image, an earlier stage or `scratch`."""
        return self.from_instruction.base

    @property
    def platform(self) -> str | None:
        """The unexpanded value of `--platform`."""
        return self.from_instruction.platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """What was read. `meta_args` are the ARGs before the first FROM."""

    source: Source
    directives: tuple[Directive, ...]
    meta_args: tuple[Arg, ...]
    stages: tuple[Stage, ...]
    gaps: tuple[Location, ...] = ()
    """Last lines of instructions with an empty line among their continuation lines."""

    @property
    def escape(self) -> str:
        """The escape character, to be handed to `expand`."""
        return next((d.value for d in self.directives if d.name == "escape"), "\\")

    def stage(self, reference: str, *, before: int | None = None) -> Stage | None:
        """The stage that `--from`, `--target` or, by name only, FROM means, among those with an index under `before`.

        Names are compared without case; of several stages with one name the last counts, as in BuildKit.
        """
        known = self.stages if before is None else self.stages[:before]
        wanted = reference.lower()
        for stage in reversed(known):
            if stage.name is not None and stage.name == wanted:
                return stage
        if reference.isascii() and reference.isdigit() and len(reference) < 10 and int(reference) < len(known):
            return known[int(reference)]
        return None
