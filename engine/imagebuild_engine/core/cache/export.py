"""From solved steps to the records that are written into an image or a cacheconfig (solver/exporter.go).

Every step that the result rests on becomes a record, linked to all keys by which its inputs are known. Sources never
have a result; steps whose layers are not in the table (in an image, and in mode min, those of other stages) are
records without one and serve as links.

Versions of BuildKit key some steps differently, and a RUN may be found by the normal form of its text. Each such
spelling of a step is a record of its own, linked to its inputs' records of the same spelling; what is spelled alike is
one record. So every version finds its own chain, and the field, which travels with every image, grows by no more than
the differences.

Of a step's records only the one that the oldest versions read may name the step's layer. v0.8 (dockerd 20.10 has it)
takes any record with a result for the one that it has matched; where that is another one, it executes the step or, far
worse, takes the parent's layers for the step's and leaves one out of the image. It does not know `chains`, which say
the same to all versions that read the other records. A result that is a chain already (of `COPY --link`, which v0.8
does not know) is one in all spellings. A cacheconfig has the same rule, though BuildKit itself writes no chains there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..oci import Digest
from .keys import Spelling
from .records import CacheResult, ChainResult, Link, Record
from .table import LayerTable


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
    result: CacheResult | None = None
    older: tuple[Spelling, ...] = ()
    """The keys and selectors of other spellings, that of the oldest version last; empty where they are the same.
    Equally many wherever there are any."""

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """The current one, then the others."""
        return (Spelling(digests=self.keys, selectors=tuple(known.selector for known in self.inputs)), *self.older)


def build_records(steps: Sequence[StepKeys], target: int, table: LayerTable | None = None) -> tuple[Record, ...]:
    """The records of everything that `steps[target]` rests on. Inputs stand before their users.

    The steps' results are places in the table; without one, layers of an image. A step one of whose inputs is known by
    no key at all cannot be found again and gets no record.
    """
    records: list[Record] = []
    positions: list[tuple[tuple[int, ...], ...]] = []
    contents: dict[Digest, int] = {}
    count = max((len(step.spellings) for step in steps), default=1)

    def content(key: Digest) -> int:
        if key not in contents:
            contents[key] = len(records)
            records.append(Record(digest=key))
        return contents[key]

    needed = _needed(steps, target)
    for number, step in enumerate(steps):
        if number not in needed:
            positions.append(((),) * count)
            continue
        spellings = step.spellings if step.older else step.spellings * count
        contents_read = [tuple(Link(content(key)) for key in sorted(known.content)) for known in step.inputs]
        # Key → for each input, the links by which some version that has this key knows it.
        found: dict[Digest, list[dict[Link, None]]] = {}
        usable: list[tuple[Digest, ...]] = []
        for dialect, spelling in enumerate(spellings):
            links = [
                (*(Link(parent, selector) for parent in positions[known.step][dialect]), *read)
                for known, selector, read in zip(step.inputs, spelling.selectors, contents_read, strict=True)
            ]
            usable.append(spelling.digests if all(links) else ())
            for key in usable[-1]:
                for known_links, more in zip(found.setdefault(key, [{} for _ in links]), links, strict=True):
                    known_links.update(dict.fromkeys(more))
        place = {key: len(records) + offset for offset, key in enumerate(found)}
        for key, inputs in found.items():
            record = Record(digest=key, inputs=tuple(tuple(links) for links in inputs))
            if step.result and step.inputs:
                record = _with_result(record, step.result, table, by_layer=key in usable[-1])
            records.append(record)
        positions.append(tuple(tuple(place[key] for key in keys) for keys in usable))
    return tuple(records)


def _with_result(record: Record, result: CacheResult, table: LayerTable | None, *, by_layer: bool) -> Record:
    if isinstance(result, ChainResult):
        return replace(record, chains=(result,))
    if by_layer:
        return replace(record, results=(result,))
    chain = table.chain(result.layer) if table else tuple(range(result.layer + 1))
    return replace(record, chains=(ChainResult(chain, result.created_at),))


def _needed(steps: Sequence[StepKeys], target: int) -> Mapping[int, None]:
    found: dict[int, None] = {}
    pending = [target]
    while pending:
        number = pending.pop()
        if number not in found:
            found[number] = None
            pending.extend(known.step for known in steps[number].inputs)
    return found
