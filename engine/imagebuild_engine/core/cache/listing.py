"""What a pattern chooses of a tree, as a list (cache/contenthash/checksum.go, includedPaths).

The list has files, links and the headers of directories, in the order of a walk, and of every directory of which it has
something, the header too; but never the header of the root itself. What is below a match of a wildcard belongs to it.
Patterns of `include` and `exclude` are asked about paths relative to the match, or to the path if it has no wildcards.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from ..oci import Digest
from ..patterns import IgnoreMatcher, ParentMatch, has_wildcards, path_match
from .content import DescribedTree, PathNotFound, clean, octets


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of a list. `path` is absolute, as the pattern writes it; `depth` counts the listed directories above."""

    path: str
    digest: Digest
    is_directory: bool
    depth: int

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)


@dataclass(frozen=True)
class Listing:
    """`pattern` is the path that was asked for; `stem` is what stands in it before the first wildcard."""

    pattern: str
    stem: str
    wildcard: bool
    filtered: bool
    follow_links: bool
    entries: tuple[Listed, ...]
    matches: tuple[tuple[str, str], ...]
    """Of each match of a wildcard its base name and its path."""

    @property
    def base(self) -> str:
        return posixpath.basename(self.pattern) or "/"

    @property
    def alone(self) -> Digest | None:
        """The digest of nothing, or of the only entry if it has the name that was asked for: these are no lists."""
        match self.entries:
            case ():
                return Digest.of(b"")
            case (entry,) if entry.name == self.base:
                return entry.digest
        return None

    def by_paths(self) -> Digest:
        """The list's digest with paths, without their common beginning."""
        parts = ((entry.path[len(self.stem) :].replace("/", "\0") or "\0", entry.digest) for entry in self.entries)
        return Digest.of(b"".join(octets(path) + digest.encode() for path, digest in parts))

    def by_names(self) -> Digest:
        """The list's digest with base names."""
        return Digest.of(b"\0".join(octets(entry.name) + entry.digest.encode() for entry in self.entries))


@dataclass(slots=True)
class _Directory:
    """A directory that is open in the walk, listed or not, and what patterns said of it."""

    path: str
    digest: Digest
    include: ParentMatch | None
    exclude: ParentMatch | None
    listed: bool = False


@dataclass(slots=True)
class _Walk:
    tree: DescribedTree
    follow_links: bool
    include: IgnoreMatcher | None
    exclude: IgnoreMatcher | None
    entries: list[Listed] = field(default_factory=list)
    open: list[_Directory] = field(default_factory=list)

    def visit(self, path: str, key: str, relative: str) -> None:
        """`relative` is what patterns are asked about: the path below the match, "" for the match itself."""
        while self.open and not path.startswith(self.open[-1].path + "/"):
            self.open.pop()
        parent = self.open[-1] if self.open else None
        chosen, include, exclude = self._asked(relative, parent)
        entry = self.tree.entry(key)
        if entry.kind == "dir":
            self.open.append(_Directory(path, entry.digest, include, exclude))
            if chosen:
                self._list_open()
        elif chosen:
            self._list_open()
            # What is chosen by itself is copied as what it leads to; what is inside a directory, as the link it is.
            # At the top of the root BuildKit hashes what a link leads to as well, though it copies the link.
            followed = entry.kind == "symlink" and self.follow_links and parent is None
            digest = self.tree.checksum(path) if followed else entry.digest
            self.entries.append(Listed(path, digest, False, len(self.open)))

    def _asked(self, path: str, parent: _Directory | None) -> tuple[bool, ParentMatch | None, ParentMatch | None]:
        include = exclude = None
        if self.include is not None:
            chosen, include = self.include.match(path, parent.include if parent else None)
            if not chosen:
                return False, include, None
        if self.exclude is not None:
            left_out, exclude = self.exclude.match(path, parent.exclude if parent else None)
            if left_out:
                return False, include, exclude
        return True, include, exclude

    def _list_open(self) -> None:
        """Lists the open directories that are not yet: a directory above a listed one always is."""
        first = len(self.open)
        while first and not self.open[first - 1].listed:
            first -= 1
        for depth, directory in enumerate(self.open[first:], first):
            directory.listed = True
            self.entries.append(Listed(directory.path, directory.digest, True, depth))


def listing(
    tree: DescribedTree,
    path: str,
    *,
    wildcard: bool,
    follow_links: bool,
    include: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    required: tuple[str, ...] = (),
) -> Listing:
    """What is chosen. Raises PathNotFound, also for what is required and not there, and BadPattern."""
    pattern = clean(path)
    walk = _Walk(tree, follow_links, _matcher(include), _matcher(exclude))
    matches: list[tuple[str, str]] = []
    if wildcard:
        stem, candidates = _matches(tree, pattern)
        for match, name in candidates:
            matches.append((posixpath.basename(name), name))
            for below in (match, *_below(tree, match)):
                relative = below[len(match) :].replace("\0", "/")
                walk.visit(name + relative, below, relative[1:])
    else:
        stem = "" if pattern == "/" else pattern
        key = tree.resolve(pattern, follow_last=False)
        if key is not None:
            # The root's header is left out: its path is the only one that ends in a slash.
            for below in (*((key,) if stem else ()), *_below(tree, key)):
                relative = below[len(key) :].replace("\0", "/")
                walk.visit(stem + relative, below, relative[1:])
    for needed in required:
        if not any(entry.path.startswith(needed) for entry in walk.entries):
            raise PathNotFound(needed)
    filtered = bool(include or exclude)
    return Listing(pattern, stem, wildcard, filtered, follow_links, tuple(walk.entries), tuple(matches))


def _below(tree: DescribedTree, key: str) -> list[str]:
    return tree.below(key) if tree.entry(key).kind == "dir" else []


@lru_cache(maxsize=64)
def _matcher(patterns: tuple[str, ...]) -> IgnoreMatcher | None:
    return IgnoreMatcher.of(patterns) if patterns else None


def _matches(tree: DescribedTree, pattern: str) -> tuple[str, Iterator[tuple[str, str]]]:
    """What stands before the first wildcard; the matches in order, each as key and as written. Raises BadPattern."""
    names = pattern.split("/")[1:]
    fixed = 0
    while fixed < len(names) and not has_wildcards(names[fixed]):
        fixed += 1
    # What stands before the first wildcard is looked up through links, but matched as it is written.
    stem = "".join("/" + name for name in names[:fixed])
    prefix = tree.resolve(stem, follow_last=True)
    return stem, iter(()) if prefix is None else _matches_below(tree, pattern, stem, prefix)


def _matches_below(tree: DescribedTree, pattern: str, stem: str, prefix: str) -> Iterator[tuple[str, str]]:
    """What is below a match is no match of its own."""
    # Only a class can match a slash (path.Match); without one, the depth must be the same.
    depth = None if "[" in pattern else pattern.count("/")
    last: str | None = None
    for key in tree.below(prefix):
        name = stem + key[len(prefix) :].replace("\0", "/")
        if last is not None and name.startswith(last + "/"):
            continue
        if (depth is None or name.count("/") == depth) and path_match(pattern, name):
            last = name
            yield key, name
