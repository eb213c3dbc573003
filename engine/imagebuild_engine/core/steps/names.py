"""What a step is called in a step cache, so that every builder that would do the same to the same finds its result.

    name(step)    H("step/v1", its key, for each input how it is known)
    an input      by definition: a selector and the name of the step or source below; or by content: a content key
    name(source)  H("source/v1", its key); files of a context have none, they are known by content only

The key is that of the step's record in the normal spelling, so that a comment in a RUN's text does not count. An image
is named by the key of its layers alone: what its reference resolves to, an index or one of its manifests, is all the
same to the steps above. A step that reads the content of another one (COPY --from) has two names: one by definition,
one in which such inputs are known by content.

What follows a step is named after its name by definition, unless a record says otherwise: who finds a step by content,
made of other steps than his own, goes on with the name that its first builder gave it, and so finds what follows, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..cache import content_key, root_key
from ..graph import CacheMap, Edge, Vertex, cache_map, walk
from ..oci import Digest, go_json

_STEP, _SOURCE = "step/v1", "source/v1"
_TAG = "step-"

Contents = Mapping[int, tuple[Digest, ...]]
"""By number of the input the digests of what is read of it, the current form's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownInput:
    """How one input is known: by definition, by content, or both."""

    selector: str = ""
    """What the definition selects of it."""
    name: Digest | None = None
    content: tuple[Digest, ...] = ()
    """Content keys of what is read, one for each form; the first one counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepIdentity:
    """All that a step's names are made of."""

    key: Digest
    inputs: tuple[KnownInput, ...] = ()

    @property
    def definition(self) -> Digest | None:
        """The name in which content counts only where nothing else is known. None if an input is not known at all."""
        return self._name(prefer_content=False)

    @property
    def by_content(self) -> Digest | None:
        """The name in which content counts wherever it is known. Without any, it is that by definition."""
        return self._name(prefer_content=True)

    def _name(self, *, prefer_content: bool) -> Digest | None:
        parts: list[list[str]] = []
        for known in self.inputs:
            if known.content and (prefer_content or known.name is None):
                parts.append(["content", known.content[0]])
            elif known.name is not None:
                parts.append(["step", known.selector, known.name])
            else:
                return None
        return Digest.of(go_json([_STEP, self.key, parts]))


def source_name(keys: Sequence[Digest]) -> Digest | None:
    """The name of a source with these keys (of an image the last is that of its layers); None for local files."""
    return Digest.of(go_json([_SOURCE, keys[-1]])) if keys else None


def tag_of(name: Digest) -> str:
    """The tag under which a record lies."""
    return _TAG + name.hex


def name_of_tag(tag: str) -> Digest | None:
    """The name that a tag of a step cache stands for; None for any other tag."""
    digits = tag.removeprefix(_TAG)
    if digits == tag or len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        return None
    return Digest(f"sha256:{digits}")


class Names:
    """The names of all steps of one build, as far as they are known; they change as more becomes known.

    `contents` are, by vertex, what is known of content before anything has run.
    """

    def __init__(
        self,
        target: Edge,
        contents: Mapping[Vertex, Contents] | None = None,
        key: Callable[[Vertex], CacheMap] = lambda vertex: cache_map(vertex.op),
    ) -> None:
        self.order = tuple(walk(target))
        """Inputs before their users."""
        self._maps = {vertex: key(vertex) for vertex in self.order}
        self._contents = dict(contents or {})
        self._renamed: dict[Vertex, Digest] = {}
        self._named: dict[Vertex, _Named] = {}
        self._name_all()

    def identity(self, vertex: Vertex) -> StepIdentity | None:
        """What the step's names are made of; None for sources."""
        return self._named[vertex].identity

    def name(self, vertex: Vertex) -> Digest | None:
        """The name after which what follows is named. None if it is not known, or that of a source without one."""
        return self._named[vertex].name

    def wanted(self, vertex: Vertex) -> Digest | None:
        """The name under which the step's record can be looked for now, by definition; None if there is none.

        What rests on a step that has to run even where its result is known can only be found by content.
        """
        named = self._named[vertex]
        return named.name if named.identity and named.sound else None

    def by_content(self, vertex: Vertex) -> Digest | None:
        """The step's other name, once all is known that it reads; None if there is none."""
        identity = self._named[vertex].identity
        if identity is None:
            return None
        keys = self._maps[vertex].inputs
        if any(key.content is not None and not known.content for known, key in zip(identity.inputs, keys, strict=True)):
            return None
        name = identity.by_content
        return name if name != identity.definition else None

    def wanted_by_content(self, vertex: Vertex) -> Digest | None:
        """The other name under which it can be looked for now; None if there is none."""
        keys = self._maps[vertex].inputs
        named = (edge.vertex for edge, key in zip(vertex.inputs, keys, strict=True) if key.content is None)
        sound = not vertex.ignore_cache and all(self._named[below].sound for below in named)
        return self.by_content(vertex) if sound else None

    def learn(self, vertex: Vertex, contents: Contents) -> None:
        """What the step reads has become known. No name by definition changes by that."""
        before = self._contents.get(vertex, {})
        now = {**before, **{position: digests for position, digests in contents.items() if digests}}
        if now != before:
            self._contents[vertex] = now
            self._named[vertex] = self._make(vertex)

    def rename(self, vertex: Vertex, name: Digest) -> None:
        """What follows the step is named after this from now on."""
        if name != self.name(vertex):
            self._renamed[vertex] = name
            self._name_all()

    def _name_all(self) -> None:
        for vertex in self.order:
            self._named[vertex] = self._make(vertex)

    def _make(self, vertex: Vertex) -> "_Named":
        known = self._maps[vertex]
        if not vertex.inputs:
            return _Named(source_name([root_key(digest, 0) for digest in known.digests]), None, sound=True)
        # The normal spelling is the second one, where a step has more than one.
        spelling = known.spellings[:2][-1]
        contents = self._contents.get(vertex, {})
        inputs = [self._named[edge.vertex] for edge in vertex.inputs]
        identity = StepIdentity(
            key=root_key(spelling.digests[0], 0),
            inputs=tuple(
                KnownInput(
                    selector=selector,
                    name=below.name,
                    content=tuple(content_key(digest) for digest in contents.get(position, ())),
                )
                for position, (selector, below) in enumerate(zip(spelling.selectors, inputs, strict=True))
            ),
        )
        if vertex in self._renamed:
            return _Named(self._renamed[vertex], identity, sound=not vertex.ignore_cache)
        sound = not vertex.ignore_cache and all(below.sound for below in inputs if below.name is not None)
        return _Named(identity.definition, identity, sound=sound)


@dataclass(frozen=True, slots=True)
class _Named:
    name: Digest | None
    identity: StepIdentity | None
    sound: bool
    """Does the name by definition stand for what this build would make?"""
