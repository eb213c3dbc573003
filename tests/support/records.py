"""Cache records compared as a builder uses them: what matters is whether a step would be found, not equality."""

from collections.abc import Sequence

from imagebuild_engine.core.cache import CacheIndex, Record


def unfound(known: Sequence[Record], asked: Sequence[Record]) -> list[str]:
    """Which of the steps asked for would not be found among the known ones, each with a word on why.

    A builder finds a step if one record has its key and knows each of its inputs in at least one of the ways in which
    the builder itself knows them; so of sources and contents, enough must be known. A step with a result must be found
    with the same one.
    """
    index = CacheIndex(known)
    found: dict[int, set[int]] = {}
    missing: list[str] = []

    def find(number: int) -> set[int]:
        if number in found:
            return found[number]
        record = asked[number]
        inputs = [{(link.selector, there) for link in links for there in find(link.parent)} for links in record.inputs]
        matches = found[number] = index.match(record.digest, inputs) if record.inputs else index.root(record.digest)
        results = _results(record)
        if not record.inputs:
            return matches
        if not matches:
            key = "its key" if index.knows(record.digest) else "no such key"
            missing.append(f"{number}: {key}, {len(record.inputs)} inputs, result {sorted(results)}")
        elif not results <= {item for match in matches for item in _results(index.records[match])}:
            missing.append(f"{number}: found without its result {sorted(results)}")
        return matches

    for number in range(len(asked)):
        find(number)
    return missing


def _results(record: Record) -> set[tuple[int, ...]]:
    """The layers of each result, however it is written."""
    return {tuple(range(item.layer + 1)) for item in record.results} | {item.layers for item in record.chains}
