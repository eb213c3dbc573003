"""Trees and archives that several cases copy."""

import gzip
import io
import tarfile

from .case import Entry, File, Folder, Link


def tree() -> dict[str, Entry]:
    """Everything that a context usually has: modes, links, names with spaces, an empty folder."""
    return {
        "tree": Folder(0o750),
        "tree/plain": File("plain\n"),
        "tree/private": File("p\n", 0o600),
        "tree/program": File("#!/bin/sh\n", 0o755),
        "tree/set-uid": File("s\n", 0o4755),
        "tree/inner": Folder(0o1777),
        "tree/inner/ünï code": File("u\n"),
        "tree/a-b/c": File("1\n"),
        "tree/a/b": File("2\n"),
        "tree/empty": Folder(),
        "tree/link": Link("plain"),
        "tree/dangling": Link("nowhere"),
        "tree/absolute": Link("/etc/passwd"),
        "tree/up": Link("../to-file"),
        "to-tree": Link("tree"),
        "to-file": Link("tree/plain"),
    }


def sources() -> dict[str, Entry]:
    """A project of text files in folders, for patterns."""
    return {
        "a.txt": File("a\n"),
        "b.txt": File("b\n"),
        "exact.txt": File("e\n"),
        "src/main.c": File("int main;\n"),
        "src/main.o": File("o\n"),
        "src/lib/util.c": File("util\n"),
        "src/lib/util.h": File("header\n", 0o600),
        "src/lib/test/util_test.c": File("test\n"),
        "docs/index.md": File("# docs\n"),
        "docs/api/index.md": File("# api\n"),
        "docs/to-source": Link("../src/main.c"),
    }


def archive(compression: str = "gz", top: str = "packed") -> bytes:
    """A small archive with owners, modes and links, the same at every call. Compression: "", gz, bz2 or xz."""
    buffer = io.BytesIO()
    mode = "w" if compression in ("", "gz") else f"w:{compression}"
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as tar:
        for name, kind, data in (
            (top, tarfile.DIRTYPE, b""),
            (f"{top}/one", tarfile.REGTYPE, b"1\n"),
            (f"{top}/two", tarfile.REGTYPE, b"2\n"),
            (f"{top}/link", tarfile.SYMTYPE, b""),
            (f"{top}/again", tarfile.LNKTYPE, b""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime = kind, len(data), 1_700_000_000
            info.mode, info.uid, info.gid = 0o750 if kind == tarfile.DIRTYPE else 0o640, 5, 6
            info.linkname = {tarfile.SYMTYPE: "one", tarfile.LNKTYPE: f"{top}/one"}.get(kind, "")
            tar.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0) if compression == "gz" else buffer.getvalue()
