"""What an image holds in the end: its layers laid over each other, read by Python's tarfile and not by our own reader.

Times are left out: no two builders agree on them.
"""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_XATTR = "SCHILY.xattr."
_KINDS = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "folder",
    tarfile.SYMTYPE: "link",
    tarfile.CHRTYPE: "character device",
    tarfile.BLKTYPE: "block device",
    tarfile.FIFOTYPE: "fifo",
}


@dataclass(frozen=True)
class Node:
    """One inode. `content` is a digest, a link's target or a device's numbers."""

    kind: str
    mode: int
    owner: str
    content: str = ""
    xattrs: tuple[tuple[str, str], ...] = ()

    def facts(self) -> dict[str, str]:
        return {
            "kind": self.kind,
            "mode": f"{self.mode:o}",
            "owner": self.owner,
            "content": self.content,
            "xattrs": ", ".join(f"{name}={value!r}" for name, value in self.xattrs),
        }


@dataclass(frozen=True)
class Change:
    """A layer as a list of what it does: paths with nodes, links between paths, removals."""

    nodes: Mapping[str, Node]
    links: Mapping[str, str]
    removed: tuple[str, ...]
    emptied: tuple[str, ...]

    @property
    def idle(self) -> bool:
        """Whether nothing is written or removed, but folders, which builders name again without a change."""
        return not (self.paths or self.removed or self.emptied)

    @property
    def paths(self) -> tuple[str, ...]:
        """What the layer writes, folders apart. Removals are told in two ways, one by one or at once."""
        return tuple(sorted({*(path for path, node in self.nodes.items() if node.kind != "folder"), *self.links}))


def read_layer(data: IO[bytes]) -> Change:
    """The changes of a layer, compressed or not."""
    nodes: dict[str, Node] = {}
    links: dict[str, str] = {}
    removed: list[str] = []
    emptied: list[str] = []
    with tarfile.open(fileobj=data, mode="r:*") as tar:
        for info in tar:
            path = _clean(info.name)
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                emptied.append(folder)
            elif name.startswith(_WHITEOUT):
                removed.append(f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
            elif info.islnk():
                links[path] = _clean(info.linkname)
            elif path:
                nodes[path] = _node(tar, info)
    return Change(nodes, links, tuple(removed), tuple(emptied))


def final_tree(changes: Iterable[Change]) -> dict[str, tuple[Node, str]]:
    """Path → node, and the least path of the same inode: which of its names came first says nothing.

    Whiteouts hide what lower layers have, never what their own layer has (image spec, layer.md).
    """
    tree: dict[str, Node] = {}
    first: dict[str, str] = {}

    def remove(path: str, *, itself: bool) -> None:
        for name in [name for name in tree if name.startswith(f"{path}/") or (itself and name == path)]:
            del tree[name], first[name]

    for change in changes:
        for path in change.removed:
            remove(path, itself=True)
        for path in change.emptied:
            remove(path, itself=False)
        for path, node in change.nodes.items():
            if node.kind != "folder" or (path in tree and tree[path].kind != "folder"):
                remove(path, itself=True)
            tree[path], first[path] = node, path
        for path, other in change.links.items():
            remove(path, itself=True)
            tree[path], first[path] = tree[other], first[other]
    least: dict[str, str] = {}
    for path in sorted(tree):
        least.setdefault(first[path], path)
    return {path: (node, least[first[path]]) for path, node in sorted(tree.items())}


def tree_differences(ours: Mapping[str, tuple[Node, str]], theirs: Mapping[str, tuple[Node, str]]) -> list[str]:
    """One line for each fact that differs."""
    lines: list[str] = []
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs:
            lines.append(f"/{path}: only in {'ours' if path in ours else 'theirs'}")
            continue
        (our, our_name), (their, their_name) = ours[path], theirs[path]
        our_facts, their_facts = our.facts(), their.facts()
        lines += [
            f"/{path}: {fact} {our_facts[fact] or 'none'}, theirs {their_facts[fact] or 'none'}"
            for fact in our_facts
            if our_facts[fact] != their_facts[fact]
        ]
        if our_name != their_name:
            lines.append(f"/{path}: one file with /{our_name}, theirs with /{their_name}")
    return lines


def value_differences(ours: Any, theirs: Any, where: str) -> list[str]:
    """Two JSON values compared, a line for each place where they differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted(ours.keys() | theirs.keys())
        return [
            line
            for key in keys
            for line in value_differences(ours.get(key), theirs.get(key), f"{where}.{key}" if where else key)
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [line for number, (a, b) in pairs for line in value_differences(a, b, f"{where}[{number}]")]
    return [] if ours == theirs else [f"{where}: {ours!r}, theirs {theirs!r}"]


def _node(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Node:
    content = ""
    if info.isreg():
        data = tar.extractfile(info) or io.BytesIO()
        content = f"{info.size} bytes, {sha256(data.read()).hexdigest()[:16]}"
    elif info.issym():
        content = info.linkname
    elif info.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
        content = f"{info.devmajor}:{info.devminor}"
    xattrs = {key.removeprefix(_XATTR): value for key, value in info.pax_headers.items() if key.startswith(_XATTR)}
    mode = 0o777 if info.issym() else info.mode & 0o7777
    return Node(_KINDS[info.type], mode, f"{info.uid}:{info.gid}", content, tuple(sorted(xattrs.items())))


def _clean(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))
