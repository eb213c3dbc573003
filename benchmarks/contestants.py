"""The builders that are compared. Each starts every build with nothing of its own left but what the registry has."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.daemons import Buildkitd, read_progress

from .measure import Daemon, Usage, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One measured build: what it used, the image's digest, and which steps ran (all others came from the cache)."""

    usage: Usage
    digest: str
    executed: frozenset[str]


class Contestant(Protocol):
    """A builder. `repository` is its own, so that nobody profits from what another has pushed.

    `inline`: its images carry their cache.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def repository(self) -> str: ...

    @property
    def inline(self) -> bool: ...

    def forget(self) -> None:
        """Drop what an earlier build has left, outside of the measured time."""
        ...

    def build(self, context: Path, tag: str, cache_tag: str = "") -> Built:
        """Build, push to the repository under the tag and keep the cache there, too. Raises CommandFailed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The program `imagebuild` as people start it, a new process without any state each time."""

    repository: str
    folder: Path
    runtime: Path
    name: str = "ours"
    title: str = "imagebuild"
    inline: bool = True

    def forget(self) -> None:
        assert not list(self.folder.glob("build-*")), "an earlier build has left something"

    def build(self, context: Path, tag: str, cache_tag: str = "") -> Built:
        metadata = self.folder / "metadata.json"
        metadata.unlink(missing_ok=True)
        command = [
            *(str(Path(sys.executable).with_name("imagebuild")), "build", "--progress", "plain", "--push"),
            *("--tag", f"{self.repository}:{tag}", "--metadata-file", str(metadata)),
            *(("--cache-from", f"{self.repository}:{cache_tag}") if cache_tag else ()),
            str(context),
        ]
        environment = _environment(self.folder) | {
            "IMAGEBUILD_RUNTIME": str(self.runtime),
            "TMPDIR": str(self.folder),
        }
        usage, _ = run(command, environment, self.folder)
        told = json.loads(metadata.read_text())
        steps = told["imagebuild.result"]["steps"]
        executed = frozenset(step["instruction"] for step in steps if step["outcome"] != "hit")
        return Built(usage=usage, digest=told["containerimage.digest"], executed=executed)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildKit:
    """A running buildkitd and `buildctl`. Time is the client's, processor time both's, memory the daemon's."""

    daemon: Buildkitd
    repository: str
    folder: Path
    mode_max: bool = False

    @property
    def name(self) -> str:
        return "buildkit-max" if self.mode_max else "buildkit"

    @property
    def title(self) -> str:
        return "BuildKit, mode=max registry cache" if self.mode_max else "BuildKit, inline cache"

    @property
    def inline(self) -> bool:
        return not self.mode_max

    def forget(self) -> None:
        self.daemon.forget()

    def build(self, context: Path, tag: str, cache_tag: str = "") -> Built:
        metadata = self.folder / "metadata.json"
        metadata.unlink(missing_ok=True)
        command = [
            *(*self.daemon.buildctl, "build", "--progress", "plain", "--frontend", "dockerfile.v0"),
            *("--local", f"context={context}", "--local", f"dockerfile={context}", "--metadata-file", str(metadata)),
            *("--output", f"type=image,name={self.repository}:{tag},push=true,oci-mediatypes=true"),
            *self._cache(tag, cache_tag),
        ]
        process = Daemon.behind(self.daemon.buildctl[-1].removeprefix("unix://"))
        process.forget_peak()
        before = process.cpu()
        usage, log = run(command, _environment(self.folder), self.folder)
        usage = Usage(seconds=usage.seconds, cpu=usage.cpu + process.cpu() - before, peak=process.peak())
        digest: str = json.loads(metadata.read_text())["containerimage.digest"]
        # `[build 3/4] COPY …` is "build COPY …" in the progress; the stage is of no interest here.
        executed = frozenset(step.partition(" ")[2] for step in read_progress(log).executed)
        return Built(usage=usage, digest=digest, executed=executed)

    def _cache(self, tag: str, cache_tag: str) -> Sequence[str]:
        if not self.mode_max:
            imports = f"type=registry,ref={self.repository}:{cache_tag}"
            exports = "type=inline"
        else:
            imports = f"type=registry,ref={self.repository}-cache:{cache_tag}"
            exports = f"type=registry,ref={self.repository}-cache:{tag},mode=max,oci-mediatypes=true"
        return ["--export-cache", exports, *(["--import-cache", imports] if cache_tag else [])]


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the caller's but the path: a docker config or a proxy would change what is measured."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder),
        "OTEL_TRACES_EXPORTER": "none",
    }
