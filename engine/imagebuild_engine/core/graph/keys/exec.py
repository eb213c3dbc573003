"""Keys of RUN steps (solver/llbsolver/ops/exec.go)."""

import posixpath
from typing import Any

from ...cache import ContentRequest, ContentSelector, selector_of
from ...oci import go_json
from ..ops import SCRATCH, CacheOption, CacheSharing, ExecOp, HandedOption, Mount, MountKind
from .dialect import Dialect
from .input import WHOLE, InputKey
from .source import platform_members

_HANDED = (MountKind.SECRET, MountKind.SSH)
"""Mounts that hold nothing of an input: something of the client's is handed in."""
_NO_INPUT = (*_HANDED, MountKind.TMPFS)


def exec_text(op: ExecOp, dialect: Dialect = Dialect.V0_22) -> bytes:
    """What is hashed. Addresses of hosts, the paths that mounts select, and proxies are no part of it."""
    meta: dict[str, Any] = _present(
        args=list(op.args),
        env=list(op.env),
        cwd=op.cwd,
        user=op.user,
        extraHosts=[{"Host": known.host} for known in op.extra_hosts],
        hostname=op.hostname,
        ulimit=[_present(Name=limit.name, Soft=limit.soft, Hard=limit.hard) for limit in op.ulimits],
        cgroupParent=op.cgroup_parent,
        removeMountStubsRecursive=dialect < Dialect.V0_9,
    )
    body = {"meta": meta} | _present(
        mounts=[] if _only_root(op.mounts) else [_mount(mount, dialect) for mount in op.mounts],
        network=int(op.network),
        security=int(op.security),
        secretenv=[_present(ID=item.id, name=item.name, optional=item.optional) for item in op.secret_env],
    )
    return go_json({"Type": "buildkit.exec.v0", "Exec": body} | platform_members(op.platform))


def _only_root(mounts: tuple[Mount, ...]) -> bool:
    """Every plain RUN: its one mount is dropped from the key."""
    return len(mounts) == 1 and mounts[0].destination == "/" and not mounts[0].readonly and not mounts[0].kind


def _mount(mount: Mount, dialect: Dialect) -> dict[str, Any]:
    handed = mount.kind in _HANDED
    number = mount.input
    if mount.kind in _NO_INPUT:
        number = 0 if handed and dialect >= Dialect.V0_13 else SCRATCH
    output = 0 if handed else mount.output
    zeros = dialect >= Dialect.V0_16
    members: dict[str, Any] = {"input": number} if number or zeros else {}
    members["dest"] = mount.destination
    if output or zeros:
        members["output"] = output
    members |= _present(readonly=mount.readonly, mountType=int(mount.kind))
    match mount.kind, mount.option:
        case MountKind.BIND, None:
            return members
        case MountKind.TMPFS, None:
            # A size was not known yet to v0.8: a step with one has no form there, and keeps that of v0.10.
            return members | ({"TmpfsOpt": _present(size=mount.size)} if mount.size or dialect < Dialect.V0_8 else {})
        case MountKind.CACHE, CacheOption() as cache:
            return members | {"cacheOpt": _cache(cache, mount.destination, dialect)}
        case MountKind.SECRET, HandedOption() as secret:
            return members | {"secretOpt": _handed(secret)}
        case MountKind.SSH, HandedOption() as agent:
            return members | {"SSHOpt": _handed(agent)}
    raise ValueError(f"a {mount.kind.name.lower()} mount with the option {mount.option}")


def _cache(cache: CacheOption, destination: str, dialect: Dialect) -> dict[str, Any]:
    """Which cache it is does not count, but that a default one has always been written (checkShouldClearCacheOpts)."""
    default = cache.sharing is CacheSharing.SHARED and destination in (cache.id, cache.id.partition("/")[2])
    if default or dialect >= Dialect.V0_11:
        return _present(ID=cache.id, sharing=int(cache.sharing))
    return {}


def _handed(option: HandedOption) -> dict[str, Any]:
    return _present(ID=option.id, uid=option.uid, gid=option.gid, mode=option.mode, optional=option.optional)


def exec_inputs(op: ExecOp) -> tuple[InputKey, ...]:
    """Of each input, the paths that mounts show of it, and whether they may be read instead (getMountDeps).

    What is only read, or shown as a whole, is known by content as well; but never the root, which would take too long.
    Of several mounts of one input the last decides.
    """
    keys = []
    for mounts in _by_input(op):
        if not mounts:
            keys.append(WHOLE)
            continue
        paths = [_path(mount) for mount in mounts]
        last = mounts[-1]
        readable = last.destination != "/" and (last.output == SCRATCH or last.readonly or paths[-1] == "/")
        content = None
        if readable:
            whole = "/" in paths
            selectors = () if whole else tuple(ContentSelector(path=path) for path in dict.fromkeys(paths))
            content = ContentRequest(selectors=selectors)
        keys.append(InputKey(selector=selector_of(paths), content=content))
    return tuple(keys)


def exec_selectors(op: ExecOp, dialect: Dialect = Dialect.V0_22) -> tuple[str, ...]:
    """The selector of each input's definition, "" for all of it.

    v0.13 to v0.15 count secrets and ssh agents as uses of the whole root, and hash it for a link by content. That one
    we leave out: it is costly, and the link by definition is enough.
    """
    selectors = []
    for number, mounts in enumerate(_by_input(op)):
        paths = [_path(mount) for mount in mounts if dialect < Dialect.V0_11 or mount.selector]
        if number == 0 and dialect is Dialect.V0_13:
            paths += ["/" for mount in op.mounts if mount.kind in _HANDED]
        selectors.append(selector_of(paths) if paths else "")
    return tuple(selectors)


def _by_input(op: ExecOp) -> list[list[Mount]]:
    mounts = [mount for mount in op.mounts if mount.kind not in _NO_INPUT and mount.input != SCRATCH]
    count = max((mount.input for mount in mounts), default=SCRATCH) + 1
    return [[mount for mount in mounts if mount.input == number] for number in range(count)]


def _path(mount: Mount) -> str:
    return posixpath.normpath("/" + mount.selector.lstrip("/"))


def _present(**members: Any) -> dict[str, Any]:
    """The members that are not zero, as `omitempty` has it."""
    return {name: value for name, value in members.items() if value not in (0, "", False, [])}
