"""Described trees, made of few words."""

from imagebuild_engine.core.cache import DescribedTree, TreeEntry, entry_header
from imagebuild_engine.core.oci import Digest

from .golden import case

EMPTY = Digest.of(b"")


def file(path: str, data: bytes = b"") -> TreeEntry:
    header = entry_header(mode=0o644, uid=0, gid=0, size=len(data), typeflag="0", linkname="")
    return TreeEntry(path, "file", Digest.of(header + data))


def folder(path: str) -> TreeEntry:
    header = entry_header(mode=0o755, uid=0, gid=0, size=0, typeflag="5", linkname="")
    return TreeEntry(path, "dir", Digest.of(header))


def link(path: str, target: str) -> TreeEntry:
    header = entry_header(mode=0o777, uid=0, gid=0, size=0, typeflag="2", linkname=target)
    return TreeEntry(path, "symlink", Digest.of(header), target)


def listed(*parts: tuple[str, Digest]) -> Digest:
    """What a list of names and digests is hashed to."""
    return Digest.of(b"".join(name.encode() + digest.encode() for name, digest in parts))


def tree() -> DescribedTree:
    """The context of most golden cases: a.txt, b.txt, d/{l -> x, s/y, x}, dl -> d, lnk -> a.txt, Dockerfile."""
    return case("t01").context()


LINKS = DescribedTree(
    [
        folder("d"),
        file("d/x", b"x"),
        link("d/up", "../a"),
        file("a", b"a"),
        link("abs", "/d"),
        link("rel", "d/up"),
        link("out", "../../../../a"),
        link("round", "round"),
        link("gone", "nowhere"),
        link("detour", "nowhere/../a"),
    ]
)
