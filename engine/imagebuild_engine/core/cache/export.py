"""From solved steps to the records that are written into an image (solver/exporter.go, mode min).

Every step that the result rests on becomes a record, linked to all keys by which its inputs are known. Sources
never have
a result; steps of other stages, whose layers are not in the image, are records without one and serve as links.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..oci import Digest
from .records import LayerResult, Link, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKeys:
    """How one input of a step is known: as the step at position `step`, selecting something of it, and by content."""

    step: int
    selector: str = ""
    content: frozenset[Digest] = frozenset()
    """Content keys, that is record digests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepKeys:
    """One vertex. `keys` are record digests: two for an image, none for local files."""

    keys: tuple[Digest, ...]
    inputs: tuple[InputKeys, ...] = ()
    result: LayerResult | None = None


def build_records(steps: Sequence[StepKeys], target: int) -> tuple[Record, ...]:
    """The records of everything that `steps[target]` rests on. Inputs stand before their users.

    A step one of whose inputs is known by no key at all cannot be found again and gets no record.
    """
    records: list[Record] = []
    positions: list[tuple[int, ...]] = []
    contents: dict[Digest, int] = {}

    def content(key: Digest) -> int:
        if key not in contents:
            contents[key] = len(records)
            records.append(Record(digest=key))
        return contents[key]

    needed = _needed(steps, target)
    for number, step in enumerate(steps):
        if number not in needed:
            positions.append(())
            continue
        inputs = []
        for known in step.inputs:
            links = [Link(parent, known.selector) for parent in positions[known.step]]
            links += [Link(content(key)) for key in sorted(known.content)]
            inputs.append(tuple(links))
        if not all(inputs):
            positions.append(())
            continue
        own = []
        for key in step.keys:
            own.append(len(records))
            results = (step.result,) if step.result and inputs else ()
            records.append(Record(digest=key, inputs=tuple(inputs), results=results))
        positions.append(tuple(own))
    return tuple(records)


def _needed(steps: Sequence[StepKeys], target: int) -> Mapping[int, None]:
    found: dict[int, None] = {}
    pending = [target]
    while pending:
        number = pending.pop()
        if number not in found:
            found[number] = None
            pending.extend(known.step for known in steps[number].inputs)
    return found
