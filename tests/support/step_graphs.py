"""Graphs of steps whose keys are texts: for what only deals in keys and names."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imagebuild_engine.core.cache import Spelling
from imagebuild_engine.core.graph import CacheMap, ContentRequest, Edge, HttpSource, InputKey, LocalSource, Vertex
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType
from imagebuild_engine.core.steps import KnownInput, Names, StepBelow, StepIdentity, StepRecord

NOON = "2026-01-01T12:00:00Z"


def digest(seed: str) -> Digest:
    return Digest.of(seed.encode())


def layer(seed: str, size: int = 10) -> Descriptor:
    return Descriptor(
        media_type=MediaType.OCI_LAYER_GZIP,
        digest=digest(seed),
        size=size,
        annotations={"containerd.io/uncompressed": digest(f"unpacked {seed}"), "buildkit/createdat": NOON},
    )


def record(
    key: str = "step", *inputs: KnownInput, layers: Sequence[str] = ("base", "top"), below: Sequence[StepBelow] = ()
) -> StepRecord:
    return StepRecord(
        identity=StepIdentity(key=digest(key), inputs=inputs or (KnownInput(name=digest("base")),)),
        layers=tuple(map(layer, layers)),
        written=NOON,
        below=tuple(below),
        instruction="RUN make",
        seconds=1.5,
    )


def record_of(names: Names, vertex: Vertex, *, below: bool = True) -> StepRecord:
    """The record that a builder would have written: each step is a layer on that of its first input."""
    identity = names.identity(vertex)
    assert identity is not None
    way = [vertex]
    while way[-1].inputs and way[-1].inputs[0].vertex.inputs:
        way.append(way[-1].inputs[0].vertex)
    way.reverse()
    lower = [StepBelow(name=name, layers=at) for at, step in enumerate(way[:-1], 1) if (name := names.name(step))]
    layers = [step.description for step in way]
    return replace(record("x", layers=layers, below=lower if below else ()), identity=identity)


@dataclass
class Graph:
    """Vertices and how they are keyed: `graph.key` is for who asks."""

    maps: dict[Vertex, CacheMap] = field(default_factory=dict)

    def source(self, *keys: str) -> Vertex:
        vertex = Vertex(op=HttpSource(url="x", filename="x", checksum=digest("x")), description=f"source {keys}")
        self.maps[vertex] = CacheMap(digests=tuple(map(digest, keys)), inputs=())
        return vertex

    def local(self) -> Vertex:
        vertex = Vertex(op=LocalSource(name="context"), description="local")
        self.maps[vertex] = CacheMap(digests=(), inputs=())
        return vertex

    def step(
        self,
        key: str,
        *inputs: Vertex,
        reads: Sequence[int] = (),
        normal: str = "",
        selects: str = "",
        no_cache: bool = False,
    ) -> Vertex:
        """`reads` are inputs whose content counts, `normal` is the key of another spelling of it."""
        vertex = Vertex(
            op=LocalSource(name=key),
            inputs=tuple(map(Edge, inputs)),
            description=key,
            ignore_cache=no_cache,
        )
        selector = digest(selects) if selects else None
        other = Spelling(digests=(digest(normal),), selectors=(selector or "",) * len(inputs))
        self.maps[vertex] = CacheMap(
            digests=(digest(key),),
            inputs=tuple(
                InputKey(selector=selector, content=ContentRequest() if position in reads else None)
                for position in range(len(inputs))
            ),
            older=(other,) * 3 if normal else (),
        )
        return vertex

    def chain(self, base: Vertex, *keys: str) -> list[Vertex]:
        """Steps on each other."""
        made = [base]
        for key in keys:
            made.append(self.step(key, made[-1]))
        return made[1:]

    def key(self, vertex: Vertex) -> CacheMap:
        return self.maps[vertex]
