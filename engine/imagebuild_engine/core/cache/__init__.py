"""BuildKit's cache: keys, content checksums, records and their forms (inline, cacheconfig), byte for byte.

This package deals in digests and selectors and never sees an op: `graph.cache_map` says how an op is keyed.
"""

from .age import cutoff, without_expired
from .compare import Comparison, Parting, Why, compare, matches
from .config import CONFIG_MEDIA_TYPE, CacheConfig, LayerPlaces, decode_config, encode_config
from .content import DescribedTree, EntryKind, Facts, PathNotFound, TreeEntry, entry_header
from .export import InputKeys, StepKeys, build_records
from .index import CacheIndex, RecordId
from .inline import decode_records, encode_records
from .keys import Spelling, content_key, root_key, selector_of
from .listing import Listing
from .order import normalized
from .record_json import is_time
from .records import ZERO_TIME, CacheResult, ChainResult, InvalidRecords, LayerResult, Link, Record
from .selection import ContentRequest, ContentSelector
from .stacks import Stacks
from .steps import CachedStep, CachedSteps, StepInput, steps_of
from .table import NO_PARENT, LayerTable, joined, without_layers
from .trim import CostedResult, Trimmed, is_cheap, trimmed

__all__ = [
    "CONFIG_MEDIA_TYPE",
    "NO_PARENT",
    "ZERO_TIME",
    "CacheConfig",
    "CacheIndex",
    "CacheResult",
    "CachedStep",
    "CachedSteps",
    "ChainResult",
    "Comparison",
    "ContentRequest",
    "ContentSelector",
    "CostedResult",
    "DescribedTree",
    "EntryKind",
    "Facts",
    "InputKeys",
    "InvalidRecords",
    "LayerPlaces",
    "LayerResult",
    "LayerTable",
    "Link",
    "Listing",
    "Parting",
    "PathNotFound",
    "Record",
    "RecordId",
    "Spelling",
    "Stacks",
    "StepInput",
    "StepKeys",
    "TreeEntry",
    "Trimmed",
    "Why",
    "build_records",
    "compare",
    "content_key",
    "cutoff",
    "decode_config",
    "decode_records",
    "encode_config",
    "encode_records",
    "entry_header",
    "is_cheap",
    "is_time",
    "joined",
    "matches",
    "normalized",
    "root_key",
    "selector_of",
    "steps_of",
    "trimmed",
    "without_expired",
    "without_layers",
]
