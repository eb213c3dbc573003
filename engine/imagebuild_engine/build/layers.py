"""Layers and trees: what the solver's results are made of. Nothing here touches a disk or a socket."""

from dataclasses import dataclass

from ..core.oci import Descriptor, Digest, Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLayer:
    """A layer that a registry has and nobody has pulled. `origin` is an image whose repository holds it."""

    descriptor: Descriptor
    diff_id: Digest
    origin: Reference
    created: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLayer:
    """What a step that ran here changed: the committed snapshot `name`, on top of the layers below."""

    name: str
    created: str


Layer = RemoteLayer | LocalLayer


@dataclass(frozen=True, slots=True)
class Tree:
    """A root file system as layers, lowest first. No layers: an empty tree."""

    layers: tuple[Layer, ...] = ()

    def plus(self, layer: Layer) -> "Tree":
        return Tree((*self.layers, layer))

    def name(self) -> str | None:
        """The snapshot that holds it; equal trees have equal names. None for the empty tree."""
        match self.layers:
            case ():
                return None
            case (*_, LocalLayer(name=name)):
                return name
        text = "\n".join(layer.name if isinstance(layer, LocalLayer) else layer.diff_id for layer in self.layers)
        return "tree-" + Digest.of(text.encode()).hex

    def below(self) -> "Tree":
        """Without the top layer."""
        return Tree(self.layers[:-1])


@dataclass(frozen=True, slots=True)
class Context:
    """The build context: a directory that is no layer of anything."""


Result = Tree | Context
