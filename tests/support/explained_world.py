"""Builds without a disk: a Dockerfile lowered and solved for real, its steps played, and what a cache keeps of it.

first = build(FILE, {"a": "1"})
second = build(FILE, {"a": "2"}, first.cache())
second.miss("COPY a /")      why that step ran
"""

import asyncio
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from imagebuild_engine.build.cache_source import FoundCache
from imagebuild_engine.build.explained import Explainer
from imagebuild_engine.build.imports import Imported
from imagebuild_engine.contract import CacheSource
from imagebuild_engine.core.cache import (
    NO_PARENT,
    CacheIndex,
    CacheResult,
    ContentRequest,
    DescribedTree,
    Facts,
    LayerResult,
    LayerTable,
    TreeEntry,
    entry_header,
)
from imagebuild_engine.core.explain import Components, Miss, decode_components, encode_components
from imagebuild_engine.core.frontend import Lowered
from imagebuild_engine.core.graph import Edge, ExecOp, FileOp, ImageSource, LocalSource, Vertex, walk
from imagebuild_engine.core.oci import Digest, ImageConfig, RunConfig
from imagebuild_engine.core.solver import Executed, Solve, solved_records

from .lowering import BASE, Images, lowered

REF = "reg.example/app:1"
File = str | tuple[str, int]
"""A file's text, or its text and mode."""


@dataclass(frozen=True)
class Played:
    """A result: files by path. Its identity is what it was made of."""

    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @cached_property
    def described(self) -> DescribedTree:
        entries = [_entry(path, "file", text, mode) for path, (text, mode) in self.files.items()]
        folders = {path.rpartition("/")[0] for path in self.files} - {""}
        folders |= {"/".join(path.split("/")[:depth]) for path in folders for depth in range(1, path.count("/") + 1)}
        return DescribedTree([*entries, *(_entry(path, "dir", "", 0o755) for path in folders)])


def _entry(path: str, kind: Any, text: str, mode: int) -> TreeEntry:
    data = text.encode()
    header = entry_header(mode=mode, uid=0, gid=0, size=len(data), typeflag="5" if kind == "dir" else "0", linkname="")
    facts = Facts(mode, 0, 0, len(data), zlib.crc32(data))
    return TreeEntry(path, kind, Digest.of(header + data), facts=facts)


@dataclass
class Player:
    """A worker that plays the steps: each leaves a file that tells what it was made of."""

    context: Played
    caches: Sequence["Kept"]
    numbers: dict[Vertex, int]
    gone: Collection[int] = ()
    """Cache sources whose layers are all gone."""
    seconds: dict[Vertex, float] = field(default_factory=dict)
    read: dict[tuple[Vertex, int], DescribedTree] = field(default_factory=dict)
    lost: dict[tuple[Vertex, int, str | None], str] = field(default_factory=dict)
    seen: dict[tuple[Vertex, int], tuple[Digest, ...]] = field(default_factory=dict)

    async def load(self, vertex: Vertex, source: int, result: CacheResult) -> Played | None:
        if source in self.gone:
            self.lost[vertex, source, None] = "its layers are gone"
            return None
        return self.caches[source].trees[result.top]

    async def digests(self, vertex: Vertex, number: int, result: Played, request: ContentRequest) -> tuple[Digest, ...]:
        self.read[vertex, number] = result.described
        digests = self.seen[vertex, number] = request.digests(result.described)
        return digests

    async def execute(self, vertex: Vertex, inputs: Sequence[Played]) -> Played:
        match vertex.op:
            case LocalSource():
                return self.context
            case ImageSource(digest=digest):
                return Played({"etc/base": (digest, 0o644)})
            case ExecOp(args=args, env=env):
                made = {"out": (f"{args} {env} {[sorted(item.files.items()) for item in inputs]}", 0o644)}
            case FileOp() as op:
                made = {"copied": (f"{op.actions} {[self.seen.get((vertex, place)) for place in range(9)]}", 0o644)}
            case _:
                made = {}
        self.seconds[vertex] = 2.0
        return Played({**(inputs[0].files if inputs else {}), **made})

    def is_gone(self, _result: Played) -> bool:
        return False


class _Hands:
    """The player as the solver wants it: there, `gone` is a question."""

    def __init__(self, player: Player) -> None:
        self.load, self.digests, self.execute = player.load, player.digests, player.execute
        self.gone = player.is_gone


@dataclass(frozen=True)
class Kept:
    """A cache source, and the trees that its layers are."""

    imported: Imported
    trees: Sequence[Played] = ()

    def changed(self, **cache: Any) -> "Kept":
        """With other members of what was found there."""
        found = replace(self.imported.caches[0], **cache)
        imported = replace(self.imported, caches=(found,), index=CacheIndex(found.records))
        return Kept(imported, self.trees)

    def under(self, ref: str) -> "Kept":
        return Kept(replace(self.imported, source=CacheSource(ref=ref)), self.trees)


def kept(outcome: Any, why: str = "") -> Kept:
    """A source that brought nothing."""
    return Kept(Imported(source=CacheSource(ref=REF), answered=outcome, why=why))


@dataclass(frozen=True)
class Build:
    """A build that is done."""

    plan: Lowered
    solve: Solve[Any]
    player: Player
    caches: Sequence[Kept]

    @cached_property
    def explainer(self) -> Explainer:
        return Explainer(self.plan, self.player, [item.imported for item in self.caches])

    @property
    def misses(self) -> dict[str, Miss]:
        """By the steps' instructions."""
        return {_text(vertex): self.explainer.miss(vertex, self.solve) for vertex in self.ran}

    @property
    def ran(self) -> list[Vertex]:
        return [vertex for vertex in self.plan.steps if isinstance(self.solve.solved[vertex].outcome, Executed)]

    def miss(self, instruction: str) -> Miss:
        return self.misses[instruction]

    @property
    def first(self) -> Miss:
        return self.explainer.miss(self.ran[0], self.solve)

    @property
    def components(self) -> Components:
        return self.explainer.components(self.solve)

    def cache(self, *, components: bool = True, without: Collection[str] = ()) -> Kept:
        """What a cache of mode max keeps; but for the steps `without`, of which it has no result."""
        assert self.plan.target is not None
        solved = [self.solve.solved[vertex] for vertex in walk(self.plan.target) if vertex.inputs]
        solved = [item for item in solved if item.result is not None and _text(item.vertex) not in without]
        places = {item.vertex: LayerResult(place, "2026-01-01T00:00:00Z") for place, item in enumerate(solved)}
        table = LayerTable((NO_PARENT,) * len(solved))
        indexes = tuple(item.imported.index for item in self.caches)
        records = solved_records(
            self.solve, self.plan.target, indexes, lambda item: places.get(item.vertex), table=table
        )
        digest = Digest.of(repr(records).encode())
        config = ImageConfig(
            platform=self.plan.platform,
            config=RunConfig(env=self.plan.config.env),
            diff_ids=(),
            history=self.plan.history,
        )
        found = FoundCache(
            records=records,
            table=table,
            digest=digest,
            platform=self.plan.platform,
            config=config,
            components=decode_components(encode_components(self.components)) if components else None,
        )
        imported = Imported(
            source=CacheSource(ref=REF), answered="unused", digest=digest, index=CacheIndex(records), caches=(found,)
        )
        return Kept(imported, [item.result for item in solved])


def _text(vertex: Vertex) -> str:
    return vertex.origin.instruction if vertex.origin else ""


def build(
    dockerfile: str,
    context: Mapping[str, File] | None = None,
    *caches: Kept,
    images: Images = BASE,
    gone: Collection[int] = (),
    **options: Any,
) -> Build:
    """The Dockerfile built on the context with these caches. `options` are those of `lowered`."""
    files = {path: item if isinstance(item, tuple) else (item, 0o644) for path, item in (context or {}).items()}
    plan = lowered(dockerfile, images, **options)
    player = Player(Played(files), caches, {vertex: number for number, vertex in enumerate(plan.steps, 1)}, gone)
    solve = Solve[Any](_Hands(player), [item.imported.index for item in caches])
    assert plan.target is not None
    asyncio.run(_run(solve, plan.target))
    return Build(plan, solve, player, caches)


async def _run(solve: Solve[Any], target: Edge) -> None:
    await solve.run(target)
