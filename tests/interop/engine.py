"""`imagebuild build`, each time in a fresh process: forked from one that has imported it, for a start takes 0.4 s."""

import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.program import environment

_SECONDS = 120.0
_PRELOAD = ["__main__", "imagebuild_engine.cli", "imagebuild_engine.build", "imagebuild_engine.build.progress"]


@dataclass(frozen=True)
class Built:
    """What our engine said of a build."""

    result: dict[str, Any]
    log: str

    @property
    def executed(self) -> list[str]:
        """Steps that ran, as the Dockerfile has them."""
        return [step["instruction"] for step in self.result["steps"] if step["outcome"] != "hit"]


class Engine:
    """Our program, as often as wanted and several at a time."""

    def __init__(self, runtime: str, folder: Path) -> None:
        self._environment = environment(runtime, folder)
        self._folder = folder
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)

    def build(self, name: str, arguments: Sequence[str]) -> Built:
        """The build's result; raises AssertionError with the log if it fails. `name` is of this build alone."""
        folder = self._folder / name
        folder.mkdir(parents=True)
        metadata, log = folder / "metadata.json", folder / "log"
        command = ["build", "--progress", "plain", "--metadata-file", str(metadata), *arguments]
        process = self._context.Process(target=_main, args=(command, self._environment, str(log)))
        process.start()
        process.join(_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        said = log.read_text(errors="replace")
        assert process.exitcode == 0, f"imagebuild {' '.join(command)}\nexit code {process.exitcode}\n{said}"
        return Built(json.loads(metadata.read_text())["imagebuild.result"], said)


def _main(command: Sequence[str], environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["imagebuild", *command]
    from imagebuild_engine.cli import main

    main()
