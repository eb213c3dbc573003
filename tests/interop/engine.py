"""`imagebuild build`, each time in a process of its own."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import forked
from tests.support.program import environment


@dataclass(frozen=True)
class Built:
    """What our engine said of a build."""

    result: dict[str, Any]
    log: str
    plan: dict[str, Any]
    """What `imagebuild plan` had said of it."""

    @property
    def executed(self) -> list[str]:
        """Steps that ran, as the Dockerfile has them."""
        return [step["instruction"] for step in self.result["steps"] if step["outcome"] != "hit"]


@dataclass(frozen=True)
class Engine:
    """Our program, as often as wanted and several at a time; its files and its steps' caches lie below the folder."""

    runtime: str
    folder: Path

    def build(self, name: str, arguments: Sequence[str]) -> Built:
        """Plan, then build: both results. Raises AssertionError with the log if one fails. `name` is of this build
        alone.
        """
        metadata = self.folder / name / "metadata.json"
        metadata.parent.mkdir(parents=True)
        plan = self._run(["plan", "--format", "json", *arguments])
        built = self._run(["build", "--progress", "plain", "--metadata-file", str(metadata), *arguments])
        result = json.loads(metadata.read_text())["imagebuild.result"]
        return Built(result, built.stdout + built.stderr, json.loads(plan.stdout))

    def _run(self, command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        done = forked.run(command, environment(self.runtime, self.folder) | {"HOME": str(self.folder)})
        said = f"imagebuild {' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, said
        return done
