"""Dockerfiles of whole applications: a folder of `applications/` each, with what `case.toml` adds to it.

Modes are the two that Git keeps. A folder whose name ends in `.tar.gz` becomes such an archive.
"""

import gzip
import io
import os
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import reasons
from .case import Case, File

_APPLICATIONS = Path(__file__).parent / "applications"
_OPTIONS = "case.toml"
_ARCHIVE = ".tar.gz"


def application_cases() -> tuple[Case, ...]:
    return tuple(_case(folder) for folder in sorted(_APPLICATIONS.iterdir()))


def _case(folder: Path) -> Case:
    given: dict[str, Any] = {}
    if (folder / _OPTIONS).exists():
        given = tomllib.loads((folder / _OPTIONS).read_text())
    if "refused" in given:
        given["refused"] = getattr(reasons, given["refused"])
    files = dict(_files(folder))
    dockerfile = files.pop(given.get("file", "Dockerfile"))
    return Case(name=f"app-{folder.name}", dockerfile=dockerfile.bytes.decode(), files=files, **given)


def _files(folder: Path) -> Iterator[tuple[str, File]]:
    for place, folders, names in os.walk(folder):
        for name in sorted(folders):
            if name.endswith(_ARCHIVE):
                folders.remove(name)
                yield str((Path(place) / name).relative_to(folder)), File(_packed(Path(place) / name))
        for name in sorted(names):
            path = Path(place) / name
            if path != folder / _OPTIONS:
                yield str(path.relative_to(folder)), File(path.read_bytes(), _mode(path))


def _packed(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*")):
            info = tarfile.TarInfo(str(path.relative_to(folder)))
            info.type = tarfile.DIRTYPE if path.is_dir() else tarfile.REGTYPE
            info.mode = 0o755 if path.is_dir() else _mode(path)
            data = b"" if path.is_dir() else path.read_bytes()
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 else 0o644
