"""`imagebuild` as people run it: a registry, a context, a folder for what it leaves, and the program."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import forked
from tests.support.images import missing_busybox, push_busybox
from tests.support.program import environment
from tests.support.registry import RunningRegistry, missing_registry, running_registry
from tests.support.root import needs_root
from tests.support.runtimes import runtime

EXECUTORS = ("chroot", "oci")
NEEDS_A_REGISTRY = [
    pytest.mark.root,
    pytest.mark.registry,
    needs_root,
    pytest.mark.skipif(bool(missing_busybox()), reason=missing_busybox() or "-"),
    pytest.mark.skipif(bool(missing_registry()), reason=missing_registry() or "-"),
]
"""The marks of tests that build on the busybox image of a registry of their own."""


def runtime_for(executor: str) -> str:
    """What IMAGEBUILD_RUNTIME must be for the executor to be chosen on this machine."""
    return str(runtime().path) if executor == "oci" else "/nonexistent"


@dataclass
class Workshop:
    """A registry, a context and the program."""

    registry: RunningRegistry
    base: str
    context: Path
    folder: Path
    runtime: str

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.context / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return forked.run(arguments, self.environment, cwd=cwd)

    @property
    def environment(self) -> Mapping[str, str]:
        return environment(self.runtime, self.folder)

    def build(self, *arguments: str, tag: str = "app:1") -> "Built":
        metadata = self.folder / "metadata.json"
        metadata.unlink(missing_ok=True)
        done = self.run(
            *("build", "--progress", "plain", "--push", "--tag", f"{self.registry.host}/{tag}"),
            *("--metadata-file", str(metadata), *arguments, str(self.context)),
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert metadata.exists(), done.stderr
        return Built(done.returncode, done.stderr, json.loads(metadata.read_text()))

    def ref(self, tag: str) -> str:
        return f"{self.registry.host}/{tag}"


@contextmanager
def opened_workshop(folder: Path, executor: str = "oci") -> Iterator[Workshop]:
    """A workshop with an empty context and busybox as its base."""
    context = folder / "context"
    context.mkdir()
    with running_registry(folder / "registry") as registry:
        yield Workshop(registry, push_busybox(registry.host), context, folder, runtime_for(executor))


@dataclass
class Built:
    code: int
    log: str
    metadata: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = self.metadata["imagebuild.result"]
        return result

    @property
    def digest(self) -> str:
        assert self.code == 0, self.log
        digest: str = self.metadata["containerimage.digest"]
        return digest

    @property
    def outcomes(self) -> dict[str, str]:
        return {step["instruction"]: step["outcome"] for step in self.result["steps"]}
