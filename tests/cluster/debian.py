"""Debian packages of `packages.txt`: which are missing, and their installation without starting any service."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

LIST = Path(__file__).with_name("packages.txt")
POLICY = Path("/usr/sbin/policy-rc.d")


class PackagesMissing(RuntimeError):
    """Packages are not installed and could not be; `names` says which."""

    def __init__(self, names: Sequence[str], why: str) -> None:
        self.names = tuple(names)
        super().__init__(f"Debian packages are missing and {why}: install {' '.join(names)}")


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """Purpose → package names, from `[purpose]` headings with one name a line below."""
    groups: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            current = groups.setdefault(line[1:-1], [])
        elif current is None:
            raise ValueError(f"packages.txt:{number}: {line!r} stands before the first [purpose]")
        else:
            current.append(line)
    return {purpose: tuple(names) for purpose, names in groups.items()}


def wanted(purposes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names of these purposes, each once, in the file's order; of all purposes where none is named."""
    unknown = [purpose for purpose in purposes if purpose not in groups]
    if unknown:
        raise ValueError(f"no such purpose: {', '.join(unknown)} (there are {', '.join(groups)})")
    return tuple(dict.fromkeys(name for purpose in (purposes or tuple(groups)) for name in groups[purpose]))


def missing(names: Sequence[str]) -> tuple[str, ...]:
    """Those that dpkg does not know as installed."""
    query = ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *names]
    try:
        shown = subprocess.run(query, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise PackagesMissing(names, "this is not a Debian system") from error
    installed = {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}
    return tuple(name for name in names if name not in installed)


@contextlib.contextmanager
def services_stay_off() -> Iterator[None]:
    """Packages such as docker.io start their service on installation; `policy-rc.d` is Debian's way to say no."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def ensure(*purposes: str) -> None:
    """Install what is missing of these purposes (all purposes where none is named)."""
    absent = missing(wanted(purposes, parse(LIST.read_text())))
    if not absent:
        return
    if os.geteuid() != 0:
        raise PackagesMissing(absent, "only root may install them")
    print(f"Debian packages: installing {' '.join(absent)}", file=sys.stderr, flush=True)
    with services_stay_off():
        if not _apt("install", "--yes", "--no-install-recommends", *absent):
            # The lists are absent on a fresh machine and name vanished versions on an old one.
            _apt("update")
            _apt("install", "--yes", "--no-install-recommends", *absent)
    still = missing(absent)
    if still:
        raise PackagesMissing(still, "apt-get could not install them (its output is above)")


def _apt(*words: str) -> bool:
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", *words]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, check=False, env=env, stdout=sys.stderr).returncode == 0
