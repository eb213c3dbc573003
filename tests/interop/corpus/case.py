"""A case of the corpus: a Dockerfile, its context and what the build is given.

Dockerfiles name what the tests serve as `registry.test/NAME` (an image of `bases.py`), `http://files.test/NAME` (a
file of the case) and `git://git.test/repo.git` (its Git repository); the workshop puts the real addresses there.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class File:
    """A regular file; text becomes bytes."""

    data: str | bytes = ""
    mode: int = 0o644
    xattrs: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> bytes:
        return self.data.encode() if isinstance(self.data, str) else self.data

    def write(self, path: Path) -> None:
        path.write_bytes(self.bytes)
        path.chmod(self.mode)
        for name, value in self.xattrs.items():
            os.setxattr(path, name, value.encode())


@dataclass(frozen=True)
class Folder:
    """A directory for which its mode matters. Others need not be named."""

    mode: int = 0o755

    def write(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        path.chmod(self.mode)


@dataclass(frozen=True)
class Link:
    target: str

    def write(self, path: Path) -> None:
        path.symlink_to(self.target)


@dataclass(frozen=True)
class HardLink:
    """Another name of a file beside it that comes before."""

    other: str

    def write(self, path: Path) -> None:
        path.hardlink_to(path.parent / self.other)


@dataclass(frozen=True)
class Fifo:
    mode: int = 0o644

    def write(self, path: Path) -> None:
        os.mkfifo(path)
        path.chmod(self.mode)


Entry = File | Folder | Link | HardLink | Fifo


@dataclass(frozen=True)
class Case:
    """`served` are files below http://files.test/, `repository` the files of the only commit of git://git.test/repo.git,
    `contexts` named build contexts: files, or the name of an image.

    `changed` is what a control changes: a file of the context, and the instruction that must not be a hit then.
    `refused` says of builders that cannot build the case why they cannot; a test holds that they do refuse it.
    """

    name: str
    dockerfile: str
    files: Mapping[str, Entry] = field(default_factory=dict)
    file: str = ""
    target: str = ""
    platform: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    ssh: bool = False
    contexts: Mapping[str, Mapping[str, Entry] | str] = field(default_factory=dict)
    add_hosts: Mapping[str, str] = field(default_factory=dict)
    ulimits: tuple[str, ...] = ()
    shm_size: int = 0
    cgroup_parent: str = ""
    network: str = ""
    allow: tuple[str, ...] = ()
    served: Mapping[str, str | bytes] = field(default_factory=dict)
    repository: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, str] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)

    def change(self, context: Path) -> str:
        """Changes the file and nothing else of it (its size and mode stay); the instruction that sees it."""
        assert self.changed is not None
        path, instruction = self.changed
        place = context / path
        mode = place.stat().st_mode & 0o7777
        place.write_bytes(place.read_bytes()[:-1] + b"#")
        os.chmod(place, mode)
        return instruction


def write_tree(folder: Path, files: Mapping[str, Entry]) -> None:
    """The files below a new folder. Modes are set whatever the umask: they are part of the keys."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    for path, entry in files.items():
        target = folder / path
        for parent in reversed(target.relative_to(folder).parents[:-1]):
            if not (folder / parent).exists():
                Folder().write(folder / parent)
        entry.write(target)
