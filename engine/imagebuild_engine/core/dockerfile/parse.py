"""The readers: a whole file, and one instruction that comes from a base image."""

from __future__ import annotations

from .directives import read_directives
from .document import Dockerfile, Stage
from .errors import DockerfileError
from .instructions import Arg, From, Instruction
from .interpret import interpret
from .limits import DEFAULT_LIMITS, Limits
from .lines import LogicalLine, decode, logical_lines, physical_lines
from .source import Location, Source


def parse_dockerfile(data: bytes, *, name: str = "Dockerfile", limits: Limits = DEFAULT_LIMITS) -> Dockerfile:
    """The file as typed instructions. Raises DockerfileError, and nothing else whatever the bytes are.

    `name` is what messages call the file.
    """
    source = decode(data, name, limits)
    lines = physical_lines(source, limits)
    directives = read_directives(lines, source)
    escape = next((d.value for d in directives if d.name == "escape"), "\\")
    meta_args: list[Arg] = []
    stages: list[tuple[From, list[Instruction]]] = []
    gaps: list[Location] = []
    for count, line in enumerate(logical_lines(lines, escape, source, {d.location.start for d in directives})):
        if count == limits.instructions:
            raise DockerfileError(f"more than {limits.instructions} instructions", line.location, source)
        instruction = _interpret(line, escape, source)
        if line.gap is not None:
            gaps.append(line.gap)
        if isinstance(instruction, From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, Arg):
            meta_args.append(instruction)
        else:
            raise DockerfileError(
                f"{_first_word(instruction)} before the first FROM", line.location, source, "only ARG may stand there"
            )
    if not stages:
        reason = "no build stage: there is no FROM" if meta_args else "file with no instructions"
        raise DockerfileError(reason, Location(max(len(lines), 1), max(len(lines), 1), 1), source)
    return Dockerfile(
        source=source,
        directives=directives,
        meta_args=tuple(meta_args),
        stages=tuple(_stage(index, head, body) for index, (head, body) in enumerate(stages)),
        gaps=tuple(gaps),
    )


def parse_instruction(text: str, *, origin: str) -> Instruction:
    """The one instruction of an ONBUILD trigger; `origin` says in messages where it comes from.

    The trigger is read as a file of its own, so with `\\` as escape character whatever its Dockerfile had.
    """
    source = decode(text.encode(errors="replace"), origin, DEFAULT_LIMITS)
    lines = physical_lines(source, DEFAULT_LIMITS)
    directives = read_directives(lines, source)
    escape = next((d.value for d in directives if d.name == "escape"), "\\")
    instructions = [_interpret(line, escape, source) for line in logical_lines(lines, escape, source)]
    if len(instructions) != 1:
        place = instructions[1].location if instructions else Location(1, 1, 1)
        raise DockerfileError(f"an ONBUILD trigger is one instruction, not {len(instructions)}", place, source)
    if isinstance(instructions[0], From):
        raise DockerfileError("FROM isn't allowed as an ONBUILD trigger", instructions[0].location, source)
    return instructions[0]


def _interpret(line: LogicalLine, escape: str, source: Source) -> Instruction:
    try:
        return interpret(line, escape)
    except DockerfileError as error:
        raise error.at(line.location, source) from None


def _stage(index: int, head: From, body: list[Instruction]) -> Stage:
    end = body[-1].location.end if body else head.location.end
    return Stage(
        index=index,
        from_instruction=head,
        instructions=tuple(body),
        location=Location(head.location.start, end, head.location.column),
    )


def _first_word(instruction: Instruction) -> str:
    return type(instruction).__name__.upper()
