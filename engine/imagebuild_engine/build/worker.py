"""Performs what the solver asks: cached layers loaded lazily, files hashed, steps run."""

import asyncio
import os
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..contract import Reason
from ..core.cache import ChainResult, DescribedTree, LayerResult
from ..core.dockerfile import Location, Source
from ..core.graph import (
    SCRATCH,
    ContentRequest,
    CopyAction,
    ExecOp,
    FileAction,
    FileOp,
    GitSource,
    HttpSource,
    ImageSource,
    LocalSource,
    MergeOp,
    MountKind,
    NetworkMode,
    Origin,
    SecurityMode,
    UserByName,
    Vertex,
)
from ..core.oci import Digest, Platform
from ..core.patterns import BadPattern
from ..host.context import GitFailed
from ..host.executor import HOSTNAME, Executor, Network, NotPossibleHere, Process, ResourceLimit, StartFailed, Stream
from ..host.fetch import FetchFailed
from ..host.rootfs import Tree as Files
from ..host.rootfs import User, UserNotFound, lookup_user
from . import files
from .failures import SourceFailed, StepFailed, StepNotPossible, StepRefused, file_problem, is_full
from .imports import Imported
from .layers import Context, Fetched, RemoteLayer, Result, Tree, stacked
from .mounts import Handed, MountProblem, Provisions, is_root, root_input
from .progress import Notice, StepOutput, View
from .remote import RemoteFiles
from .secrets import Redactor, SecretStore
from .ssh_agents import SshAgents
from .store import TreeStore
from .surroundings import Surroundings
from .trees import Trees

_TAIL_LINES = 40
_SHOWN_OF_A_STEP = 2 << 20
"""Bytes of output, as in BuildKit: a step may print for ever, its log must not grow for ever."""


@dataclass
class BuildWorker:
    """One build's hands. See `core.solver.Worker` for the story."""

    store: TreeStore
    surroundings: Surroundings
    trees: Trees
    remote: RemoteFiles
    imported: Sequence[Imported]
    platform: Platform
    """The machine's."""
    base_layers: dict[tuple[Digest, Platform], tuple[RemoteLayer, ...]]
    """The layers of each pinned base image, by its top-level digest and the platform that it was asked for."""
    view: View
    numbers: dict[Vertex, int]
    source: Source
    secrets: SecretStore = field(default_factory=SecretStore)
    ssh: SshAgents = field(default_factory=SshAgents)
    allow_insecure: bool = False
    seconds: dict[Vertex, float] = field(default_factory=dict)
    read: dict[tuple[Vertex, int], DescribedTree] = field(default_factory=dict)
    """The trees that were read to know an input by its content, by vertex and input number."""
    lost: dict[tuple[Vertex, int, str | None], str] = field(default_factory=dict)
    """Promised results that could not be had, by step, source and name of the tree, and why."""
    _steps: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))

    async def load(self, vertex: Vertex, source: int, result: LayerResult | ChainResult) -> Result | None:
        """The chain of layers, not pulled; None if one of them is gone."""
        tree = self.imported[source].tree(result)
        if await self.store.has(tree):
            return tree
        self._lose(vertex, source, tree)
        return None

    def _lose(self, vertex: Vertex, source: int, tree: Tree) -> None:
        """Counts the result, which several records may promise, and tells of it; of a source that is given up, once."""
        key = vertex, source, tree.name()
        if key in self.lost:
            return
        why = self.store.why_gone(tree) or "its layers are gone"
        known = any(number == source for _, number, _ in self.lost)
        self.lost[key] = why
        if not (known and self.imported[source].given_up):
            step = f"step {self.numbers[vertex]}" if vertex in self.numbers else "a step"
            ref = self.imported[source].source.ref
            self.view.show(Notice(text=f"{ref}: the cached result of {step} is lost: {why}", warning=True))

    async def digests(
        self, vertex: Vertex, input_number: int, result: Result, request: ContentRequest
    ) -> Sequence[Digest]:
        tree = self.read[vertex, input_number] = await self.trees.described(result)
        try:
            return request.digests(tree)
        except LookupError as error:
            raise self._problem(vertex, FileNotFoundError(str(error))) from error
        except BadPattern as error:
            raise self._problem(vertex, error) from error

    async def execute(self, vertex: Vertex, inputs: Sequence[Result]) -> Result:
        match vertex.op:
            case ImageSource(digest=digest, platform=platform):
                return Tree(self.base_layers[digest, platform])
            case LocalSource(name=name):
                return Context(name)
            case HttpSource() | GitSource() as op:
                return await self._fetch(vertex, op)
            case MergeOp():
                return stacked([await self.trees.layered(result) for result in inputs])
            case ExecOp() as op:
                work = self._run(vertex, op, inputs)
            case FileOp() as op:
                work = self._change_files(vertex, op, inputs)
        async with self._steps:
            started = time.monotonic()
            result = await work
            self.seconds[vertex] = time.monotonic() - started
            return result

    def gone(self, result: Result) -> bool:
        return isinstance(result, Tree) and self.store.gone(result)

    async def _executor(self, origin: Origin, op: ExecOp) -> Executor:
        """What runs the step, if the machine, the request and it allow that. Raises StepRefused, StepNotPossible."""
        executor = await asyncio.to_thread(lambda: self.surroundings.executor)
        if op.platform != self.platform:
            problem = f"it is for {op.platform}, and this is {self.platform}: it can be taken from a cache, but not run"
            raise self._located(StepRefused(origin, Reason.NOT_SUPPORTED, problem))
        if executor is None:
            raise self._located(StepNotPossible(origin, self.surroundings.choice.why, "Baseline or UserNamespace"))
        if op.security is SecurityMode.INSECURE and not self.allow_insecure:
            problem = "all privileges are not allowed (--allow security.insecure)"
            raise self._located(StepRefused(origin, Reason.NOT_SUPPORTED, problem))
        # Before anything is got ready for it; of a tmpfs alone the executor says itself what it is.
        if not executor.can_mount and any(not is_root(item) and item.kind is not MountKind.TMPFS for item in op.mounts):
            why = f"RUN --mount is not possible with the {executor.name} executor"
            raise self._located(StepNotPossible(origin, why))
        return executor

    async def _run(self, vertex: Vertex, op: ExecOp, inputs: Sequence[Result]) -> Result:
        origin = vertex.origin
        assert origin is not None
        executor = await self._executor(origin, op)
        root_of = root_input(op)
        parent = Tree() if root_of == SCRATCH else await self.trees.layered(inputs[root_of])
        key = f"active-{uuid.uuid4().hex}"
        parent_name = await self.store.snapshot(parent)
        root = await asyncio.to_thread(self.store.snapshots.prepare, key, parent_name)
        try:
            try:
                async with self._provisions.ready(op, inputs) as handed:
                    log = _StepLog(self.view, self.numbers[vertex], handed.redact)
                    with Files(root, self.store.snapshots.ownership) as tree:
                        user = lookup_user(tree, op.user)
                    code = await executor.run(root, _process(op, user, handed), log.add)
            except MountProblem as error:
                raise self._located(StepRefused(origin, error.reason, str(error))) from error
            except StartFailed as error:
                raise self._located(StepFailed(origin, 127, str(error), problem=str(error))) from error
            except UserNotFound as error:
                raise self._located(StepFailed(origin, 1, str(error), problem=str(error))) from error
            except NotPossibleHere as error:
                raise self._located(StepNotPossible(origin, str(error))) from error
            if code:
                log.show_the_end()
                disk = os.statvfs(root)
                full = is_full(disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else 1)
                raise self._located(StepFailed(origin, code, "\n".join(log.tail), disk_full=full))
            return await self.trees.commit(parent, key)
        except BaseException:
            await asyncio.to_thread(self.store.snapshots.remove, key)
            raise

    @cached_property
    def _provisions(self) -> Provisions:
        caches = self.surroundings.cache_mounts
        return Provisions(store=self.store, trees=self.trees, secrets=self.secrets, ssh=self.ssh, caches=caches)

    async def _fetch(self, vertex: Vertex, source: HttpSource | GitSource) -> Fetched:
        try:
            match source:
                case HttpSource():
                    return Fetched(await self.remote.http_tree(source))
                case GitSource():
                    return Fetched(await self.remote.git_tree(source))
        except (FetchFailed, GitFailed) as error:
            if (step := self._step_of(vertex)) is not None:
                raise self._problem(step, error) from error
            name = source.url if isinstance(source, HttpSource) else source.remote
            raise SourceFailed(name, error).located(self.source) from error

    def _step_of(self, source: Vertex) -> Vertex | None:
        """Which says where in the Dockerfile the source is named."""
        if source.origin is not None:
            return source
        return next((step for step in self.numbers if any(edge.vertex is source for edge in step.inputs)), None)

    async def _change_files(self, vertex: Vertex, op: FileOp, inputs: Sequence[Result]) -> Result:
        """The actions of a Dockerfile's file op work on one tree, one after the other."""
        first = op.actions[0].input
        parent = await self.trees.layered(inputs[first]) if first != SCRATCH else Tree()
        for position, action in enumerate(op.actions[1:]):
            assert action.input == len(inputs) + position, "actions of one op follow each other"

        async def work(target: Files) -> None:
            try:
                for action in op.actions:
                    await self._perform(action, target, inputs, scratch=first == SCRATCH)
            except Exception as error:
                raise self._problem(vertex, error) from error

        return await self.trees.changed(parent, work)

    async def _perform(self, action: FileAction, target: Files, inputs: Sequence[Result], *, scratch: bool) -> None:
        owners = (action.owner.user, action.owner.group) if action.owner else ()
        named = any(isinstance(owner, UserByName) for owner in owners)
        names = target if named and not scratch else None
        if not isinstance(action, CopyAction):
            await asyncio.to_thread(files.perform, action, target, None, names=names)
            return
        read = Tree() if action.source_input == SCRATCH else inputs[action.source_input]
        async with self.trees.source(read) as source:
            await asyncio.to_thread(files.perform, action, target, source, names=names)

    def _problem(self, vertex: Vertex, error: Exception) -> Exception:
        """The user's error behind what went wrong with the files of a step; otherwise the error itself."""
        return error if vertex.origin is None else self._located(file_problem(vertex.origin, error))

    def _located(self, error: Exception) -> Exception:
        """With the excerpt of the Dockerfile, where the error has a place for it."""
        if hasattr(error, "excerpt") and hasattr(error, "origin") and error.origin.line:
            error.excerpt = self.source.excerpt(Location(error.origin.line, error.origin.line))
        return error


def _process(op: ExecOp, user: User, handed: Handed) -> Process:
    """Of variables with the same name the last counts: a proxy's over an ENV's, a secret's over both (BuildKit)."""
    return Process(
        args=op.args,
        env=(*op.env, *op.proxy_env, *handed.env),
        cwd=op.cwd,
        user=user,
        network=Network.NONE if op.network is NetworkMode.NONE else Network.HOST,
        hostname=op.hostname or HOSTNAME,
        extra_hosts=tuple((entry.host, entry.address) for entry in op.extra_hosts),
        mounts=handed.mounts,
        insecure=op.security is SecurityMode.INSECURE,
        limits=tuple(ResourceLimit(name=item.name, soft=item.soft, hard=item.hard) for item in op.ulimits),
        cgroup_parent=op.cgroup_parent,
    )


class _StepLog:
    """What a step prints: shown up to a limit and without secrets, its end kept for the failure."""

    def __init__(self, view: View, number: int, redact: Redactor) -> None:
        self._redact = redact
        self._view = view
        self._number = number
        self._room = _SHOWN_OF_A_STEP
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def add(self, _stream: Stream, line: bytes) -> None:
        line = self._redact(line)
        text = line[:_SHOWN_OF_A_STEP].decode(errors="replace")
        self.tail.append(text[:2000])
        if self._room <= 0:
            return
        self._room -= len(line) + 1
        self._show(text)
        if self._room <= 0:
            self._show(f"[output clipped: the step has printed more than {_SHOWN_OF_A_STEP >> 20} MiB]")

    def show_the_end(self) -> None:
        """For a step that failed: what it said last is why."""
        if self._room <= 0:
            for text in self.tail:
                self._show(text)

    def _show(self, text: str) -> None:
        self._view.show(StepOutput(number=self._number, line=text))
