"""The step cache: a repository in which the result of every step of every build lies under a name made of its key.

What steps are called, what a record says, what to ask for next, and what to prune.
"""

from .names import Contents, KnownInput, Names, StepIdentity, name_of_tag, tag_of
from .plan import FoundStep, ProbePlan
from .record import (
    EMPTY_CONFIG,
    InvalidStep,
    StepBelow,
    StepRecord,
    decode_step,
    empty_config,
    encode_step,
)
from .retention import Keeping, KeptRecord, Pruning, prune, written_at

__all__ = [
    "EMPTY_CONFIG",
    "Contents",
    "FoundStep",
    "InvalidStep",
    "Keeping",
    "KeptRecord",
    "KnownInput",
    "Names",
    "ProbePlan",
    "Pruning",
    "StepBelow",
    "StepIdentity",
    "StepRecord",
    "decode_step",
    "empty_config",
    "encode_step",
    "name_of_tag",
    "prune",
    "tag_of",
    "written_at",
]
