"""How an op is keyed: its digest, and for each input what of it counts (solver/llbsolver/ops, CacheMap).

The digests are of Go's JSON of BuildKit's protobuf messages: members that are zero vanish, the order is that of
the struct
fields. Quoted structs: ExecOp, Meta, Mount, FileActionCopy, FileActionMkDir, ChownOpt in solver/pb/ops.proto.

The current form is that of v0.18 and later. Older versions, and dockers with one inside, write some ops differently; an
op that they do write differently says how, so that its record can be found by all of them (see `Dialect`).
"""

import base64
import posixpath
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from ..cache import ContentRequest, ContentSelector, Spelling, selector_of
from ..oci import Digest, Platform, go_json
from .ops import (
    SCRATCH,
    Chown,
    CopyAction,
    ExecOp,
    FileOp,
    ImageSource,
    LocalSource,
    MkdirAction,
    Mount,
    MountKind,
    Op,
    Owner,
    UserById,
    UserByName,
)


class Dialect(IntEnum):
    """Versions of BuildKit that write every op in the same way, the newest first; neighbours differ in one thing.

    v0.17 is missing: it had yet another form of owners, and did not last.
    """

    V0_18 = 0
    V0_13 = 1
    """Owners as gogo protobuf's JSON has them: `byID`, and an input that is never left out."""
    V0_11 = 2
    """A RUN selects nothing of its root."""
    V0_8 = 3
    """A RUN without removeMountStubsRecursive."""


OLDER = tuple(Dialect)[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputKey:
    """What of an input counts. `selector` belongs to links by definition; None is the whole input."""

    selector: Digest | None
    content: ContentRequest | None
    """What to hash for a link by content; None where only the definition counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMap:
    """`digests` are op digests: two for an image, none for local files, which only content describes."""

    digests: tuple[Digest, ...]
    inputs: tuple[InputKey, ...]
    older: tuple[Spelling, ...] = ()
    """The op with its normal arguments, then what the dialects of OLDER write, in that order; empty where all of them
    are the same as the current one."""

    @property
    def spellings(self) -> tuple[Spelling, ...]:
        """The current one, then the others."""
        return (Spelling(digests=self.digests, selectors=tuple(key.selector or "" for key in self.inputs)), *self.older)


def cache_map(op: Op) -> CacheMap:
    """How the op is keyed."""
    match op:
        case ImageSource():
            return CacheMap(digests=tuple(Digest.of(text) for text in _image_texts(op)), inputs=())
        case LocalSource():
            return CacheMap(digests=(), inputs=())
        case ExecOp():
            return _with_normal(op, _with_older(op, _exec_inputs(op)))
        case FileOp():
            inputs = tuple(_file_input(op, number) for number in range(input_count(op)))
            return _with_normal(op, _with_older(op, inputs))


def _with_older(op: ExecOp | FileOp, inputs: tuple[InputKey, ...]) -> CacheMap:
    current = CacheMap(digests=(Digest.of(op_text(op)),), inputs=inputs)
    if isinstance(op, ExecOp) and not _only_root(op.mounts):
        return current  # how older versions write mounts is another story
    (first,) = current.spellings
    older = []
    for dialect in OLDER:
        nothing_selected = isinstance(op, ExecOp) and dialect >= Dialect.V0_11
        selectors = ("",) * len(inputs) if nothing_selected else first.selectors
        older.append(Spelling(digests=(Digest.of(op_text(op, dialect)),), selectors=selectors))
    return current if set(older) == {first} else replace(current, older=tuple(older))


def _with_normal(op: ExecOp | FileOp, known: CacheMap) -> CacheMap:
    """A RUN may be found by the normal form of its text. The dialects stay behind it: the oldest one is the last."""
    current, *older = known.spellings
    normal = current
    if isinstance(op, ExecOp) and op.normal_args is not None:
        normal = replace(current, digests=(Digest.of(op_text(replace(op, args=op.normal_args))),))
    if normal == current and not older:
        return known
    return replace(known, older=(normal, *(older or (current,) * len(OLDER))))


def op_text(op: ExecOp | FileOp, dialect: Dialect = Dialect.V0_18) -> bytes:
    """The text whose digest is the op's. (An image has two such texts and a local directory has none.)"""
    return _exec_text(op, dialect) if isinstance(op, ExecOp) else _file_text(op, dialect)


def input_count(op: FileOp) -> int:
    """How many inputs a file op has. Its actions are a chain, so the second one works on number `inputs`."""
    if len(op.actions) > 1:
        return op.actions[1].input
    return 1 + max((number for action in op.actions for number in _inputs_of(action)), default=SCRATCH)


def _inputs_of(action: CopyAction | MkdirAction) -> tuple[int, ...]:
    return (action.input, action.source_input) if isinstance(action, CopyAction) else (action.input,)


def _image_texts(op: ImageSource) -> tuple[bytes, ...]:
    """By manifest and platform, and by the chain of its layers (source/containerimage/pull.go)."""
    by_manifest = Digest.of(go_json({"Digest": op.digest} | _platform(op.platform)))
    by_chain = chain_id(op.diff_ids) or by_manifest
    return tuple(f"buildkit.source.v0:{key}".encode() for key in dict.fromkeys((by_manifest, by_chain)))


def chain_id(diff_ids: tuple[Digest, ...]) -> Digest | None:
    """The image spec's ChainID (config.md); None without layers."""
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    return chain


def _platform(platform: Platform) -> dict[str, Any]:
    platform = platform.normalized()
    value: dict[str, Any] = {"OS": platform.os, "Arch": platform.architecture}
    if platform.variant:
        value["Variant"] = platform.variant
    if platform.os_version:
        value["OSVersion"] = platform.os_version
    if platform.os_features:
        value["OSFeatures"] = list(platform.os_features)
    return value


def _exec_text(op: ExecOp, dialect: Dialect) -> bytes:
    """What is hashed for a RUN step (ops/exec.go)."""
    meta: dict[str, Any] = {}
    if op.args:
        meta["args"] = list(op.args)
    if op.env:
        meta["env"] = list(op.env)
    if op.cwd:
        meta["cwd"] = op.cwd
    if op.user:
        meta["user"] = op.user
    if op.hostname:
        meta["hostname"] = op.hostname
    if dialect < Dialect.V0_8:
        meta["removeMountStubsRecursive"] = True
    body: dict[str, Any] = {"meta": meta}
    if not _only_root(op.mounts):
        body["mounts"] = [_mount(mount) for mount in op.mounts]
    if op.network:
        body["network"] = int(op.network)
    return go_json({"Type": "buildkit.exec.v0", "Exec": body} | _platform(op.platform))


def _only_root(mounts: tuple[Mount, ...]) -> bool:
    """Every plain RUN: its one mount is dropped from the key."""
    return len(mounts) == 1 and mounts[0].destination == "/" and not mounts[0].readonly and not mounts[0].kind


def _mount(mount: Mount) -> dict[str, Any]:
    if mount.kind is not MountKind.BIND:
        # Their options are part of the key: without them, different steps would share one.
        raise ValueError(f"not supported yet: RUN --mount=type={mount.kind.name.lower()}")
    value: dict[str, Any] = {"input": mount.input} if mount.input else {}
    value["dest"] = mount.destination
    if mount.output:
        value["output"] = mount.output
    if mount.readonly:
        value["readonly"] = True
    return value


def _exec_inputs(op: ExecOp) -> tuple[InputKey, ...]:
    """getMountDeps: the paths that mounts select of each input; the root counts by definition only."""
    count = max((mount.input for mount in op.mounts), default=SCRATCH) + 1
    keys = []
    for number in range(count):
        mounts = [mount for mount in op.mounts if mount.input == number]
        if not mounts:
            keys.append(InputKey(selector=None, content=None))
            continue
        paths = [posixpath.normpath("/" + mount.selector.lstrip("/")) for mount in mounts]
        last = mounts[-1]
        readable = last.destination != "/" and (last.output == SCRATCH or last.readonly or paths[-1] == "/")
        content = None
        if readable:
            whole = "/" in paths
            selectors = () if whole else tuple(ContentSelector(path=path) for path in dict.fromkeys(paths))
            content = ContentRequest(selectors=selectors)
        keys.append(InputKey(selector=selector_of(paths), content=content))
    return tuple(keys)


def _file_text(op: FileOp, dialect: Dialect) -> bytes:
    """What is hashed for COPY, ADD and WORKDIR (ops/file.go)."""
    count = input_count(op)
    actions = [base64.b64encode(go_json(_action(action, count, dialect))).decode() for action in op.actions]
    value: dict[str, Any] = {"Type": "buildkit.file.v0", "Actions": actions}
    indexes = [[action.input, _secondary(action), action.output] for action in op.actions]
    if not _is_default(indexes):
        value["indexes"] = indexes
    return go_json(value)


def _secondary(action: CopyAction | MkdirAction) -> int:
    return action.source_input if isinstance(action, CopyAction) else SCRATCH


def _is_default(indexes: list[list[int]]) -> bool:
    """The pattern that v0.8.0 had no numbers for; it is left out so that such keys stayed the same."""
    for position, (first, second, output) in enumerate(indexes):
        expected = 0 if position == 0 else len(indexes) + position - 1
        last = position == len(indexes) - 1
        if first != expected or second not in (SCRATCH, 1) or output != (0 if last else SCRATCH):
            return False
    return True


def _action(action: CopyAction | MkdirAction, inputs: int, dialect: Dialect) -> dict[str, Any]:
    match action:
        case MkdirAction():
            members: dict[str, Any] = {
                "path": action.path,
                "mode": action.mode,
                "makeParents": action.make_parents,
                "owner": _chown(action.owner, dialect),
                "timestamp": action.timestamp,
            }
        case CopyAction():
            real = 0 <= action.source_input < inputs
            members = {
                "src": (posixpath.basename(action.source.rstrip("/")) or "/") if real else action.source,
                "dest": action.destination,
                "owner": _chown(action.owner, dialect),
                "mode": action.mode,
                "followSymlink": action.follow_symlink,
                "dirCopyContents": action.dir_copy_contents,
                "attemptUnpackDockerCompatibility": action.unpack_archive,
                "createDestPath": action.create_dest_path,
                "allowWildcard": action.allow_wildcard,
                "allowEmptyWildcard": action.allow_empty_wildcard,
                "timestamp": action.timestamp,
            }
    return {name: value for name, value in members.items() if value is not None and value not in (0, "", False)}


def _chown(chown: Chown | None, dialect: Dialect) -> dict[str, Any] | None:
    if chown is None:
        return None
    members = {"user": _owner(chown.user, dialect), "group": _owner(chown.group, dialect)}
    return {name: value for name, value in members.items() if value is not None}


def _owner(owner: Owner | None, dialect: Dialect) -> dict[str, Any] | None:
    current = dialect is Dialect.V0_18
    match owner:
        case None:
            return None
        case UserById(id=number):
            return {"User": {"byId" if current else "byID": number} if number else {}}
        case UserByName(name=name, input=number):
            return {"User": {"byName": {"name": name} | ({} if current and not number else {"input": number})}}


def _file_input(op: FileOp, number: int) -> InputKey:
    """An input that is written to counts by definition; one that is only read counts by what is read."""
    if any(action.input == number for action in op.actions):
        return InputKey(selector=None, content=None)
    copies = [action for action in op.actions if isinstance(action, CopyAction) and action.source_input == number]
    names = [name for action in op.actions for name in _owner_files(action.owner, number)]
    paths = [action.source for action in copies] + names
    if not paths:
        return InputKey(selector=None, content=None)
    selectors = tuple(
        ContentSelector(path=action.source, wildcard=action.allow_wildcard, follow_links=action.follow_symlink)
        for action in copies
    )
    selectors += tuple(ContentSelector(path=path) for path in names)
    return InputKey(selector=selector_of(sorted(paths, reverse=True)), content=ContentRequest(selectors=selectors))


def _owner_files(chown: Chown | None, number: int) -> list[str]:
    if chown is None:
        return []
    files = []
    if isinstance(chown.user, UserByName) and chown.user.input == number:
        files.append("/etc/passwd")
    if isinstance(chown.group, UserByName) and chown.group.input == number:
        files.append("/etc/group")
    return files
