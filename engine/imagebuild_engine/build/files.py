"""COPY, ADD and WORKDIR carried out: the actions of a file op on a writable tree."""

import os
import stat
from collections.abc import Callable, Sequence

from ..core.cache import has_wildcards, wildcard_match
from ..core.graph import Chown as ChownOf
from ..core.graph import CopyAction, MkdirAction, Owner, UserById
from ..host.layers import is_archive, unpack_archive
from ..host.rootfs import (
    CopyOptions,
    CopySourceMissing,
    Tree,
    copy,
    lookup_owner,
    make_directory,
)
from ..host.rootfs import Owner as FileOwner

Select = Callable[[bytes, bool], bool]


def perform(
    action: CopyAction | MkdirAction,
    target: Tree,
    source: Tree | None,
    *,
    names: Tree | None,
    select: Select | None,
    from_context: bool,
) -> None:
    """One action. `names` is the tree in which owners' names are looked up (None: there is none, as on scratch).

    Files of a context belong to root; files of other trees keep their owners. Blocks.
    """
    match action:
        case MkdirAction():
            make_directory(
                target,
                action.path,
                mode=action.mode,
                make_parents=action.make_parents,
                owner=_owner(action.owner, names),
                mtime_ns=None if action.timestamp < 0 else action.timestamp,
            )
        case CopyAction():
            assert source is not None
            owner = _owner(action.owner, names) or (FileOwner(0, 0) if from_context else None)
            options = CopyOptions(
                owner=owner,
                mode=None if action.mode < 0 else action.mode,
                follow_symlink=action.follow_symlink,
                directory_contents=action.dir_copy_contents,
                create_destination=action.create_dest_path,
                mtime_ns=None if action.timestamp < 0 else action.timestamp,
                select=select,
            )
            for path in expanded(action, source, select):
                if not (action.unpack_archive and _unpacked(path, action, source, target, options)):
                    copy(source, path, target, action.destination, options)


def expanded(action: CopyAction, source: Tree, select: Select | None) -> Sequence[str]:
    """The paths that the action's source stands for. A wildcard that matches nothing is an error, as in docker."""
    path = action.source
    if not (action.allow_wildcard and has_wildcards(path)):
        if select is not None and not _selected(path, source, select):
            raise CopySourceMissing(path.strip("/").encode(errors="surrogateescape"))
        return [path]
    found = [""]
    parts = [part for part in path.split("/") if part]
    for part in parts:
        found = [name for folder in found for name in _children(folder, part, source)]
    matches = [name for name in found if select is None or _selected(name, source, select)]
    if not matches and not action.allow_empty_wildcard:
        raise CopySourceMissing(path.strip("/").encode(errors="surrogateescape"))
    return matches


def _children(folder: str, part: str, source: Tree) -> list[str]:
    if not has_wildcards(part):
        path = f"{folder}/{part}"
        return [path] if source.lexists(path) else []
    try:
        names = [os.fsdecode(name) for name in source.list(folder)]
    except (NotADirectoryError, FileNotFoundError):
        return []
    return [f"{folder}/{name}" for name in sorted(names) if wildcard_match(part, name)]


def _selected(path: str, source: Tree, select: Select) -> bool:
    cleaned = os.fsencode(path.strip("/"))
    if not cleaned:
        return True
    try:
        directory = stat.S_ISDIR(source.lstat(cleaned).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True  # copying says better what is missing
    return select(cleaned, directory)


def _unpacked(path: str, action: CopyAction, source: Tree, target: Tree, options: CopyOptions) -> bool:
    """ADD unpacks local archives; anything that is none is copied."""
    try:
        place = source.resolve(path)
        if not stat.S_ISREG(source.lstat(place).st_mode):
            return False
    except FileNotFoundError as error:
        raise CopySourceMissing(path.strip("/").encode(errors="surrogateescape")) from error
    fd = source.open(place, os.O_RDONLY, follow=False)
    try:
        if not is_archive(fd):
            return False
        make_directory(target, action.destination, owner=options.owner)
        unpack_archive(fd, target, action.destination)
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
