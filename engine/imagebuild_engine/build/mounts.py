"""What a RUN step asks for besides its tree: its mounts got ready, its secrets, and all of it given back afterwards.

BuildKit's solver/llbsolver/mounts and executor/oci are the model: mounts are sorted by their destinations, a writable
bind is thrown away, a cache stays, a secret is a file in memory.
"""

import asyncio
import os
import posixpath
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from errno import EINVAL, ENODEV
from pathlib import Path

from ..contract import Reason
from ..core.cache import ContentRequest, ContentSelector
from ..core.graph import SCRATCH, CacheOption, ExecOp, HandedOption, Mount, MountKind, SecretEnv
from ..host.executor import BindMount, TmpfsMount
from ..host.rootfs import CopyOptions, CopySourceMissing, Selection, TooManyLinks, copy
from ..host.rootfs import Tree as Files
from ..host.rootfs.syscalls import MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, mount, umount
from .cache_mounts import CacheMount, CacheMounts
from .files import CopySource
from .layers import Context, Fetched, Result, Tree
from .secrets import Redactor, SecretStore, SecretUnreadable
from .ssh_agents import DEFAULT, SshAgents, SshUnusable, forwarded
from .store import TreeStore
from .trees import Trees

_THE_ROOT = "/"
_IT = "it"


class MountProblem(Exception):
    """A mount cannot be got ready, by the Dockerfile's or the caller's fault."""

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a step's process gets."""

    mounts: tuple[BindMount | TmpfsMount, ...]
    env: tuple[str, ...]
    """Variables with secrets."""
    redact: Redactor


@dataclass
class Provisions:
    """What the steps of one build are provided with."""

    store: TreeStore
    trees: Trees
    secrets: SecretStore
    ssh: SshAgents
    caches: CacheMounts
    _copies: dict[tuple[Result, str], Path] = field(default_factory=dict)
    _copying: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def ready(self, op: ExecOp, inputs: Sequence[Result]) -> AsyncIterator[Handed]:
        """Everything that the op asks for. Raises MountProblem."""
        wanted = sorted(
            ((posixpath.join("/", op.cwd, item.destination), item) for item in op.mounts if not is_root(item)),
            key=lambda pair: os.fsencode(pair[0]),
        )
        async with AsyncExitStack() as stack:
            taking = _Taking(self, stack, inputs)
            await taking.take_caches([item for _, item in wanted if item.kind is MountKind.CACHE])
            mounts = []
            for destination, item in wanted:
                if (found := await taking.mount(destination, item)) is not None:
                    mounts.append(found)
            env = tuple([await taking.variable(item) for item in op.secret_env])
            yield Handed(mounts=tuple(mounts), env=env, redact=Redactor(taking.values))

    async def copied(self, result: Context | Fetched, selector: str, *, shared: bool) -> Path:
        """A part of a directory as BuildKit would have received it: without what is ignored, and root's.

        A shared one is not to be written to.
        """
        async with self._copying:
            if shared and (result, selector) in self._copies:
                return self._copies[result, selector]
            place = Path(tempfile.mkdtemp(prefix="mounted-", dir=self.store.surroundings.directory))
            async with self.trees.source(result) as source:
                await asyncio.to_thread(_copy_to, source, selector, place, _IT)
            if shared:
                self._copies[result, selector] = place / _IT
            return place / _IT


def is_root(item: Mount) -> bool:
    return item.destination == _THE_ROOT


def root_input(op: ExecOp) -> int:
    """The input in whose tree the op runs; SCRATCH for a new one."""
    return next((item.input for item in op.mounts if is_root(item)), SCRATCH)


@dataclass
class _Taking:
    """Of one step: what it has taken goes back when the stack unwinds."""

    owner: Provisions
    stack: AsyncExitStack
    inputs: Sequence[Result]
    values: list[bytes] = field(default_factory=list)
    """The secrets that the step knows."""
    caches: dict[tuple[str, str], CacheMount] = field(default_factory=dict)

    async def mount(self, destination: str, item: Mount) -> BindMount | TmpfsMount | None:
        """None for an optional one that is not there."""
        match item.kind:
            case MountKind.TMPFS:
                return TmpfsMount(destination=destination, size=item.size, readonly=item.readonly)
            case MountKind.BIND:
                source = await self._tree(item)
            case MountKind.CACHE:
                source = self.caches[await self._cache_key(item)].path
            case MountKind.SECRET:
                return await self._secret(destination, item)
            case MountKind.SSH:
                return await self._agent(destination, item)
        return BindMount(source=source, destination=destination, readonly=item.readonly)

    # --- trees -------------------------------------------------------------------------------------------------

    async def _tree(self, item: Mount) -> Path:
        result = self.inputs[item.input] if item.input != SCRATCH else Tree()
        if isinstance(result, Tree):
            root = await self._view(result, writable=not item.readonly)
            return await asyncio.to_thread(_selected, root, item.selector)
        place = await self.owner.copied(result, item.selector or _THE_ROOT, shared=item.readonly)
        if not item.readonly:
            self.stack.push_async_callback(asyncio.to_thread, shutil.rmtree, place.parent, ignore_errors=True)
        return place

    async def _view(self, tree: Tree, *, writable: bool) -> Path:
        store = self.owner.store
        if not writable:
            return await self.stack.enter_async_context(store.view(tree))
        key = f"mount-{uuid.uuid4().hex}"
        name = await store.snapshot(tree)
        self.stack.push_async_callback(asyncio.to_thread, store.snapshots.remove, key)
        return await asyncio.to_thread(store.snapshots.prepare, key, name)

    # --- caches ------------------------------------------------------------------------------------------------

    async def take_caches(self, wanted: Sequence[Mount]) -> None:
        """Each once, whatever it is mounted as, and in one order for all steps: they may wait for each other's."""
        keyed = {await self._cache_key(item): item for item in wanted}
        for key in sorted(keyed):
            item = keyed[key]
            assert isinstance(item.option, CacheOption)
            cache = await self.owner.caches.take(*key, item.option.sharing, self._filler(item))
            self.stack.callback(cache.release)
            self.caches[key] = cache

    async def _cache_key(self, item: Mount) -> tuple[str, str]:
        """Its id, and what it begins with: a directory that began with something else is another one."""
        assert isinstance(item.option, CacheOption)
        if item.input == SCRATCH:
            return item.option.id, ""
        selector = ContentSelector(path=item.selector or _THE_ROOT)
        described = await self.owner.trees.described(self.inputs[item.input])
        try:
            return item.option.id, ContentRequest(selectors=(selector,)).digest(described)
        except LookupError as error:
            raise _missing(item.selector) from error

    def _filler(self, item: Mount) -> Callable[[Path, str], Awaitable[None]]:
        async def fill(directory: Path, name: str) -> None:
            if item.input == SCRATCH:
                if item.selector.strip("/"):
                    raise _missing(item.selector)
                (directory / name).mkdir()
                (directory / name).chmod(0o755)
                return
            async with self.owner.trees.source(self.inputs[item.input]) as source:
                await asyncio.to_thread(_copy_to, source, item.selector or _THE_ROOT, directory, name)

        return fill

    # --- secrets and agents ------------------------------------------------------------------------------------

    async def _secret(self, destination: str, item: Mount) -> BindMount | None:
        option = item.option
        assert isinstance(option, HandedOption)
        value = await self._value(option.id, optional=option.optional)
        if value is None:
            return None
        source = self.stack.enter_context(_in_memory(value, option, self.owner.store.surroundings.directory))
        return BindMount(source=source, destination=destination, readonly=True)

    async def variable(self, item: SecretEnv) -> str:
        """As in BuildKit, an optional one that is not there is an empty variable."""
        value = await self._value(item.id, optional=item.optional)
        return f"{item.name}={os.fsdecode(value or b'')}"

    async def _value(self, name: str, *, optional: bool) -> bytes | None:
        try:
            value = await asyncio.to_thread(self.owner.secrets.get, name)
        except SecretUnreadable as error:
            raise MountProblem(str(error), Reason.INVALID_SPEC) from error
        if value is None and not optional:
            raise MountProblem(
                f'the secret "{name}" is not given (--secret id={name},src=FILE or --secret id={name},env=VARIABLE)',
                Reason.INVALID_SPEC,
            )
        if value:
            self.values.append(value)
        return value

    async def _agent(self, destination: str, item: Mount) -> BindMount | None:
        option = item.option
        assert isinstance(option, HandedOption)
        name = option.id or DEFAULT
        try:
            agent = await self.owner.ssh.socket(name)
        except SshUnusable as error:
            raise MountProblem(str(error), Reason.INVALID_SPEC) from error
        if agent is None:
            if option.optional:
                return None
            raise MountProblem(f'no ssh agent or key is given as "{name}" (--ssh {name})', Reason.INVALID_SPEC)
        directory = self.owner.store.surroundings.directory
        try:
            socket = await self.stack.enter_async_context(forwarded(agent, directory, option))
        except OSError as error:
            raise _no_such_owner(option, error) from error
        return BindMount(source=socket, destination=destination, readonly=False)


def _selected(root: Path, selector: str) -> Path:
    """The place in the tree, by a path without links: they are the tree's own, and must not lead out of it."""
    with Files(root) as tree:
        try:
            place = tree.resolve(selector or _THE_ROOT)
            tree.lstat(place)
        except (FileNotFoundError, NotADirectoryError, TooManyLinks) as error:
            raise _missing(selector) from error
    return root / os.fsdecode(place)


def _copy_to(source: CopySource, selector: str, directory: Path, name: str) -> None:
    # A directory itself and not its contents: it keeps its owner and its mode.
    selection = Selection(exists=source.exists)
    options = CopyOptions(owner=source.owner, directory_contents=False, selection=selection)
    with Files(directory) as target:
        try:
            place = source.tree.resolve(selector)
            if place and source.exists is not None and not source.exists(place):
                raise _missing(selector)
            copy(source.tree, place, target, f"/{name}", options)
        except (CopySourceMissing, NotADirectoryError, TooManyLinks) as error:
            raise _missing(selector) from error
    if not place and source.owner is not None:  # the root of what is received is the receiver's
        (directory / name).chmod(0o755)


def _missing(selector: str) -> MountProblem:
    return MountProblem(f'"{selector}": not found (the source of a mount)', Reason.CONTEXT_PATH_MISSING)


@contextmanager
def _in_memory(value: bytes, option: HandedOption, directory: Path) -> Iterator[Path]:
    """A file that is on no disk, with the option's owner and mode.

    A file system of its own in memory that is never swapped; should the engine be killed, its supervisor unmounts it.
    """
    place = Path(tempfile.mkdtemp(prefix="secret-", dir=directory))
    try:
        flags = MS_NOSUID | MS_NODEV | (0 if option.mode & 0o111 else MS_NOEXEC)
        try:
            mount("ramfs", str(place), "ramfs", flags, "mode=0711")
        except OSError as error:
            if error.errno not in {ENODEV, EINVAL}:
                raise
            mount("tmpfs", str(place), "tmpfs", flags, "mode=0711")  # a kernel without ramfs for us
        try:
            path = place / "secret"
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:
                file.write(value)
            try:
                os.chown(path, option.uid, option.gid)
            except OSError as error:
                raise _no_such_owner(option, error) from error
            path.chmod(option.mode & 0o777)
            yield path
        finally:
            umount(str(place), MNT_DETACH)
    finally:
        place.rmdir()


def _no_such_owner(option: HandedOption, error: OSError) -> Exception:
    if error.errno != EINVAL:
        return error
    return MountProblem(f"there are no ids {option.uid}:{option.gid} here", Reason.NOT_SUPPORTED)
