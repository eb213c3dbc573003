"""COPY, ADD and WORKDIR carried out: the actions of a file op on a writable tree."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..core.dockerfile import IgnoreMatcher, IgnorePatterns, parse_mode
from ..core.graph import Chown as ChownOf
from ..core.graph import CopyAction, FileAction, MkdirAction, MkfileAction, Owner, UserById
from ..core.patterns import has_wildcards, path_match
from ..host.layers import is_archive, unpack_archive
from ..host.rootfs import (
    CopyOptions,
    CopySourceMissing,
    Selection,
    Tree,
    clean,
    copy,
    lookup_owner,
    make_directory,
    make_file,
)
from ..host.rootfs import Owner as FileOwner


@dataclass(frozen=True, slots=True)
class CopySource:
    """The tree that is copied from.

    `owner` is whose its files are, whatever the disk says (None: as the disk says); `exists` says of a path whether it
    is there at all (None: as the disk says).
    """

    tree: Tree
    owner: FileOwner | None = None
    exists: Callable[[bytes], bool] | None = None


def perform(action: FileAction, target: Tree, source: CopySource | None, *, names: Tree | None) -> None:
    """One action. `names` is the tree in which owners' names are looked up (None: there is none, as on scratch).

    Blocks.
    """
    owner = _owner(action.owner, names)
    mtime_ns = None if action.timestamp < 0 else action.timestamp
    match action:
        case MkdirAction():
            parents = action.make_parents
            make_directory(target, action.path, mode=action.mode, make_parents=parents, owner=owner, mtime_ns=mtime_ns)
        case MkfileAction():
            make_file(target, action.path, action.data, mode=action.mode, owner=owner, mtime_ns=mtime_ns)
        case CopyAction():
            assert source is not None
            _copy(action, target, source, owner, mtime_ns)


def _copy(action: CopyAction, target: Tree, source: CopySource, owner: FileOwner | None, mtime_ns: int | None) -> None:
    _require(action, source)
    options = CopyOptions(
        owner=owner or source.owner,
        mode=None if action.mode < 0 or action.mode_text else action.mode,
        change_mode=_change(action.mode_text),
        follow_symlink=action.follow_symlink,
        directory_contents=action.dir_copy_contents,
        create_destination=action.create_dest_path,
        mtime_ns=mtime_ns,
        selection=Selection(
            exists=source.exists,
            include=_matcher(action.include_patterns),
            exclude=_matcher(action.exclude_patterns),
        ),
    )
    for path in expanded(action, source):
        if not (action.unpack_archive and _unpacked(path, action, source, target, owner, mtime_ns)):
            copy(source.tree, path, target, action.destination, options)


def _change(text: str) -> Callable[[int, bool], int] | None:
    return parse_mode(text).apply if text else None


def _matcher(patterns: tuple[str, ...]) -> IgnoreMatcher | None:
    return IgnorePatterns.of(patterns).matcher if patterns else None


def _require(action: CopyAction, source: CopySource) -> None:
    """What --parents names without a wildcard must be there, and not behind a link (checksum.go, RequiredPaths)."""
    include, exclude = _matcher(action.include_patterns), _matcher(action.exclude_patterns)
    for path in action.required_paths:
        wanted = clean(path)
        below = os.fsdecode(wanted.removeprefix(clean(action.source)).lstrip(b"/"))
        included = below and (include is None or include.matches_or_parent_matches(below))
        if not included or (exclude is not None and exclude.matches_or_parent_matches(below)):
            raise CopySourceMissing(wanted)
        if not _is_there(wanted, source) or source.tree.resolve(wanted, follow=False) != wanted:
            raise CopySourceMissing(wanted)


def expanded(action: CopyAction, source: CopySource) -> Sequence[str]:
    """The paths that the action's source stands for. A wildcard may match nothing where the action allows it."""
    if not (action.allow_wildcard and has_wildcards(action.source)):
        if not _exists(source.tree.resolve(action.source, follow=action.follow_symlink), source):
            raise CopySourceMissing(clean(action.source))
        return [action.source]
    parts = os.fsdecode(clean(action.source)).split("/")
    fixed = next(number for number, part in enumerate(parts) if has_wildcards(part))
    # Links are followed in what stands before the first wildcard, not behind it (fsutil, ResolveWildcards).
    base = source.tree.resolve("/".join(parts[:fixed]), follow=action.follow_symlink)
    if not _is_there(base, source):
        raise CopySourceMissing(base)
    matches = list(_matches(base, "/".join(parts[fixed:]), source))
    if not matches and not action.allow_empty_wildcard:
        raise CopySourceMissing(clean(action.source))
    return matches


def _matches(base: bytes, pattern: str, source: CopySource) -> Sequence[str]:
    """All that the pattern matches, in the order of a walk; what is below a match is none of its own."""
    found: list[str] = []
    prefix = os.fsdecode(base)
    parts = pattern.split("/")
    pending = _children(prefix, source)
    while pending:
        path = pending.pop()
        below = path[len(prefix) :].lstrip("/")
        if not _exists(os.fsencode(path), source):
            continue
        if path_match(pattern, below):
            found.append("/" + path)
        elif _may_match_below(parts, below):
            pending += _children(path, source)
    return found


def _may_match_below(parts: list[str], below: str) -> bool:
    """Of two paths, the deeper one matches only if the other's names do; but a class may match a slash (path.Match)."""
    names = below.split("/")
    if any("[" in part for part in parts):
        return True
    return len(names) < len(parts) and all(map(path_match, parts, names))


def _children(folder: str, source: CopySource) -> list[str]:
    """Last first. Nothing below what is no directory, links included."""
    path = os.fsencode(folder)
    if path and not stat.S_ISDIR(source.tree.lstat(path).st_mode):
        return []
    names = [os.fsdecode(name) for name in source.tree.list(path)]
    return [f"{folder}/{name}" if folder else name for name in sorted(names, key=os.fsencode, reverse=True)]


def _exists(path: bytes, source: CopySource) -> bool:
    """False for what .dockerignore keeps out; of anything else, copying says better what is missing."""
    return not path or source.exists is None or source.exists(path) or not source.tree.lexists(path)


def _is_there(path: bytes, source: CopySource) -> bool:
    return _exists(path, source) and source.tree.lexists(path)


def _unpacked(
    path: str, action: CopyAction, source: CopySource, target: Tree, owner: FileOwner | None, mtime_ns: int | None
) -> bool:
    """ADD unpacks archives; anything that is none is copied. Without --chown, owners are the archive's."""
    try:
        place = source.tree.resolve(path)
        if not stat.S_ISREG(source.tree.lstat(place).st_mode):
            return False
    except FileNotFoundError as error:
        raise CopySourceMissing(clean(path)) from error
    fd = source.tree.open(place, os.O_RDONLY, follow=False)
    try:
        if not is_archive(fd):
            return False
        make_directory(target, action.destination, owner=owner, mtime_ns=mtime_ns)
        unpack_archive(fd, target, action.destination, owner=owner)
    finally:
        os.close(fd)
    return True


def _owner(chown: ChownOf | None, names: Tree | None) -> FileOwner | None:
    if chown is None:
        return None
    return lookup_owner(names, _text(chown.user), _text(chown.group))


def _text(owner: Owner | None) -> str | None:
    match owner:
        case None:
            return None
        case UserById(id=number):
            return str(number)
        case _:
            return owner.name
