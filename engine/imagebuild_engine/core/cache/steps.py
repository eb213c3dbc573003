"""From records to steps as people know them, for those who look into a cache. Nothing here decides about hits.

A step may have several records: the same step as other versions of BuildKit write it. Two things tell that records are
one step: a record links to both as the same input of its own, or both have the same layers at the same depth. Records
without inputs are no steps but what steps start from: images, and contents of files.

Steps make stages: each lies on the one that is its first input, unless it only reads some paths of it. Stages stand in
the order of a Dockerfile: what is read comes before its readers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..oci import Digest
from .keys import selector_of
from .order import parents_first
from .records import CacheResult, Record
from .stacks import Stacks

_WHOLE = selector_of(["/"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInput:
    """How an input is known: as another step (by number), as a source, by content. `selects` is what is read of it."""

    step: int | None = None
    sources: tuple[Digest, ...] = ()
    contents: tuple[Digest, ...] = ()
    selects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedStep:
    """`records` are positions, the aliases last. `stack` names the layers of the result, "" without one."""

    records: tuple[int, ...]
    inputs: tuple[StepInput, ...]
    result: CacheResult | None = None
    stack: str = ""
    base: int | None = None
    """The number of the step that this one lies on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedSteps:
    """All steps; their numbers are positions. `stages` are numbers of steps, each on the one before it."""

    steps: tuple[CachedStep, ...] = ()
    stages: tuple[tuple[int, ...], ...] = ()
    step_of: dict[int, int]
    """From the position of a record to the number of its step; sources have none."""


def steps_of(records: Sequence[Record], stacks: Stacks) -> CachedSteps:
    """The steps that the records are about. The records must be free of loops, as decoded ones are."""
    order = parents_first(records)
    groups = _groups(records, stacks, order)
    rank = {group: number for number, group in enumerate(_in_order(records, groups, order))}
    members: dict[int, list[int]] = {number: [] for number in range(len(rank))}
    for record, group in sorted(groups.items()):
        members[rank[group]].append(record)
    own = {record: rank[group] for record, group in groups.items()}
    found = [_step(records, stacks, members[number], own, number) for number in range(len(rank))]
    stages = _stages(found)
    number_of = {old: new for new, old in enumerate(number for stage in stages for number in stage)}
    numbered: list[CachedStep] = [_renumbered(found[old], number_of) for old in number_of]
    ends = iter(range(len(numbered)))
    return CachedSteps(
        steps=tuple(numbered),
        stages=tuple(tuple(next(ends) for _ in stage) for stage in stages),
        step_of={record: number_of[number] for record, number in own.items()},
    )


def _groups(records: Sequence[Record], stacks: Stacks, order: Sequence[int]) -> dict[int, int]:
    """For each record of a step, the record that stands for the step."""
    leader = {number: number for number in range(len(records)) if records[number].inputs}

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    def join(numbers: Sequence[int]) -> None:
        for number in numbers[1:]:
            first, second = sorted((find(numbers[0]), find(number)))
            leader[second] = first

    depths = [0] * len(records)
    for number in order:
        links = [link for known in records[number].inputs for link in known]
        depths[number] = 1 + max((depths[link.parent] for link in links), default=-1)
    alike: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
    for number, record in enumerate(records):
        for known in record.inputs:
            join([link.parent for link in known if records[link.parent].inputs])
        if record.inputs and (result := record.result) is not None:
            alike[stacks.name(result), len(record.inputs), depths[number]].append(number)
    for numbers in alike.values():
        join(numbers)
    return {number: find(number) for number in leader}


def _in_order(records: Sequence[Record], groups: dict[int, int], order: Sequence[int]) -> list[int]:
    """Groups as a walk from the last steps meets them, inputs before users and the first input first."""
    below: defaultdict[int, dict[int, None]] = defaultdict(dict)
    used: set[int] = set()
    for number, group in sorted(groups.items()):
        for links in records[number].inputs:
            for link in links:
                parent = groups.get(link.parent)
                if parent is not None and parent != group:
                    below[group][parent] = None
                    used.add(parent)
    found: dict[int, None] = {}
    entered: set[int] = set()
    heads = [groups[number] for number in order if number in groups]
    pending = [(group, False) for group in reversed([*(g for g in heads if g not in used), *heads])]
    while pending:
        group, done = pending.pop()
        if done:
            found[group] = None
        elif group not in entered:
            entered.add(group)
            pending.append((group, True))
            pending.extend((parent, False) for parent in reversed(below[group]))
    return list(found)


def _step(
    records: Sequence[Record], stacks: Stacks, members: Sequence[int], own: dict[int, int], number: int
) -> CachedStep:
    ranked = sorted(members, key=lambda member: _age(records[member]))
    chosen = next((member for member in ranked if records[member].result), ranked[0])
    result = records[chosen].result
    inputs = []
    for position in range(max(len(records[member].inputs) for member in members)):
        links = [
            link
            for member in members
            if position < len(records[member].inputs)
            for link in records[member].inputs[position]
        ]
        parents = [own[link.parent] for link in links if link.parent in own and own[link.parent] != number]
        roots = [link for link in links if link.parent not in own]
        by_content = position > 0 or any(link.selector for link in links)
        plain = {records[link.parent].digest: None for link in roots if not link.selector}
        selected = {records[link.parent].digest: None for link in roots if link.selector}
        inputs.append(
            StepInput(
                step=parents[0] if parents else None,
                sources=tuple(selected) if by_content else tuple(plain),
                contents=tuple(digest for digest in plain if digest not in selected) if by_content else (),
                selects=tuple(dict.fromkeys(link.selector for link in links if link.selector)),
            )
        )
    first = inputs[0]
    lies_on = first.step is not None and (not first.selects or _WHOLE in first.selects)
    return CachedStep(
        records=(chosen, *(member for member in ranked if member != chosen)),
        inputs=tuple(inputs),
        result=result,
        stack=stacks.name(result) if result is not None else "",
        base=first.step if lies_on else None,
    )


def _age(record: Record) -> tuple[bool, bool]:
    """Sorts the spellings of a step, the newest first.

    Only the oldest one names its layers as an image does (see export.py), and only since v0.13 is it said that a step
    which runs reads all of its root.
    """
    whole = any(link.selector == _WHOLE for links in record.inputs for link in links)
    return bool(record.results), not whole


def _stages(steps: Sequence[CachedStep]) -> list[list[int]]:
    stages: list[list[int]] = []
    stage_of: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        stage = stage_of.get(step.base) if step.base is not None else None
        if stage is None or stage[-1] != step.base:
            stage = []
            stages.append(stage)
        stage.append(number)
        stage_of[number] = stage
    return sorted(stages, key=lambda stage: stage[-1])


def _renumbered(step: CachedStep, number_of: dict[int, int]) -> CachedStep:
    return CachedStep(
        records=step.records,
        inputs=tuple(
            StepInput(
                step=number_of[known.step] if known.step is not None else None,
                sources=known.sources,
                contents=known.contents,
                selects=known.selects,
            )
            for known in step.inputs
        ),
        result=step.result,
        stack=step.stack,
        base=number_of[step.base] if step.base is not None else None,
    )
