"""`user[:group]`, as --chown and USER write it."""

from ..graph import Chown, Owner, UserById, UserByName


def chown(text: str, tree: int) -> Chown:
    """Names are looked up in the tree that is written to, input number `tree`."""
    user, _, group = text.partition(":")
    return Chown(user=_owner(user, tree) if user else None, group=_owner(group, tree) if group else None)


def _owner(name: str, tree: int) -> Owner:
    if name == "root":
        return UserById(id=0)
    if name.isascii() and name.isdecimal() and len(name) < 20 and int(name) < 2**31:
        return UserById(id=int(name))
    return UserByName(name=name, input=tree)
