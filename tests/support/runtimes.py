"""An OCI runtime for tests: the one in PATH if it will do, else the one that the disposable cluster's tools build."""

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest
from imagebuild_engine.host.executor import Runtime
from imagebuild_engine.host.executor.runtime import RuntimeUnusable, find_runtime, inspect_runtime

_TOOLS = Path(__file__).parents[1] / "cluster" / "tools.py"


@lru_cache
def _search() -> Runtime | str:
    try:
        return find_runtime(os.environ)
    except RuntimeUnusable as error:
        problem = str(error)
    if _TOOLS.exists():
        done = subprocess.run(
            [sys.executable, str(_TOOLS), "path", "runc"], check=False, capture_output=True, text=True
        )
        path = Path(done.stdout.strip())
        if done.returncode == 0 and path.is_file():
            return inspect_runtime(path)
    return problem


def runtime() -> Runtime:
    found = _search()
    if isinstance(found, str):
        builds = "python3 tests/cluster/tools.py path runc builds one"
        pytest.skip(f"needs runc 1.2 or crun 1.9 or newer ({found}): {builds}")
    return found
