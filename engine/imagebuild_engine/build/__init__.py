"""Joining them: one build from request to result. `run.py` is the table of contents."""

from . import progress
from .checks import Checked, run_checks
from .explain import Explained, Unexplained, beside, explain_file, explain_image
from .inspect import (
    CacheUnreadable,
    Inspected,
    compare_caches,
    comparison_json,
    inspect_cache,
    inspected_json,
    other_layers,
)
from .metadata import metadata
from .plan import plan
from .run import run
from .settings import Settings
from .step_prune import Pruned, PruneFailed, prune_steps

__all__ = [
    "CacheUnreadable",
    "Checked",
    "Explained",
    "Inspected",
    "PruneFailed",
    "Pruned",
    "Settings",
    "Unexplained",
    "beside",
    "compare_caches",
    "comparison_json",
    "explain_file",
    "explain_image",
    "inspect_cache",
    "inspected_json",
    "metadata",
    "other_layers",
    "plan",
    "progress",
    "prune_steps",
    "run",
    "run_checks",
]
