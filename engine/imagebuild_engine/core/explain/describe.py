"""A vertex of the graph → what it is made of."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..cache import DescribedTree
from ..graph import (
    ContentRequest,
    ExecOp,
    FileOp,
    GitSource,
    HandedOption,
    HttpSource,
    ImageSource,
    LocalSource,
    MergeOp,
    Mount,
    MountKind,
    Origin,
    Scope,
    Vertex,
    cache_map,
    op_text,
)
from ..oci import Digest
from .components import InputComponents, StepComponents
from .files import files_read, short

Read = Mapping[int, DescribedTree]
"""The trees that were read of a step's inputs, by input number."""


def describe_step(
    vertex: Vertex, numbers: Mapping[Vertex, int], *, keys: tuple[Digest, ...], read: Read, seconds: float = 0.0
) -> StepComponents:
    """`numbers` are those of all steps. The vertex is a step: it has an origin."""
    origin = vertex.origin
    assert origin is not None
    scope = origin.scope or _no_scope(origin)
    op = vertex.op
    requests = [key.content for key in cache_map(op).inputs]
    inputs = tuple(_inputs(vertex, numbers, requests, read))
    names: tuple[str, ...]
    variables: Mapping[str, str]
    if isinstance(op, ExecOp):
        variables = dict(item.partition("=")[::2] for item in op.env)
        kind, work, settings, secrets = "run", short(*op.args), _run_settings(op), tuple(_secrets(op))
        names, platform = tuple(variables), str(op.platform)
    else:
        assert isinstance(op, FileOp)
        variables = scope.variables
        kind, secrets, platform = "files", (), ""
        work = short(op_text(op).decode("utf-8", "surrogateescape"), *_selected(requests))
        settings = {"WORKDIR": scope.workdir, "USER": scope.user}
        names = tuple(sorted(name for name in scope.used if name in variables))
    between = [short(_text(below)) for below in _between(vertex, numbers)]
    if between:
        settings["here-documents and merges"] = "\n".join(between)
    return StepComponents(
        stage=origin.stage,
        position=scope.position,
        instruction=scope.written,
        keys=keys,
        kind=kind,
        work=work,
        settings=tuple((name, short(name, value)) for name, value in settings.items() if value),
        arguments=tuple((name, short(name, variables[name])) for name in names if name in scope.arguments),
        environment=tuple((name, short(name, variables[name])) for name in names if name not in scope.arguments),
        secrets=secrets,
        platform=platform,
        inputs=inputs,
        seconds=round(seconds, 3),
    )


def _no_scope(origin: Origin) -> Scope:
    return Scope(
        position=0,
        written=origin.instruction,
        variables={},
        arguments=frozenset(),
        used=frozenset(),
        workdir="",
        user="",
    )


def _run_settings(op: ExecOp) -> dict[str, str]:
    mounts = (mount for mount in op.mounts if mount.kind not in (MountKind.SECRET, MountKind.SSH))
    return {
        "SHELL": "\n".join(op.args[:-1]),
        "USER": op.user,
        "WORKDIR": op.cwd,
        "--network": op.network.name if op.network else "",
        "--security": op.security.name if op.security else "",
        "--mount": "\n".join(map(str, mounts)),
        "places of secrets": "\n".join([*map(str, _places(op)), *(item.name for item in op.secret_env)]),
        "--hostname": op.hostname,
        "--add-host": "\n".join(item.host for item in op.extra_hosts),
        "--ulimit": "\n".join(map(str, op.ulimits)),
        "--cgroup-parent": op.cgroup_parent,
    }


def _places(op: ExecOp) -> Iterator[Mount]:
    """How secrets and agents are handed in, whatever their ids are."""
    for mount in op.mounts:
        if isinstance(mount.option, HandedOption):
            named_by_id = mount.destination == f"/run/secrets/{posixpath.basename(mount.option.id)}"
            option = replace(mount.option, id="")
            yield replace(mount, option=option, destination="" if named_by_id else mount.destination)


def _secrets(op: ExecOp) -> Iterator[str]:
    for mount in op.mounts:
        if isinstance(mount.option, HandedOption):
            yield f"{mount.kind.name.lower()}:{mount.option.id or 'default'}"
    for item in op.secret_env:
        yield f"secret:{item.id}"


def _selected(requests: list[ContentRequest | None]) -> Iterator[str]:
    """What is read: of a path, the key itself has the last name only."""
    for request in requests:
        yield from map(str, request.selectors if request else ())


def _inputs(
    vertex: Vertex, numbers: Mapping[Vertex, int], requests: list[ContentRequest | None], read: Read
) -> Iterator[InputComponents]:
    for number, (edge, request) in enumerate(zip(vertex.inputs, requests, strict=True)):
        tree = read.get(number)
        files = files_read(tree, request) if tree is not None and request is not None else None
        for below in _below(edge.vertex, numbers):
            yield _input(below, numbers, files)


def _below(vertex: Vertex, numbers: Mapping[Vertex, int]) -> Iterator[Vertex]:
    """The steps and sources that a vertex stands for: itself, or those below it if it is something in between."""
    pending = [vertex]
    while pending:
        below = pending.pop()
        if below in numbers or isinstance(below.op, ImageSource | LocalSource | HttpSource | GitSource):
            yield below
        else:
            pending += [edge.vertex for edge in reversed(below.inputs)]


def _between(vertex: Vertex, numbers: Mapping[Vertex, int]) -> Iterator[Vertex]:
    pending = [edge.vertex for edge in reversed(vertex.inputs)]
    while pending:
        below = pending.pop()
        if below not in numbers and isinstance(below.op, ExecOp | FileOp | MergeOp):
            yield below
            pending += [edge.vertex for edge in reversed(below.inputs)]


def _text(vertex: Vertex) -> str:
    assert isinstance(vertex.op, ExecOp | FileOp | MergeOp)
    return op_text(vertex.op).decode("utf-8", "surrogateescape")


def _input(vertex: Vertex, numbers: Mapping[Vertex, int], files: Mapping[str, object] | None) -> InputComponents:
    known: dict[str, object] = {"files": files}
    match vertex.op:
        case ImageSource(reference=reference, digest=digest, platform=platform):
            known |= {
                "kind": "image",
                "name": replace(reference, digest=None).familiar,
                "digest": digest,
                "platform": str(platform),
            }
        case LocalSource(name=name):
            known |= {"kind": "context", "name": name}
        case HttpSource(filename=name, checksum=digest):
            known |= {"kind": "file", "name": name, "digest": digest}
        case GitSource(commit=commit):
            known |= {"kind": "commit", "digest": commit}
        case _:
            stage = vertex.origin.stage if vertex.origin else ""
            known |= {"kind": "step", "name": stage, "step": numbers.get(vertex, 0)}
    return InputComponents(**known)  # type: ignore[arg-type]  # its own members
