"""The images that the cluster brings: made on this machine, kept in the cache folder, pushed to the cluster's registry.

    library/pause:1             what holds a pod's namespaces
    library/busybox:1           a shell and small programs, for pods of tests
    library/debian-python:12    Debian with Python 3.11 and git: the base of the imagebuild image and of the demo

The imagebuild image itself is not made here: the project's own engine builds it from the project's Dockerfile, with
`debian-python` as its base, and pushes it. Whoever has an image as an OCI layout instead hands it to `publish`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import debian, layout
from tests.cluster.layout import Entry, Registry
from tests.cluster.tools import cache_home

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SUITE = "bookworm"
BASE_PACKAGES = ("usr-is-merged", "ca-certificates", "git", "libseccomp2", "python3")
# Left out while unpacking, so that dpkg knows.
BASE_WITHOUT = ("doc", "man", "info", "locale", "lintian", "bash-completion")
# Removed at the end: what differs from run to run or tells of this machine, and what nothing in the image uses
# (git needs no more of Perl than Debian's essential perl-base for what a builder does).
BASE_REMOVED = (
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d",
    "etc/hostname",
    "etc/resolv.conf",
    "usr/lib/*/gconv",
    "usr/lib/*/perl",
    "usr/share/perl",
    "usr/share/zoneinfo",
    "var/cache/*",
    "var/lib/apt/lists/*",
    "var/lib/dpkg/*-old",
    "var/log/*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image that can be made."""

    repository: str
    tag: str
    recipe: str
    """Everything that decides the content; the cache is kept by its hash."""
    layer: Callable[[], bytes]
    settings: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """The image's layout in the cache."""
        key = hashlib.sha256(repr((self.recipe, sorted(self.settings.items()))).encode()).hexdigest()[:16]
        return cache_home() / "images" / f"{self.repository.replace('/', '-')}-{key}"

    def make(self) -> Path:
        """Its layout, made unless the cache has it."""
        if (self.folder / "index.json").exists():
            return self.folder
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f".{self.folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (self.folder / "index.json").exists():
                start = time.monotonic()
                created_by = f"imagebuild test cluster: {self.repository}"
                layout.write(self.folder, layer=self.layer(), settings=self.settings, created_by=created_by)
                seconds = time.monotonic() - start
                print(f"image {self.repository}:{self.tag}: made in {seconds:.1f} s", file=sys.stderr, flush=True)
        return self.folder


PAUSE_SOURCE = Path(__file__).with_name("pause.c")


def _pause_layer() -> bytes:
    debian.ensure("build")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "pause"
        subprocess.run(["gcc", "-static", "-Os", "-s", "-o", program, PAUSE_SOURCE], check=True)
        return layout.pack([Entry(name="pause", data=program.read_bytes())])


def pause() -> Image:
    settings = {"Entrypoint": ["/pause"], "User": "65535:65535", "WorkingDir": "/"}
    return Image(
        repository="library/pause", tag="1", recipe=PAUSE_SOURCE.read_text(), layer=_pause_layer, settings=settings
    )


def _busybox_layer() -> bytes:
    debian.ensure("images")
    program = Path("/bin/busybox")
    names = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    accounts = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
    return layout.pack(
        [
            Entry(name="bin/busybox", data=program.read_bytes()),
            *(Entry(name=f"bin/{name}", link="busybox") for name in sorted(set(names) - {"busybox"})),
            Entry(name="etc/passwd", data=accounts, mode=0o644),
            Entry(name="etc/group", data=b"root:x:0:\nnogroup:x:65534:\n", mode=0o644),
            Entry(name="root", mode=0o700),
            Entry(name="tmp", mode=0o1777),
        ]
    )


def busybox() -> Image:
    settings = {"Env": [PATH], "Cmd": ["/bin/sh"], "WorkingDir": "/"}
    return Image(
        repository="library/busybox", tag="1", recipe="busybox-static/1", layer=_busybox_layer, settings=settings
    )


def base_command(output: Path, sources: list[str]) -> list[str]:
    """The mmdebstrap call that writes the base image's root file system as a tar."""
    removed = " ".join(f'"$1"/{name}' for name in BASE_REMOVED)
    return [
        "nice",
        "mmdebstrap",
        "--quiet",
        "--variant=essential",
        f"--include={','.join(BASE_PACKAGES)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in BASE_WITHOUT),
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        f"--customize-hook=rm -rf {removed}",
        SUITE,
        str(output),
        *sources,
    ]


def _machine_sources() -> list[str]:
    """Where this machine gets Debian from, if it is the same Debian; else mmdebstrap's default is as good as any."""
    release = Path("/etc/os-release").read_text()
    if f"VERSION_CODENAME={SUITE}" not in release:
        return []
    known = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
    return [str(file) for file in known if file.exists() and SUITE in file.read_text()]


def _base_layer() -> bytes:
    debian.ensure("images")
    print("image library/debian-python:12: making a Debian root file system (a minute)", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "root.tar"
        env = {**os.environ, "SOURCE_DATE_EPOCH": str(layout.EPOCH_SECONDS), "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            base_command(output, _machine_sources()), check=False, capture_output=True, text=True, env=env
        )
        if done.returncode != 0:
            raise RuntimeError(f"mmdebstrap ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return output.read_bytes()


def debian_python() -> Image:
    recipe = repr(base_command(Path("root.tar"), []))
    settings = {"Env": [PATH, "LANG=C.UTF-8"], "Cmd": ["/bin/bash"], "WorkingDir": "/"}
    return Image(repository="library/debian-python", tag="12", recipe=recipe, layer=_base_layer, settings=settings)


def every() -> tuple[Image, ...]:
    return (pause(), busybox(), debian_python())


def publish(registry: Registry, folder: Path, repository: str, tag: str) -> str:
    """Push an image that lies in an OCI layout, and give its reference by digest: `IP:PORT/repository@sha256:…`."""
    return f"{registry.address}/{repository}@{registry.push(folder, repository, tag)}"


def publish_all(registry: Registry) -> None:
    """Make what is missing and push what the registry lacks. Costs one request an image when all is there."""
    for image in every():
        registry.push(image.make(), image.repository, image.tag)
