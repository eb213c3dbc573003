"""File steps without a Dockerfile: actions carried out on real snapshots, and what the tree is like afterwards."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebuild_engine.build.layers import MAIN_CONTEXT, Context, Result, Tree
from imagebuild_engine.build.remote import RemoteFiles
from imagebuild_engine.build.store import TreeStore
from imagebuild_engine.build.surroundings import Surroundings
from imagebuild_engine.build.trees import Trees
from imagebuild_engine.build.worker import BuildWorker
from imagebuild_engine.core.dockerfile import IgnorePatterns, Source
from imagebuild_engine.core.graph import CopyAction, Edge, FileAction, FileOp, MergeOp, Op, Origin, Vertex
from imagebuild_engine.host.context import ContextTree
from imagebuild_engine.host.registry import RegistryClient
from imagebuild_engine.host.rootfs import Kind, scan
from imagebuild_engine.host.snapshots import FlatSnapshotter, OverlaySnapshotter

from tests.support.lowering import AMD64
from tests.support.trees import Picture, picture

CONTEXT = Context(MAIN_CONTEXT)
SNAPSHOTTERS = ("overlay", "flat")


class _Silent:
    def show(self, event: object) -> None:
        """Nobody watches."""


@dataclass
class FileSteps:
    """A worker. Each method takes results and gives one, as the solver would."""

    worker: BuildWorker
    context: Path

    async def perform(self, *actions: FileAction, inputs: Sequence[Result] = (CONTEXT,)) -> Tree:
        """One file op."""
        result = await self.execute(FileOp(actions=actions), inputs)
        assert isinstance(result, Tree)
        return result

    async def copy(self, source: str, destination: str, onto: Tree | None = None, **options: Any) -> Tree:
        """COPY of the context, on nothing or on a tree."""
        return await self.copy_from(CONTEXT, source, destination, onto, **options)

    async def copy_from(
        self, result: Result, source: str, destination: str, onto: Tree | None = None, **options: Any
    ) -> Tree:
        """COPY --from."""
        first = () if onto is None else (onto,)
        action = CopyAction(
            source=source,
            destination=destination,
            input=-1 if onto is None else 0,
            source_input=len(first),
            output=0,
            **options,
        )
        return await self.perform(action, inputs=(*first, result))

    async def merge(self, *trees: Tree) -> Tree:
        result = await self.execute(MergeOp(count=len(trees)), trees)
        assert isinstance(result, Tree)
        return result

    async def execute(self, op: Op, inputs: Sequence[Result] = ()) -> Result:
        """Any op."""
        blank = tuple(Edge(Vertex(op=MergeOp(count=0))) for _ in inputs)
        origin = Origin(stage="", line=1, instruction="COPY")
        return await self.worker.execute(Vertex(op=op, inputs=blank, origin=origin), inputs)

    async def look(self, result: Result) -> dict[str, str]:
        """Path → kind, mode and owner of all that is in the tree."""
        async with self.worker.trees.store.view(await self.worker.trees.layered(result)) as root:
            return {
                entry.path.decode(): f"{_KINDS[entry.kind]} {entry.mode:o} {entry.uid}:{entry.gid}"
                for entry in scan(root)
                if entry.path
            }

    async def picture(self, tree: Tree, *, times: bool = False) -> Picture:
        async with self.worker.trees.store.view(tree) as root:
            return picture(root, times=times)


_KINDS = {Kind.FILE: "-", Kind.DIRECTORY: "d", Kind.SYMLINK: "l", Kind.FIFO: "p", Kind.CHAR: "c", Kind.BLOCK: "b"}


@contextmanager
def file_steps(folder: Path, context: Path, snapshotter: str, *ignored: str) -> Iterator[FileSteps]:
    """`ignored` are the lines of the context's .dockerignore."""
    with Surroundings(folder / "state") as surroundings:
        kinds = {"overlay": OverlaySnapshotter, "flat": FlatSnapshotter}
        surroundings.__dict__["snapshots"] = kinds[snapshotter](surroundings.directory / "snapshots")
        store = TreeStore(client=RegistryClient(None), surroundings=surroundings)
        tree = ContextTree(context, IgnorePatterns.of(ignored).matcher if ignored else None)
        worker = BuildWorker(
            store=store,
            surroundings=surroundings,
            trees=Trees(store, {MAIN_CONTEXT: tree}, created=lambda: "2026-01-01T00:00:00Z"),
            remote=RemoteFiles(surroundings.directory / "remote", local_git=True),
            imported=(),
            platform=AMD64,
            base_layers={},
            view=_Silent(),
            numbers={},
            source=Source("Dockerfile", "COPY\n"),
        )
        yield FileSteps(worker, context)
