"""The build graph: vertices joined by edges. Made by the frontend, walked by the solver."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .ops import Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a step's instruction saw, for those who explain a difference. Values may be secret: they are never shown.

    `variables` are all that it could use, `arguments` the names of those that are ARGs (no ENV took their place),
    `used` the names that its own text was expanded with, and those that the values of these were made of.
    """

    position: int
    """From 1, in its stage."""
    written: str
    """The instruction before any expansion, as far as it is shown."""
    variables: Mapping[str, str]
    arguments: frozenset[str]
    used: frozenset[str]
    workdir: str
    user: str

    def __repr__(self) -> str:
        return f"<Scope of step {self.position}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where in the Dockerfile a vertex comes from. `line` is 1-based; `instruction` is the text as people know it."""

    stage: str
    line: int
    instruction: str
    scope: Scope | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Vertex:
    """A node: an op and what it works on. Two vertices are the same only if they are the same object."""

    op: Op
    inputs: "tuple[Edge, ...]" = ()
    description: str = ""
    origin: Origin | None = None
    """None for sources: they are no step of the user's."""
    ignore_cache: bool = False
    """Run even where a result is known (--no-cache). The key does not change."""

    def __repr__(self) -> str:
        return f"<Vertex {self.description or type(self.op).__name__}>"


@dataclass(frozen=True, slots=True)
class Edge:
    """Output `output` of a vertex."""

    vertex: Vertex
    output: int = field(default=0)


def walk(target: Edge) -> Iterator[Vertex]:
    """Every vertex that the edge depends on, inputs before users, each once."""
    seen: set[Vertex] = set()
    stack: list[tuple[Vertex, bool]] = [(target.vertex, False)]
    while stack:
        vertex, inputs_done = stack.pop()
        if inputs_done:
            yield vertex
        elif vertex not in seen:
            seen.add(vertex)
            stack.append((vertex, True))
            stack.extend((edge.vertex, False) for edge in reversed(vertex.inputs))
