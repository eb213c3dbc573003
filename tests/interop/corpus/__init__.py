"""The corpus: Dockerfiles with their contexts by theme, and the exceptions of the checks."""

from collections.abc import Mapping

from .adding import CASES as ADDING
from .case import Case
from .copying import CASES as COPYING
from .folders import application_cases
from .generated import generated_cases
from .golden import golden_cases
from .heredocs import CASES as HEREDOCS
from .linking import CASES as LINKING
from .metadata import CASES as METADATA
from .mounts import CASES as MOUNTS
from .stages import CASES as STAGES
from .variables import CASES as VARIABLES

THEMES: Mapping[str, tuple[Case, ...]] = {
    "copy": COPYING,
    "add": ADDING,
    "run": MOUNTS,
    "heredocs": HEREDOCS,
    "variables": VARIABLES,
    "stages": STAGES,
    "metadata and text": METADATA,
    "link": LINKING,
    "applications": application_cases(),
    "golden": golden_cases(),
    "generated": generated_cases(),
}
CASES = tuple(case for cases in THEMES.values() for case in cases)

__all__ = ["CASES", "THEMES", "Case"]
