"""Layers and trees: what the solver's results are made of. Nothing here touches a disk or a socket."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.oci import Descriptor, Digest, ImageConfig, Reference
from ..host.content import OciLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLayer:
    """A layer that nobody has pulled. `origin` is an image whose repository holds it, or a directory."""

    descriptor: Descriptor
    diff_id: Digest
    origin: Reference | OciLayout
    created: str = ""

    @property
    def repository(self) -> Reference | None:
        """Where a registry may be told to take it from."""
        return self.origin if isinstance(self.origin, Reference) else None


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


def image_layers(
    origin: Reference | OciLayout, descriptors: Sequence[Descriptor], config: ImageConfig
) -> tuple[RemoteLayer, ...]:
    """The image's layers, lowest first, with the times that its history gives them. Raises ValueError if the config
    does not fit the manifest."""
    if len(config.diff_ids) != len(descriptors):
        raise ValueError(f"the image has {len(descriptors)} layers, but its config knows {len(config.diff_ids)}")
    created = [entry.created for entry in config.history if not entry.empty_layer]
    created += [""] * (len(descriptors) - len(created))
    return tuple(
        RemoteLayer(descriptor=descriptor, diff_id=diff_id, origin=origin, created=moment)
        for descriptor, diff_id, moment in zip(descriptors, config.diff_ids, created, strict=False)
    )
