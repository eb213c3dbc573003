"""Two lists of steps side by side: which step of ours is which of theirs, though some have changed."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from .components import StepComponents

_MOST = 50
"""How many changed steps in a row are compared with each other."""
_COMPARED = 200
"""How much of a text is compared; ours are not longer."""
_ALIKE = 0.5
"""From this similarity on, a step under other words is the same step, changed."""


def aligned(old: Sequence[StepComponents], new: Sequence[StepComponents]) -> dict[int, int]:
    """From the new steps' numbers (from 1) to those of the old ones. Steps that are new have none.

    Stage by stage: those of the same name belong together, what is left over in the order in which it stands. In a
    stage first what has the same words, in the same order; between that, what is most alike.
    """
    found: dict[int, int] = {}
    before, now = _stages(old), _stages(new)
    for name, other in _pairs_of_stages(before, now):
        found.update(_in_stage(old, before[other], new, now[name]))
    return found


def _stages(steps: Sequence[StepComponents]) -> dict[str, list[int]]:
    stages: defaultdict[str, list[int]] = defaultdict(list)
    for number, step in enumerate(steps, 1):
        stages[step.stage].append(number)
    return dict(stages)


def _pairs_of_stages(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    rest = [name for name in old if name not in new]
    others = iter(rest)
    for name in new:
        if name in old:
            yield name, name
        elif (other := next(others, None)) is not None:
            yield name, other


def _in_stage(
    old: Sequence[StepComponents], before: list[int], new: Sequence[StepComponents], now: list[int]
) -> Iterator[tuple[int, int]]:
    # Another cache may claim any number of steps.
    before = before[: 4 * len(now) + _MOST]
    texts = [old[number - 1].instruction for number in before], [new[number - 1].instruction for number in now]
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    for kind, low, high, first, last in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(now[first:last], before[low:high], strict=True)
        elif kind == "replace":
            yield from _most_alike(old, before[low:high], new, now[first:last])


def _most_alike(
    old: Sequence[StepComponents], before: list[int], new: Sequence[StepComponents], now: list[int]
) -> Iterator[tuple[int, int]]:
    """Of as many on both sides each with its like, if it is of the same kind; otherwise the most similar, in order."""
    if len(before) == len(now) and all(
        _word(old[one - 1]) == _word(new[other - 1]) for one, other in zip(before, now, strict=True)
    ):
        yield from zip(now, before, strict=True)
        return
    start = 0
    for number in now[:_MOST]:
        alike = [
            (_similarity(old[other - 1], new[number - 1]), -place)
            for place, other in enumerate(before[start : start + _MOST], start)
        ]
        similarity, place = max(alike, default=(0.0, 0))
        if similarity >= _ALIKE:
            yield number, before[-place]
            start = 1 - place


def _similarity(old: StepComponents, new: StepComponents) -> float:
    if _word(old) != _word(new):
        return 0.0
    return SequenceMatcher(None, old.instruction[:_COMPARED], new.instruction[:_COMPARED], autojunk=False).ratio()


def _word(step: StepComponents) -> str:
    return step.instruction.partition(" ")[0].upper()
