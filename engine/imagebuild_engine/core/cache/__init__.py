"""BuildKit's cache: keys, content checksums, records and their inline form, byte for byte.

This package deals in digests and selectors and never sees an op: `graph.cache_map` says how an op is keyed.
"""

from .content import DescribedTree, EntryKind, PathNotFound, TreeEntry, entry_header
from .export import InputKeys, StepKeys, build_records
from .index import CacheIndex, RecordId
from .inline import InvalidRecords, decode_records, encode_records, normalized
from .keys import Spelling, content_key, root_key, selector_of
from .records import CacheResult, ChainResult, LayerResult, Link, Record
from .selection import ContentRequest, ContentSelector
from .wildcard import BadWildcard, has_wildcards, wildcard_match

__all__ = [
    "BadWildcard",
    "CacheIndex",
    "CacheResult",
    "ChainResult",
    "ContentRequest",
    "ContentSelector",
    "DescribedTree",
    "EntryKind",
    "InputKeys",
    "InvalidRecords",
    "LayerResult",
    "Link",
    "PathNotFound",
    "Record",
    "RecordId",
    "Spelling",
    "StepKeys",
    "TreeEntry",
    "build_records",
    "content_key",
    "decode_records",
    "encode_records",
    "entry_header",
    "has_wildcards",
    "normalized",
    "root_key",
    "selector_of",
    "wildcard_match",
]
