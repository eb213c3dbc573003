"""One build of the Dockerfile with our own engine."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from image.context import ROOT, prepare
from tests.cluster import tools

CONTEXT = ROOT / "build" / "image"


def build(base: str, options: Sequence[str], *, quiet: bool = False) -> "subprocess.CompletedProcess[str]":
    """`imagebuild build` on the prepared context. The image's digest goes to standard output, progress to standard
    error; both are kept in the answer where it is `quiet`.
    """
    runc = Path(tools.path("runc"))
    prepare(CONTEXT, runc)
    program = Path(sys.executable).parent / "imagebuild"
    command = [str(program), "build", "--file", str(ROOT / "Dockerfile"), "--build-arg", f"BASE={base}", *options]
    environment = os.environ | {"IMAGEBUILD_RUNTIME": str(runc)}
    return subprocess.run(
        [*command, str(CONTEXT)], check=False, cwd=ROOT, env=environment, capture_output=quiet, text=True
    )
