"""Ops rebuilt from what BuildKit hashed for the golden cases.

What is not hashed, such as where a source lies, is lost.
"""

import base64
import json
from typing import Any, TypeVar

from imagebuild_engine.core.graph import (
    ROOT_MOUNT,
    CacheOption,
    CacheSharing,
    Chown,
    CopyAction,
    ExecOp,
    FileAction,
    FileOp,
    HandedOption,
    HostAddress,
    MergeOp,
    MkdirAction,
    MkfileAction,
    Mount,
    MountKind,
    NetworkMode,
    Owner,
    SecretEnv,
    SecurityMode,
    Ulimit,
    UserById,
    UserByName,
)
from imagebuild_engine.core.oci import Platform

_COPY = {
    "followSymlink": "follow_symlink",
    "dirCopyContents": "dir_copy_contents",
    "attemptUnpackDockerCompatibility": "unpack_archive",
    "createDestPath": "create_dest_path",
    "allowWildcard": "allow_wildcard",
    "allowEmptyWildcard": "allow_empty_wildcard",
}
_LISTS = ("include_patterns", "exclude_patterns", "required_paths")


Made = TypeVar("Made")


class Unsaid(ValueError):
    """A member that none of our ops has."""


def op_of(text: str) -> ExecOp | FileOp | MergeOp:
    """The op behind a text. Raises Unsaid."""
    value = json.loads(text)
    match value.pop("Type", None):
        case "buildkit.file.v0":
            payloads = [json.loads(base64.b64decode(action)) for action in value.pop("Actions")]
            default = [[0, 1 if "src" in payload else -1, 0] for payload in payloads]
            indexes = value.pop("indexes", default)
            return _all(value, FileOp(actions=tuple(map(_action, payloads, indexes))))
        case "buildkit.exec.v0":
            platform = Platform(value.pop("OS"), value.pop("Arch"), value.pop("Variant", ""))
            return _all(value, _exec(value.pop("Exec"), platform))
        case "buildkit.merge.v0":
            return _all(value, MergeOp(count=len(value.pop("Merge")["inputs"])))
    raise Unsaid(text)


def _all(left: dict[str, Any], made: Made) -> Made:
    if left:
        raise Unsaid(str(left))
    return made


def _exec(body: dict[str, Any], platform: Platform) -> ExecOp:
    meta = body.pop("meta")
    assert meta.pop("removeMountStubsRecursive") is True
    mounts = body.pop("mounts", None)
    op = ExecOp(
        args=tuple(meta.pop("args")),
        env=tuple(meta.pop("env")),
        cwd=meta.pop("cwd"),
        user=meta.pop("user", ""),
        hostname=meta.pop("hostname", ""),
        extra_hosts=tuple(HostAddress(host=item["Host"], address="?") for item in meta.pop("extraHosts", ())),
        ulimits=tuple(
            Ulimit(name=item["Name"], soft=item["Soft"], hard=item["Hard"]) for item in meta.pop("ulimit", ())
        ),
        cgroup_parent=meta.pop("cgroupParent", ""),
        network=NetworkMode(body.pop("network", 0)),
        security=SecurityMode(body.pop("security", 0)),
        secret_env=tuple(
            SecretEnv(id=item["ID"], name=item["name"], optional=item.get("optional", False))
            for item in body.pop("secretenv", ())
        ),
        platform=platform,
        mounts=(ROOT_MOUNT,) if mounts is None else tuple(map(_mount, mounts)),
    )
    return _all(body | meta, op)


def _mount(value: dict[str, Any]) -> Mount:
    kind = MountKind(value.pop("mountType", 0))
    option: CacheOption | HandedOption | None = None
    handed = value.pop("secretOpt", None) or value.pop("SSHOpt", None)
    if handed:
        option = HandedOption(id=handed.pop("ID", ""), **handed)
    if (cache := value.pop("cacheOpt", None)) is not None:
        option = CacheOption(id=cache["ID"], sharing=CacheSharing(cache.get("sharing", 0)))
    size = value.pop("TmpfsOpt", {}).get("size", 0)
    mount = Mount(
        destination=value.pop("dest"),
        input=value.pop("input", 0),
        output=value.pop("output", 0),
        readonly=value.pop("readonly", False),
        kind=kind,
        option=option,
        size=size,
    )
    return _all(value, mount)


def _action(value: dict[str, Any], numbers: list[int]) -> FileAction:
    first, second, output = numbers
    place = {"input": first, "output": output, "timestamp": value.pop("timestamp"), "mode": value.pop("mode", 0)}
    place["owner"] = _chown(value.pop("owner", None))
    if "data" in value:
        path, data = value.pop("path"), base64.b64decode(value.pop("data"))
        return _all(value, MkfileAction(path=path, data=data, **place))
    if "path" in value:
        path, parents = value.pop("path"), value.pop("makeParents", False)
        return _all(value, MkdirAction(path=path, make_parents=parents, **place))
    copy = CopyAction(
        source=value.pop("src"),
        destination=value.pop("dest"),
        source_input=second,
        mode_text=value.pop("modeStr", ""),
        **{ours: value.pop(theirs, False) for theirs, ours in _COPY.items()},
        **{name: tuple(value.pop(name, ())) for name in _LISTS},
        **place,
    )
    return _all(value, copy)


def _chown(value: dict[str, Any] | None) -> Chown | None:
    return None if value is None else Chown(user=_owner(value.get("user")), group=_owner(value.get("group")))


def _owner(value: dict[str, Any] | None) -> Owner | None:
    if value is None:
        return None
    if name := value["User"].get("byName"):
        return UserByName(name=name["name"], input=name.get("input", 0))
    return UserById(id=value["User"].get("byId", 0))
