"""The records of one cache source, ready to be asked: which of them describe this step on these inputs?"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from ..oci import Digest
from .records import CacheResult, Record

RecordId = int


class CacheIndex:
    """Finds records by key and by what they are linked to. False if there are none."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = tuple(records)
        self._by_digest: defaultdict[str, list[RecordId]] = defaultdict(list)
        for identity, record in enumerate(self.records):
            self._by_digest[record.digest].append(identity)

    def __len__(self) -> int:
        return len(self.records)

    def root(self, key: Digest) -> set[RecordId]:
        """Records of a source or a content key."""
        return {identity for identity in self._by_digest.get(key, ()) if not self.records[identity].inputs}

    def match(self, key: Digest, inputs: Sequence[Collection[tuple[str, RecordId]]]) -> set[RecordId]:
        """Records with this key that know every input by at least one of the given (selector, record) pairs."""
        found = set()
        for identity in self._by_digest.get(key, ()):
            record = self.records[identity]
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
        return self.records[identity].result

    def content_keys(self, identity: RecordId, input_number: int) -> set[Digest]:
        """The keys of content by which the record knows an input (it may know it by definition as well)."""
        links = self.records[identity].inputs[input_number]
        parents = (self.records[link.parent] for link in links if not link.selector)
        return {parent.digest for parent in parents if not parent.inputs}
