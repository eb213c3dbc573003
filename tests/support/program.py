"""The program `imagebuild` of this virtual environment, as tests start it."""

import os
import sys
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("imagebuild"))


def environment(runtime: str, folder: Path) -> dict[str, str]:
    """The caller's without its own IMAGEBUILD_ settings; what the program leaves lies below the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGEBUILD_")}
    return kept | {"IMAGEBUILD_RUNTIME": runtime, "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
