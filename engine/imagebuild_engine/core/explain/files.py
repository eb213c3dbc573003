"""The files that a step read, as far as they are needed to say which of them differ from those of another time.

Paths are absolute in the tree that was read. A directory may be *folded*: one entry stands for all that is below it,
with a digest over its names and entries. That digest does not depend on what was folded before, so files that are told
one by one can be compared with files that are folded.
"""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from ..cache import ContentRequest, ContentSelector, DescribedTree, Listing, PathNotFound, TreeEntry
from ..oci import Digest
from ..patterns import BadPattern

MAX_DEPTH = 200
"""What lies deeper is always folded."""
UNKNOWN = -1
"""The mode of an entry of which nothing is known but its digest."""

Short = Annotated[str, Meta(max_length=64)]
"""Half of a digest's digits, which is enough to tell things apart."""
EntryType = Literal["file", "dir", "symlink", "char", "block", "fifo", "socket", "folded"]


class FileEntry(NamedTuple):
    """One entry. Of a folded directory `size` is how many entries are in it."""

    kind: EntryType
    digest: Short
    mode: int = UNKNOWN
    uid: int = 0
    gid: int = 0
    size: int = 0
    checksum: int = 0


Path = Annotated[str, Meta(max_length=8192)]
Files = Mapping[str, FileEntry]


def short(*parts: str) -> str:
    """A short digest of texts, each apart from the others."""
    return Digest.of("\0".join(parts).encode("utf-8", "surrogateescape")).hex[:16]


def files_read(tree: DescribedTree, request: ContentRequest) -> dict[str, FileEntry]:
    """What the request reads of the tree; nothing where a path is missing."""
    found: dict[str, FileEntry] = {}
    for selector in request.selectors or (ContentSelector(path="/", follow_links=False),):
        try:
            found.update((_told(path), entry) for path, entry in _selected(tree, selector))
        except (PathNotFound, BadPattern):
            continue
    deep = {"/".join(path.split("/")[: MAX_DEPTH + 1]) for path in found if _depth(path) > MAX_DEPTH}
    return _sorted(_fold_at(found, deep))


def _selected(tree: DescribedTree, selector: ContentSelector) -> Iterator[tuple[str, FileEntry]]:
    if selector.chooses:
        chosen = selector.read(tree)
        assert isinstance(chosen, Listing)
        for item in chosen.entries:
            key = tree.resolve(item.path, follow_last=False)
            if key is not None:
                yield item.path, _entry(tree.entry(key), item.digest)
        return
    key = tree.resolve(selector.path, follow_last=selector.follow_links)
    if key is None:
        return
    stem = "/" + selector.path.strip("/")
    top = tree.entry(key)
    yield stem, _entry(top, top.digest)
    if top.kind == "dir":
        for below in tree.below(key):
            entry = tree.entry(below)
            yield stem.rstrip("/") + below[len(key) :].replace("\0", "/"), _entry(entry, entry.digest)


def _entry(entry: TreeEntry, digest: Digest) -> FileEntry:
    facts = entry.facts
    if facts is None:
        return FileEntry(entry.kind, digest.hex[:16])
    checksum = zlib.crc32(entry.linkname.encode("utf-8", "surrogateescape")) if entry.linkname else facts.checksum
    return FileEntry(entry.kind, digest.hex[:16], facts.mode, facts.uid, facts.gid, facts.size, checksum)


def _told(path: str) -> str:
    """As text, also where a name is no UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def folded(files: Files, limit: int) -> Files:
    """The same with no more than `limit` entries, or with the whole tree as one."""
    if len(files) <= limit:
        return files
    depths = sorted(map(_depth, files))
    depth = depths[limit] - 1 if limit else 0
    return _sorted(_fold_at(files, {path if path != "/" else "" for path in _above(files, max(depth, 0))}))


def folded_like(files: Files, others: Files) -> Files:
    """The files with the directories folded that are folded in the others."""
    tops = {path if path != "/" else "" for path, entry in others.items() if entry.kind == "folded"}
    return _sorted(_fold_at(files, tops)) if tops else files


def _above(files: Files, depth: int) -> set[str]:
    """The directories at that depth that have something below them."""
    return {"/".join(path.split("/")[: depth + 1]) for path in files if _depth(path) > depth}


def _fold_at(files: Files, tops: Collection[str]) -> dict[str, FileEntry]:
    """One entry for each of the directories that have anything in them, the root being ""."""
    if not tops:
        return dict(files)
    depths = {_depth(top or "/") for top in tops}
    inside: defaultdict[str, dict[str, FileEntry]] = defaultdict(dict)
    kept: dict[str, FileEntry] = {}
    for path, entry in files.items():
        parts = path.split("/") if path != "/" else [""]
        ancestors = ("/".join(parts[: depth + 1]) for depth in sorted(depths) if depth < len(parts))
        top = next((name for name in ancestors if name in tops), None)
        if top is None:
            kept[path] = entry
        else:
            inside[top][path if path != "/" else ""] = entry
    for top, entries in inside.items():
        kept[top or "/"] = _one(top, entries)
    return kept


def _one(top: str, entries: Files) -> FileEntry:
    """The directory as one entry: a tree of digests, each over an entry's own and its children's under their names."""
    if set(entries) == {top}:
        return entries[top]
    children: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    paths = set(entries)
    for path in entries:
        while path != top and (path := path.rpartition("/")[0]) not in paths:
            paths.add(path)
    digest = ""
    for path in sorted(paths, key=lambda path: path.count("/"), reverse=True):
        own = entries[path].digest if path in entries else ""
        below = sorted(children.pop(path, ()))
        digest = short(own, *(text for child in below for text in child)) if below else own
        above, _, name = path.rpartition("/")
        children[above].append((name, digest))
    count = sum(entry.size if entry.kind == "folded" else 1 for entry in entries.values())
    return FileEntry("folded", digest, UNKNOWN, 0, 0, count)


def _depth(path: str) -> int:
    return 0 if path == "/" else path.count("/")


def _sorted(files: Files) -> dict[str, FileEntry]:
    return dict(sorted(files.items()))


class FileChange(NamedTuple):
    """How a path differs: `mode` is everything but a file's bytes, with what it was and is in `note`."""

    path: str
    how: Literal["added", "removed", "changed", "mode"]
    note: str = ""


def file_changes(old: Files, new: Files) -> tuple[FileChange, ...]:
    """What differs, by path."""
    old, new = folded_like(old, new), folded_like(new, old)
    paths = sorted(old.keys() | new.keys(), key=lambda path: path.split("/"))
    changes = (_change(path, old.get(path), new.get(path)) for path in paths)
    found = [change for change in changes if change is not None]
    return tuple(_without_consequences(found))


def _change(path: str, old: FileEntry | None, new: FileEntry | None) -> FileChange | None:
    if old is None or new is None:
        return FileChange(path, "added" if old is None else "removed")
    if old.digest == new.digest:
        return None
    if old.kind == "folded" or new.kind == "folded":
        return FileChange(path.rstrip("/") + "/", "changed")
    same_bytes = (old.kind, old.size, old.checksum) == (new.kind, new.size, new.checksum)
    if UNKNOWN in (old.mode, new.mode) or not same_bytes:
        return FileChange(path, "changed")
    notes = []
    if old.mode != new.mode:
        notes.append(f"mode {old.mode:o} → {new.mode:o}")
    if (old.uid, old.gid) != (new.uid, new.gid):
        notes.append(f"owner {old.uid}:{old.gid} → {new.uid}:{new.gid}")
    return FileChange(path, "mode", ", ".join(notes) or "attributes")


def _without_consequences(changes: Iterable[FileChange]) -> Iterator[FileChange]:
    """Of a directory that has come or gone only itself is told, not what is in it."""
    top: FileChange | None = None
    for change in changes:
        if top is not None and change.how == top.how and change.path.startswith(top.path + "/"):
            continue
        top = change if change.how in ("added", "removed") else None
        yield change
