"""What tests need of the machine."""

import os
import shutil
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run the tests as root")


def busybox() -> Path:
    """A static shell for root file systems."""
    found = shutil.which("busybox")
    if found is None:
        pytest.skip("needs a static busybox: apt-get install busybox-static")
    return Path(found)
