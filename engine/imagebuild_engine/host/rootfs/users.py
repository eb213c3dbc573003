"""Users and groups of a tree, as USER, RUN and --chown name them."""

from collections.abc import Iterator
from dataclasses import dataclass

from .owner import Owner
from .tree import Tree

_LIMIT = 4 << 20
"""No honest /etc/passwd is larger; the rest of a larger one is not read."""
MAX_ID = 2**32 - 2


class UserNotFound(Exception):
    """The name is neither a number nor in the tree's /etc/passwd or /etc/group."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f'{what} "{name}" is not in the image\'s /etc/{"passwd" if what == "user" else "group"}')
        self.what = what
        self.name = name


@dataclass(frozen=True, slots=True)
class User:
    """Who a process runs as. `home` is what HOME is set to where the step does not say."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


def lookup_user(tree: Tree, spec: str) -> User:
    """USER's argument (`name`, `uid`, `name:group`, `uid:gid`, empty for root) as docker and runc understand it.

    A name must exist, a number need not. Without a group the primary group of a known user counts, else 0, and the
    user's supplementary groups come along; with a group they do not. Raises UserNotFound.
    """
    name, _, group = (spec or "0").partition(":")
    name = name or "0"
    number = _number(name)
    found = None
    for fields in _lines(tree, "/etc/passwd", 7):
        uid, gid = _number(fields[2]), _number(fields[3])
        if uid is not None and gid is not None and (fields[0] == name or (number is not None and uid == number)):
            found = (fields[0], uid, gid, fields[5])
            break
    if found is None and number is None:
        raise UserNotFound("user", name)
    login, uid, gid, home = found or (None, number or 0, 0, "/")
    if group:
        return User(uid, _group(tree, group), (), home or "/")
    return User(uid, gid, _memberships(tree, login, gid) if login else (), home or "/")


def lookup_owner(tree: Tree | None, user: str | None, group: str | None = None) -> Owner:
    """--chown's user and group, each a name or a number. Without a group a named user's primary group counts, and a
    number's is the same number (as docker documents it). `tree` is where names are looked up; None knows no names.
    """
    uid, gid = 0, 0
    if user:
        number = _number(user)
        if number is not None:
            uid = gid = number
        elif tree is None:
            raise UserNotFound("user", user)
        else:
            known = lookup_user(tree, user)
            uid, gid = known.uid, known.gid
    if group:
        gid = _group(tree, group)
    return Owner(uid, gid)


def _group(tree: Tree | None, group: str) -> int:
    number = _number(group)
    for fields in _lines(tree, "/etc/group", 3) if tree is not None and number is None else ():
        gid = _number(fields[2])
        if fields[0] == group and gid is not None:
            return gid
    if number is None:
        raise UserNotFound("group", group)
    return number


def _memberships(tree: Tree, login: str, primary: int) -> tuple[int, ...]:
    groups = [
        gid
        for fields in _lines(tree, "/etc/group", 3)
        if len(fields) > 3 and login in fields[3].split(",") and (gid := _number(fields[2])) is not None
    ]
    return tuple(dict.fromkeys(gid for gid in groups if gid != primary))


def _number(text: str) -> int | None:
    if text.isascii() and text.isdigit() and int(text) <= MAX_ID:
        return int(text)
    return None


def _lines(tree: Tree | None, path: str, at_least: int) -> Iterator[list[str]]:
    if tree is None:
        return
    try:
        text = tree.read(path, _LIMIT).decode("utf-8", "surrogateescape")
    except OSError:  # missing, or a directory, or a link in circles: no users then
        return
    for line in text.splitlines():
        fields = line.strip().split(":")
        if not line.lstrip().startswith("#") and len(fields) >= min(at_least, 4 if at_least == 7 else 3):
            yield fields + [""] * (at_least - len(fields))
