"""Two caches beside each other: which steps would be found in the other one, and where their chains part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .index import CacheIndex
from .order import parents_first
from .records import Record
from .steps import CachedSteps

Why = Literal["instruction", "files", "base"]
"""What is behind a difference: another instruction (or environment), other files read, another step or image below."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The first step of each side that the other one does not have; None if a side has no more steps."""

    first: int | None
    second: int | None
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Numbers of steps. `both` goes from the first cache to the second."""

    both: Mapping[int, int]
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    parting: Parting | None


def matches(known: Sequence[Record], asked: Sequence[Record]) -> dict[int, set[int]]:
    """For each record asked for, those known ones that a builder would take for it: the key is the same, and each input
    is known in at least one way that is the same."""
    index = CacheIndex(known)
    found: dict[int, set[int]] = {}
    for number in parents_first(asked):
        record = asked[number]
        if not record.inputs:
            found[number] = index.root(record.digest)
            continue
        inputs = [{(link.selector, there) for link in links for there in found[link.parent]} for links in record.inputs]
        found[number] = index.match(record.digest, inputs)
    return found


def compare(
    first: Sequence[Record], first_steps: CachedSteps, second: Sequence[Record], second_steps: CachedSteps
) -> Comparison:
    """What the caches have in common."""
    both: dict[int, int] = {}
    taken: set[int] = set()
    for record, there in sorted(matches(second, first).items()):
        number = first_steps.step_of.get(record)
        partners = [second_steps.step_of[found] for found in sorted(there) if found in second_steps.step_of]
        if number is not None and partners:
            both.setdefault(number, partners[0])
            taken.update(partners)
    only_first = tuple(number for number in range(len(first_steps.steps)) if number not in both)
    only_second = tuple(number for number in range(len(second_steps.steps)) if number not in taken)
    parting = None
    if only_first or only_second:
        one = _parts(first_steps, only_first)
        other = _counterpart(first_steps, second_steps, both, one, only_second)
        parting = Parting(one, other, _why(first, first_steps, second, second_steps, both, one, other))
    return Comparison(both=both, only_first=only_first, only_second=only_second, parting=parting)


def _parts(steps: CachedSteps, alone: Sequence[int]) -> int | None:
    """The first of the steps that rests on none of the others."""
    others = set(alone)
    rests = (number for number in alone if not any(known.step in others for known in steps.steps[number].inputs))
    return next(rests, alone[0] if alone else None)


def _counterpart(
    first_steps: CachedSteps,
    second_steps: CachedSteps,
    both: Mapping[int, int],
    one: int | None,
    alone: Sequence[int],
) -> int | None:
    """What the second cache has where the first one has step `one`: on the same step, if there is such a thing."""
    if one is not None:
        base = first_steps.steps[one].base
        there = both.get(base) if base is not None else None
        on_it = (number for number in alone if second_steps.steps[number].base == there)
        if (found := next(on_it, None)) is not None:
            return found
    return _parts(second_steps, alone)


def _why(
    first: Sequence[Record],
    first_steps: CachedSteps,
    second: Sequence[Record],
    second_steps: CachedSteps,
    both: Mapping[int, int],
    one: int | None,
    other: int | None,
) -> Why:
    if one is None or other is None:
        return "instruction"
    left, right = first_steps.steps[one], second_steps.steps[other]
    if not {first[number].digest for number in left.records} & {second[number].digest for number in right.records}:
        return "instruction"
    if not left.inputs or not right.inputs:
        return "base"
    below, there = left.inputs[0], right.inputs[0]
    same_step = below.step is not None and both.get(below.step) == there.step
    same_source = bool({*below.sources} & {*there.sources})
    if same_step or same_source or (below.contents and there.contents):
        return "files"
    return "base"
