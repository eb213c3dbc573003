"""One root file system as a directory: confined paths, metadata, copying, users.

Nothing inside a tree is trusted: names, links and link targets come from strangers. Every path is resolved inside the
root, as if it were `/`, and never leaves it.
"""

from .copy import CopyConflict, CopyError, CopyOptions, CopySourceMissing, copy
from .digest import hash_file
from .entry import Entry, Kind
from .make import make_directory, make_file
from .owner import Owner, Ownership
from .resolve import PathEscapes, TooManyLinks
from .scan import entry_at, scan
from .selection import Selection
from .tree import Tree, clean
from .users import User, UserNotFound, lookup_owner, lookup_user

__all__ = [
    "CopyConflict",
    "CopyError",
    "CopyOptions",
    "CopySourceMissing",
    "Entry",
    "Kind",
    "Owner",
    "Ownership",
    "PathEscapes",
    "Selection",
    "TooManyLinks",
    "Tree",
    "User",
    "UserNotFound",
    "clean",
    "copy",
    "entry_at",
    "hash_file",
    "lookup_owner",
    "lookup_user",
    "make_directory",
    "make_file",
    "scan",
]
