"""Layers made by Python's tarfile: another writer than ours, so that reader and writer cannot be wrong together."""

import io
import tarfile
from collections.abc import Iterable


class Bytes:
    """A layer in memory, read in small pieces."""

    def __init__(self, data: bytes, piece: int = 1 << 16) -> None:
        self._file = io.BytesIO(data)
        self._piece = piece
        self.closed = False

    def read(self, size: int, /) -> bytes:
        return self._file.read(min(size, self._piece))

    def close(self) -> None:
        self.closed = True


def member(
    name: str,
    kind: bytes = tarfile.REGTYPE,
    *,
    data: bytes = b"",
    mode: int | None = None,
    uid: int = 0,
    gid: int = 0,
    link: str = "",
    mtime: float = 1_000_000_000,
    device: tuple[int, int] = (0, 0),
    xattrs: dict[str, str] | None = None,
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    info.mode = mode if mode is not None else 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.uid, info.gid = uid, gid
    info.linkname = link
    info.mtime = mtime
    info.devmajor, info.devminor = device
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in (xattrs or {}).items()}
    return info, data


def directory(name: str, **options: object) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.DIRTYPE, **options)  # type: ignore[arg-type]


def file(name: str, data: bytes | str = b"", **options: object) -> tuple[tarfile.TarInfo, bytes]:
    content = data.encode() if isinstance(data, str) else data
    return member(name, tarfile.REGTYPE, data=content, **options)  # type: ignore[arg-type]


def symlink(name: str, to: str, **options: object) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.SYMTYPE, link=to, mode=0o777, **options)  # type: ignore[arg-type]


def hard_link(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.LNKTYPE, link=to)


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return buffer.getvalue()
