"""Rules about how things are written and called: casing, names of stages, comments, empty lines."""

from __future__ import annotations

from ..dockerfile import Arg, Dockerfile, From, Instruction, Location, Maintainer
from . import rules
from .findings import Findings, shown

_RESERVED = ("context", "scratch")


def check_gaps(dockerfile: Dockerfile, findings: Findings) -> None:
    """The last line of an instruction with an empty line inside: there BuildKit notices it."""
    for gap in dockerfile.gaps:
        findings.add(rules.NO_EMPTY_CONTINUATION, gap, "an empty line stands among the continuation lines")


def check_writing(dockerfile: Dockerfile, findings: Findings) -> None:
    """What is seen in one instruction alone, in the order of the file."""
    for instruction in _in_order(dockerfile):
        match instruction:
            case Maintainer():
                detail = "MAINTAINER is deprecated: use LABEL org.opencontainers.image.authors"
                findings.add(rules.MAINTAINER_DEPRECATED, instruction.location, detail, instruction.comments)
            case From():
                _check_casing_of_from(instruction, findings)
                if instruction.name is not None:
                    _check_description(instruction, "stage", (instruction.name,), findings)
            case Arg():
                _check_description(instruction, "ARG", tuple(pair.name for pair in instruction.pairs), findings)
            case _:
                pass


def _in_order(dockerfile: Dockerfile) -> list[Instruction]:
    instructions: list[Instruction] = [*dockerfile.meta_args]
    for stage in dockerfile.stages:
        instructions += (stage.from_instruction, *stage.instructions)
    return instructions


def _check_casing_of_from(instruction: From, findings: Findings) -> None:
    if len(instruction.words) != 3:
        return
    _, as_, name = instruction.words
    if name != name.lower():
        detail = f"the name of stage '{shown(name)}' is not in lower case"
        findings.add(rules.STAGE_NAME_CASING, instruction.location, detail, instruction.comments)
    from_ = instruction.keyword
    cased = {from_.lower(): as_.lower(), from_.upper(): as_.upper()}.get(from_, as_)  # `From` is another rule's
    if as_ != cased:
        detail = f"'{as_}' is not written like '{from_}'"
        findings.add(rules.FROM_AS_CASING, instruction.location, detail, instruction.comments)


def _check_description(instruction: From | Arg, what: str, names: tuple[str, ...], findings: Findings) -> None:
    if not instruction.comments or instruction.comments[-1].split(" ")[0] in names:
        return
    name = shown(names[0]) if len(names) == 1 else "<name>"
    detail = f"the comment above is no description: one of this {what} would be `# {name} <description>`"
    findings.add(rules.INVALID_DEFINITION_DESCRIPTION, instruction.location, detail, instruction.comments)


def check_stage_names(dockerfile: Dockerfile, findings: Findings) -> None:
    """Words that mean something else, and names that were given before."""
    known: set[str] = set()
    for stage in dockerfile.stages:
        name = stage.name
        if name is None:
            continue
        location = stage.from_instruction.location
        if name in _RESERVED:
            findings.add(rules.RESERVED_STAGE_NAME, location, f"'{name}' is no name for a stage: it is reserved")
        if name in known:
            findings.add(rules.DUPLICATE_STAGE_NAME, location, f"there is an earlier stage '{shown(name)}'")
        known.add(name)


def check_instruction_casing(dockerfile: Dockerfile, findings: Findings) -> None:
    """Keywords of stages that differ from what most are: upper case, unless more are in lower case."""
    keywords: list[tuple[str, Location]] = []
    for stage in dockerfile.stages:
        own = (stage.from_instruction, *stage.instructions)
        keywords += [(instruction.keyword, instruction.location) for instruction in own]
    lower = sum(keyword == keyword.lower() for keyword, _ in keywords)
    upper = sum(keyword == keyword.upper() for keyword, _ in keywords)
    for keyword, location in keywords:
        if keyword != (keyword.lower() if lower > upper else keyword.upper()):
            wanted = "lower" if lower > upper else "upper"
            detail = f"'{keyword}' is not in {wanted} case, as most instructions are"
            findings.add(rules.CONSISTENT_INSTRUCTION_CASING, location, detail)
