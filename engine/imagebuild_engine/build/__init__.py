"""Joining them: one build from request to result. `run.py` is the table of contents."""

from . import progress
from .checks import Checked, run_checks
from .inspect import inspect_cache
from .metadata import metadata
from .run import run
from .settings import Settings

__all__ = ["Checked", "Settings", "inspect_cache", "metadata", "progress", "run", "run_checks"]
