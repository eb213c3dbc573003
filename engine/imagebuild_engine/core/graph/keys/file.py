"""Keys of COPY, ADD, WORKDIR and of heredocs' files (solver/llbsolver/ops/file.go)."""

import base64
import posixpath
from typing import Any

from ...cache import ContentRequest, ContentSelector, selector_of
from ...oci import go_json
from ..ops import (
    SCRATCH,
    Chown,
    CopyAction,
    FileAction,
    FileOp,
    MkdirAction,
    MkfileAction,
    Owner,
    UserById,
    UserByName,
)
from .dialect import Dialect
from .input import WHOLE, InputKey


def input_count(op: FileOp) -> int:
    """How many inputs a file op has. Its actions are a chain, so the second one works on number `inputs`."""
    if len(op.actions) > 1:
        return op.actions[1].input
    return 1 + max((number for action in op.actions for number in (action.input, _source(action))), default=SCRATCH)


def file_text(op: FileOp, dialect: Dialect = Dialect.V0_22) -> bytes:
    """What is hashed."""
    count = input_count(op)
    actions = [base64.b64encode(go_json(_action(action, count, dialect))).decode() for action in op.actions]
    value: dict[str, Any] = {"Type": "buildkit.file.v0", "Actions": actions}
    indexes = [[action.input, _source(action), action.output] for action in op.actions]
    if not _is_default(indexes):
        value["indexes"] = indexes
    return go_json(value)


def _source(action: FileAction) -> int:
    return action.source_input if isinstance(action, CopyAction) else SCRATCH


def _is_default(indexes: list[list[int]]) -> bool:
    """The pattern that v0.8.0 had no numbers for; it is left out so that such keys stayed the same."""
    for position, (first, second, output) in enumerate(indexes):
        expected = 0 if position == 0 else len(indexes) + position - 1
        last = position == len(indexes) - 1
        if first != expected or second not in (SCRATCH, 1) or output != (0 if last else SCRATCH):
            return False
    return True


def _action(action: FileAction, inputs: int, dialect: Dialect) -> dict[str, Any]:
    owner = _chown(action.owner, dialect)
    match action:
        case MkdirAction():
            members: dict[str, Any] = {
                "path": action.path,
                "mode": action.mode,
                "makeParents": action.make_parents,
                "owner": owner,
                "timestamp": action.timestamp if dialect < Dialect.V0_18 else -1,
            }
        case MkfileAction():
            members = {
                "path": action.path,
                "mode": action.mode,
                "data": base64.b64encode(action.data).decode(),
                "owner": owner,
                "timestamp": action.timestamp,
            }
        case CopyAction():
            members = {
                "src": _base_name(action.source) if 0 <= action.source_input < inputs else action.source,
                "dest": action.destination,
                "owner": owner,
                "mode": action.mode,
                "followSymlink": action.follow_symlink,
                "dirCopyContents": action.dir_copy_contents,
                "attemptUnpackDockerCompatibility": action.unpack_archive,
                "createDestPath": action.create_dest_path,
                "allowWildcard": action.allow_wildcard,
                "allowEmptyWildcard": action.allow_empty_wildcard,
                "timestamp": action.timestamp,
                "include_patterns": list(action.include_patterns),
                "exclude_patterns": list(action.exclude_patterns),
                "modeStr": action.mode_text,
                "required_paths": list(action.required_paths),
            }
    return {name: value for name, value in members.items() if value is not None and value not in (0, "", False, [])}


def _base_name(path: str) -> str:
    """Go's path.Base: where the source lies is the selector's to say."""
    return posixpath.basename(path.rstrip("/")) or "/"


def _chown(chown: Chown | None, dialect: Dialect) -> dict[str, Any] | None:
    if chown is None:
        return None
    members = {"user": _owner(chown.user, dialect), "group": _owner(chown.group, dialect)}
    return {name: value for name, value in members.items() if value is not None}


def _owner(owner: Owner | None, dialect: Dialect) -> dict[str, Any] | None:
    gogo = dialect >= Dialect.V0_16
    capital = dialect is Dialect.V0_17
    match owner:
        case None:
            return None
        case UserById(id=number):
            name = "ByID" if capital else "byID" if gogo else "byId"
            return {"User": {name: number} if number or capital else {}}
        case UserByName(name=text, input=number):
            named = {"name": text} | ({"input": number} if number or gogo else {})
            return {"User": {"ByName" if capital else "byName": named}}


def file_inputs(op: FileOp) -> tuple[InputKey, ...]:
    """An input that is written to counts by definition; one that is only read counts by what is read."""
    return tuple(_input(op, number) for number in range(input_count(op)))


def _input(op: FileOp, number: int) -> InputKey:
    if any(action.input == number for action in op.actions):
        return WHOLE
    copies = [action for action in op.actions if isinstance(action, CopyAction) and action.source_input == number]
    users = [path for action in op.actions for path in _owner_files(action.owner, number)]
    paths = [action.source for action in copies] + users
    if not paths:
        return WHOLE
    selectors = (*map(_selected, copies), *(ContentSelector(path=path) for path in users))
    ordered = sorted(paths, key=lambda path: path.encode("utf-8", "surrogateescape"), reverse=True)
    return InputKey(selector=selector_of(ordered), content=ContentRequest(selectors=selectors))


def _selected(action: CopyAction) -> ContentSelector:
    return ContentSelector(
        path=action.source,
        wildcard=action.allow_wildcard,
        follow_links=action.follow_symlink,
        include=action.include_patterns,
        exclude=action.exclude_patterns,
        required=action.required_paths,
    )


def _owner_files(chown: Chown | None, number: int) -> list[str]:
    """The files in which names of owners are looked up, if this input is where."""
    if chown is None:
        return []
    files = []
    if isinstance(chown.user, UserByName) and chown.user.input == number:
        files.append("/etc/passwd")
    if isinstance(chown.group, UserByName) and chown.group.input == number:
        files.append("/etc/group")
    return files
