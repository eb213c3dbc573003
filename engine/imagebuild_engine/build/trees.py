"""What the results of steps are as files: described, copied from, changed, and put into layers where they are none."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ..core.cache import DescribedTree
from ..host.context import ContextTree
from ..host.rootfs import CopyOptions, Owner, Selection, copy
from ..host.rootfs import Tree as Files
from .describe import describe
from .files import CopySource
from .layers import Context, Fetched, LocalLayer, Result, Tree
from .store import TreeStore

_ROOT = Owner(0, 0)


@dataclass
class Trees:
    """The results of one build. `contexts` are directories of the caller, by the names of their sources."""

    store: TreeStore
    contexts: Mapping[str, ContextTree]
    created: Callable[[], str]
    """The time that a new layer carries, RFC 3339."""
    _described: dict[Hashable, asyncio.Task[DescribedTree]] = field(default_factory=dict)
    _layered: dict[Result, asyncio.Task[Tree]] = field(default_factory=dict)

    async def described(self, result: Result) -> DescribedTree:
        """What is in it, as keys see it. Hashed once."""
        match result:
            case Context(name=name):
                return await self.contexts[name].described()
            case Fetched(directory=directory):
                return await self._describe(directory, asyncio.to_thread(describe, directory, _ROOT))
            case Tree():
                return await self._describe(result.name(), self._scan(result))

    async def _describe(self, key: Hashable, work: Coroutine[Any, Any, DescribedTree]) -> DescribedTree:
        task = self._described.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):  # another source may do better
            task = self._described[key] = asyncio.create_task(work)
        else:
            work.close()
        return await asyncio.shield(task)

    async def _scan(self, tree: Tree) -> DescribedTree:
        async with self.store.view(tree) as root:
            return await asyncio.to_thread(describe, root)

    async def layered(self, result: Result) -> Tree:
        """As layers: a directory becomes one (FROM a named context), once."""
        if isinstance(result, Tree):
            return result
        if result not in self._layered:
            self._layered[result] = asyncio.create_task(self._put_into_a_layer(result))
        return await asyncio.shield(self._layered[result])

    async def _put_into_a_layer(self, result: Result) -> Tree:
        async def fill(target: Files) -> None:
            async with self.source(result) as source:
                options = CopyOptions(owner=source.owner, selection=Selection(exists=source.exists))
                await asyncio.to_thread(copy, source.tree, "/", target, "/", options)

        return await self.changed(Tree(), fill)

    @asynccontextmanager
    async def source(self, result: Result) -> AsyncIterator[CopySource]:
        """To be copied from."""
        match result:
            case Context(name=name):
                context = self.contexts[name]
                with Files(context.root) as source:
                    yield CopySource(source, None if context.owned else _ROOT, await context.existing())
            case Fetched(directory=directory):
                with Files(directory) as source:
                    yield CopySource(source, _ROOT)
            case Tree():
                async with self.store.view(result) as root:
                    with Files(root, self.store.snapshots.ownership) as source:
                        yield CopySource(source)

    async def changed(self, parent: Tree, change: Callable[[Files], Awaitable[None]]) -> Tree:
        """The tree with one more layer: what `change` does to its files."""
        key = f"active-{uuid.uuid4().hex}"
        parent_name = await self.store.snapshot(parent)
        root = await asyncio.to_thread(self.store.snapshots.prepare, key, parent_name)
        try:
            with Files(root, self.store.snapshots.ownership) as target:
                await change(target)
            return await self.commit(parent, key)
        except BaseException:
            await asyncio.to_thread(self.store.snapshots.remove, key)
            raise

    async def commit(self, parent: Tree, key: str) -> Tree:
        """The active snapshot, which was prepared on the parent, as one more layer."""
        name = f"step-{uuid.uuid4().hex}"
        await asyncio.to_thread(self.store.snapshots.commit, name, key)
        return parent.plus(LocalLayer(name=name, created=self.created(), parent=parent.name()))
