"""The records of one cache source, ready to be asked: which of them describe this step on these inputs?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ..oci import Digest
from .records import CacheResult, Record

RecordId = int


class CacheIndex:
    """Finds records by key and by what they are linked to. False if there are none.

    It may grow: that of a source which is read step by step does.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records: list[Record] = []
        self._by_digest: defaultdict[str, list[RecordId]] = defaultdict(list)
        for record in records:
            self.add(record)

    def add(self, record: Record) -> RecordId:
        """One more. It may be linked to those that are there."""
        self._by_digest[record.digest].append(len(self._records))
        self._records.append(record)
        return len(self._records) - 1

    @property
    def records(self) -> Sequence[Record]:
        """By their ids."""
        return self._records

    def __len__(self) -> int:
        return len(self._records)

    def root(self, key: Digest) -> set[RecordId]:
        """Records of a source or a content key."""
        return {identity for identity in self._by_digest.get(key, ()) if not self._records[identity].inputs}

    def match(self, key: Digest, inputs: Sequence[Collection[tuple[str, RecordId]]]) -> set[RecordId]:
        """Records with this key that know every input by at least one of the given (selector, record) pairs."""
        found = set()
        for identity in self._by_digest.get(key, ()):
            record = self._records[identity]
            if len(record.inputs) == len(inputs) and all(
                any((link.selector, link.parent) in usable for link in links)
                for links, usable in zip(record.inputs, inputs, strict=True)
            ):
                found.add(identity)
        return found

    def knows(self, key: Digest) -> bool:
        """Is there any record with this key, whatever its inputs?"""
        return key in self._by_digest

    def contents(self, key: Digest, input_number: int) -> set[RecordId]:
        """The roots, content keys among them, by which records with this key know that input as a whole."""
        found = set()
        for identity in self._by_digest.get(key, ()):
            inputs = self.records[identity].inputs
            if input_number < len(inputs):
                found |= {link.parent for link in inputs[input_number] if not link.selector}
        return {parent for parent in found if not self.records[parent].inputs}

    def result(self, identity: RecordId) -> CacheResult | None:
        """The record's newest result, or None if it only joins others."""
        return self._records[identity].result

    def content_keys(self, identity: RecordId, input_number: int) -> set[Digest]:
        """The keys of content by which the record knows an input (it may know it by definition as well)."""
        links = self._records[identity].inputs[input_number]
        parents = (self._records[link.parent] for link in links if not link.selector)
        return {parent.digest for parent in parents if not parent.inputs}
