"""What the steps of a build were made of, and why a later build does not find one of them in a cache."""

from .align import aligned
from .components import MEDIA_TYPE as COMPONENTS_MEDIA_TYPE
from .components import Components, InputComponents, StepComponents, decode_components, encode_components
from .describe import describe_step
from .differences import Difference, difference
from .files import FileEntry, file_changes
from .history import History
from .reasons import AskedSource, AskedStep, Candidate, Explanation, Miss

__all__ = [
    "COMPONENTS_MEDIA_TYPE",
    "AskedSource",
    "AskedStep",
    "Candidate",
    "Components",
    "Difference",
    "Explanation",
    "FileEntry",
    "History",
    "InputComponents",
    "Miss",
    "StepComponents",
    "aligned",
    "decode_components",
    "describe_step",
    "difference",
    "encode_components",
    "file_changes",
]
