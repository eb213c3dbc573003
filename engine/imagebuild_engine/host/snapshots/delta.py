"""Keeping changes of a mutable tree in a directory, and putting them onto another tree."""

import os
from collections.abc import Iterable
from pathlib import Path

from ..layers import Change, Changes, Deleted
from ..rootfs import Entry, Kind, Ownership, Tree
from ..rootfs.node import copy_bytes, make_node, replace_xattrs, set_metadata
from ..rootfs.tree import remove_at


def save_delta(changes: Iterable[Change], tree: Path, directory: Path, ownership: Ownership) -> None:
    """Copies what was added or modified into the (empty) directory."""
    with Tree(tree, ownership) as source, Tree(directory, ownership) as target:
        _put(changes, source, target)


def put_delta(changes: Changes, tree: Path, ownership: Ownership) -> None:
    """Makes the tree what it was when the changes were saved."""
    with Tree(changes.root, ownership) as source, Tree(tree, ownership) as target:
        for change in changes.items:
            if isinstance(change, Deleted):
                target.remove(change.path)
        _put(changes.items, source, target)


def _put(changes: Iterable[Change], source: Tree, target: Tree) -> None:
    """Parents come before children in changes; directories get their times when all is in them."""
    directories: list[Entry] = []
    links: dict[tuple[int, int], bytes] = {}
    for change in changes:
        if isinstance(change, Deleted):
            continue
        entry = change.entry
        with target.at(entry.path) as (directory, name):
            if entry.kind is Kind.DIRECTORY:
                _directory(directory, name)
                directories.append(entry)
                continue
            _clear(directory, name)
            first = links.setdefault(entry.inode, entry.path) if entry.nlink > 1 else entry.path
            if first != entry.path:
                with target.at(first) as (first_directory, first_name):
                    os.link(
                        first_name,
                        name,
                        src_dir_fd=first_directory,
                        dst_dir_fd=directory,
                        follow_symlinks=False,
                    )
                continue
            if entry.kind is Kind.FILE:
                with source.at(entry.path) as place:
                    copy_bytes(place, (directory, name))
            elif entry.kind is Kind.SYMLINK:
                os.symlink(entry.linkname, name, dir_fd=directory)
            else:
                make_node(target, entry, directory, name)
            set_metadata(target, entry, directory, name)
    for entry in reversed(directories):
        with target.at(entry.path) as (directory, name):
            replace_xattrs(directory, name, entry.xattrs)
            set_metadata(target, entry, directory, name)


def _directory(directory: int, name: bytes) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        try:
            os.close(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory))
        except NotADirectoryError:
            remove_at(directory, name)
            os.mkdir(name, 0o700, dir_fd=directory)


def _clear(directory: int, name: bytes) -> None:
    try:
        remove_at(directory, name)
    except FileNotFoundError:
        return
