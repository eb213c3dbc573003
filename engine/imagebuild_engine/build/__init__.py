"""Joining them: one build from request to result. `run.py` is the table of contents.

What stands here is what `imagebuild build` needs. The modules of other commands (`plan`, `explain`, `inspect`,
`step_prune`) are imported by these alone: a full hit is over before they would be read.
"""

from . import progress
from .checks import Checked, run_checks
from .metadata import metadata
from .run import run
from .settings import Settings

__all__ = ["Checked", "Settings", "metadata", "progress", "run", "run_checks"]
