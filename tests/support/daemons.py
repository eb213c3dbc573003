"""The real builders: Debian's dockerd and a current buildkitd, each with a folder, a socket and a life of its own.

with running_dockerd(folder) as dockerd:
    dockerd.build(context, tag="127.0.0.1:5000/app:1", cache_from="127.0.0.1:5000/app:0")
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from tests.cluster.tools import ToolError, build
from tests.support.build_options import Options, as_buildctl, as_docker
from tests.support.processes import end_process

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_BUILD_SECONDS = 120.0
_PACKAGES = "install Debian's docker.io (python3 tests/cluster/tools.py packages interop)"
_PLAIN = Options()
_STEP = re.compile(r"^#(\d+) \[(?!internal\])([^\]]*?)(\d+)/(\d+)\] (.*)$")
_END = re.compile(r"^#(\d+) (CACHED|DONE .*|ERROR.*)$")


@dataclass(frozen=True)
class Steps:
    """What a builder's plain progress says of the Dockerfile's steps, FROM apart: instruction → "CACHED" or "DONE"."""

    outcomes: dict[str, str]
    log: str

    @property
    def executed(self) -> list[str]:
        """Steps that were not taken from a cache."""
        return [step for step, outcome in self.outcomes.items() if outcome != "CACHED"]


def read_progress(log: str) -> Steps:
    """Steps by their text. One that never ended was not needed: nothing of it was carried out.

    BuildKit tells a vertex's name again with every change of it, so the number counts.
    """
    names: dict[str, str] = {}
    ends: dict[str, str] = {}
    for line in log.splitlines():
        if (step := _STEP.match(line)) is not None and not step[5].startswith("FROM "):
            names[step[1]] = f"{step[2].strip()} {step[5]}".strip()
        elif (end := _END.match(line)) is not None:
            ends[end[1]] = end[2].partition(" ")[0]
    return Steps({name: ends[number] for number, name in names.items() if number in ends}, log)


class Builder(Protocol):
    """A builder that pushes what it builds, with its inline cache."""

    def build(self, context: Path, tag: str, *, cache_from: str = "", options: Options = _PLAIN) -> Steps:
        """Build and push; raises AssertionError with the log if that fails."""
        ...

    def forget(self) -> None:
        """Drop everything that it has built or pulled."""
        ...


def missing_dockerd() -> str:
    """Why dockerd cannot be started here, or nothing."""
    if os.geteuid() != 0:
        return "needs root: dockerd mounts file systems"
    absent = [tool for tool in ("dockerd", "containerd", "runc", "ip") if not shutil.which(tool)]
    if absent:
        return f"{', '.join(absent)} missing: {_PACKAGES}"
    return "" if docker_client() else f"there is no docker client of dockerd's own version: {_PACKAGES}"


@cache
def docker_client() -> str:
    """The docker client that belongs to the dockerd: later ones build with a plugin only. "" if there is none."""
    wanted = _version("dockerd")
    places = dict.fromkeys([*os.get_exec_path(), "/usr/bin"])
    clients = [found for place in places if (found := shutil.which("docker", path=place))]
    return next((client for client in clients if wanted and _version(client) == wanted), "")


def _version(command: str) -> str:
    done = subprocess.run([command, "--version"], check=False, capture_output=True, text=True)
    found = re.search(r"version ([0-9.]+)", done.stdout)
    return found[1] if found else ""


@dataclass(frozen=True)
class Dockerd:
    """A running dockerd; its client is told everything by the environment."""

    environment: dict[str, str]

    def build(self, context: Path, tag: str, *, cache_from: str = "", options: Options = _PLAIN) -> Steps:
        command = ["build", "--progress", "plain", "--build-arg", "BUILDKIT_INLINE_CACHE=1", "--tag", tag]
        command += ["--file", str(context / options.file)] if options.file else []
        command += ["--cache-from", cache_from] if cache_from else []
        done = self._docker(*command, *as_docker(options), str(context))
        self._docker("push", "--quiet", tag)
        return read_progress(done.stderr)

    def forget(self) -> None:
        images = self._docker("images", "--quiet", "--no-trunc").stdout.split()
        if images:
            self._docker("rmi", "--force", *dict.fromkeys(images))
        self._docker("builder", "prune", "--all", "--force")

    def _docker(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return _checked([docker_client(), *arguments], self.environment)


@contextmanager
def running_dockerd(folder: Path) -> Iterator[Dockerd]:
    """A dockerd with its data below the folder.

    Steps run on a bridge of our own without a way out: another network mode would be part of their keys.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "daemon.json").write_text("{}")
    # Paths of sockets are short (unix(7): 108 bytes), the test's folder may not be.
    with tempfile.TemporaryDirectory(prefix="ib-dockerd-") as short, _bridge() as bridge:
        host = f"unix://{short}/docker.sock"
        command = [
            *("dockerd", "--config-file", str(folder / "daemon.json"), "--host", host),
            *("--data-root", str(folder / "data"), "--exec-root", f"{short}/exec", "--pidfile", f"{short}/pid"),
            *("--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
            *("--userland-proxy=false", "--storage-driver", "overlay2"),
        ]
        environment = _environment() | {"DOCKER_HOST": host, "DOCKER_BUILDKIT": "1", "HOME": str(folder)}
        ready = [docker_client(), "version"]
        with _daemon(command, folder / "dockerd.log", lambda: _works(ready, environment)):
            yield Dockerd(environment)


@contextmanager
def _bridge() -> Iterator[str]:
    """A bridge of this process. Its address is one that no network has (RFC 5737)."""
    name = f"ibt{os.getpid()}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", "192.0.2.1/24", "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=False)


def missing_buildkitd() -> str:
    """Why buildkitd cannot be started here, or nothing. Builds it if need be."""
    if os.geteuid() != 0:
        return "needs root: buildkitd mounts file systems"
    try:
        build(["buildkitd", "buildctl", "runc"])
    except (ToolError, OSError) as error:
        return f"buildkitd cannot be built: {error}"
    return ""


@dataclass(frozen=True)
class Buildkitd:
    """A running buildkitd and its client."""

    buildctl: tuple[str, ...]

    def build(self, context: Path, tag: str, *, cache_from: str = "", options: Options = _PLAIN) -> Steps:
        imports = [f"type=registry,ref={cache_from}"] if cache_from else []
        return self.build_with(context, tag, imports=imports, exports=["type=inline"], options=options)

    def build_with(
        self,
        context: Path,
        tag: str,
        *,
        imports: Sequence[str] = (),
        exports: Sequence[str] = (),
        options: Options = _PLAIN,
    ) -> Steps:
        """Build and push with caches as buildctl's --import-cache and --export-cache have them."""
        # It would turn its copy of the last context into this one, and may keep checksums of what is there no more.
        _checked([*self.buildctl, "prune", "--filter", "type==source.local"], _environment())
        command = [
            *("build", "--progress", "plain", "--frontend", "dockerfile.v0"),
            *("--local", f"context={context}", "--local", f"dockerfile={context}"),
            *("--output", f"type=image,name={tag},push=true,oci-mediatypes=true"),
            *(part for item in imports for part in ("--import-cache", item)),
            *(part for item in exports for part in ("--export-cache", item)),
        ]
        command += as_buildctl(options)
        return read_progress(_checked([*self.buildctl, *command], _environment()).stderr)

    def forget(self) -> None:
        _checked([*self.buildctl, "prune", "--all"], _environment())


@contextmanager
def running_buildkitd(folder: Path, registry: str) -> Iterator[Buildkitd]:
    """A buildkitd with its data below the folder, which speaks plain HTTP with the registry."""
    tools = build(["buildkitd", "buildctl", "runc"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "buildkitd.toml").write_text(
        f'insecure-entitlements = ["security.insecure", "network.host"]\n[registry."{registry}"]\n  http = true\n'
    )
    with tempfile.TemporaryDirectory(prefix="ib-buildkitd-") as short:
        address = f"unix://{short}/buildkitd.sock"
        command = [
            *(str(tools["buildkitd"]), "--config", str(folder / "buildkitd.toml"), "--addr", address),
            *("--root", str(folder / "root"), "--oci-worker=true", "--containerd-worker=false"),
            *("--oci-worker-binary", str(tools["runc"]), "--oci-worker-net", "host"),
            *("--oci-worker-snapshotter", "overlayfs", "--oci-worker-gc=false"),
        ]
        client = (str(tools["buildctl"]), "--addr", address)
        ready = [*client, "debug", "workers"]
        with _daemon(command, folder / "buildkitd.log", lambda: _works(ready, _environment())):
            yield Buildkitd(client)


@contextmanager
def _daemon(command: Sequence[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """The daemon, from the moment when it answers until it has ended in an orderly way."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment(), start_new_session=True
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                end = log.read_text(errors="replace")[-3000:]
                raise AssertionError(f"{Path(command[0]).name} does not answer:\n{end}")
            time.sleep(0.1)
        yield
    finally:
        end_process(process, _STOP_SECONDS)


def _works(command: Sequence[str], environment: dict[str, str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True, env=environment, timeout=30).returncode == 0


def _checked(command: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=_BUILD_SECONDS)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done


def _environment() -> dict[str, str]:
    """Nothing of the caller's: a proxy or a docker config would change what is built."""
    return {"PATH": os.environ.get("PATH", os.defpath), "OTEL_TRACES_EXPORTER": "none"}
