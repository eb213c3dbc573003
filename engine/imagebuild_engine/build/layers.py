"""Layers and trees: what the solver's results are made of. Nothing here touches a disk or a socket."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.oci import Descriptor, Digest, ImageConfig, Reference
from ..host.content import OciLayout
from .supplier import Supplier


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLayer:
    """A layer that nobody has pulled. `origin` is an image whose repository holds it, or a directory."""

    descriptor: Descriptor
    diff_id: Digest
    origin: Reference | OciLayout
    created: str = ""
    supplier: Supplier | None = field(default=None, compare=False, repr=False)
    """The cache source that promised it: there is another way to come by it. None for a base image's layer."""

    @property
    def repository(self) -> Reference | None:
        """Where a registry may be told to take it from."""
        return self.origin if isinstance(self.origin, Reference) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalLayer:
    """What a step that ran here changed: the committed snapshot `name`, made on the tree called `parent`.

    On another tree (COPY --link makes its layer on nothing) it means the same changes.
    """

    name: str
    created: str
    parent: str | None = None


Layer = RemoteLayer | LocalLayer


@dataclass(frozen=True, slots=True)
class Tree:
    """A root file system as layers, lowest first. No layers: an empty tree."""

    layers: tuple[Layer, ...] = ()

    def plus(self, layer: Layer) -> "Tree":
        return Tree((*self.layers, layer))

    def names(self) -> tuple[str, ...]:
        """The snapshots with one layer, with two layers, … with all of them; equal trees have equal names."""
        names: list[str] = []
        below: str | None = None
        for layer in self.layers:
            below = _on(below, layer)
            names.append(below)
        return tuple(names)

    def name(self) -> str | None:
        """The snapshot that holds it. None for the empty tree."""
        return self.names()[-1] if self.layers else None


def _on(below: str | None, layer: Layer) -> str:
    if isinstance(layer, LocalLayer):
        if layer.parent == below:
            return layer.name
        identity = layer.name
    else:
        identity = layer.diff_id
    return "tree-" + Digest.of(f"{below or ''}\n{identity}".encode()).hex


MAIN_CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Context:
    """A build context, the main one or a named one: a directory that is no layer of anything."""

    name: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL or a Git repository gave: a directory of ours whose files belong to root, whatever the disk says."""

    directory: Path


Result = Tree | Context | Fetched


def stacked(trees: Iterable[Tree]) -> Tree:
    """All trees on each other, lowest first (a merge)."""
    return Tree(tuple(layer for tree in trees for layer in tree.layers))


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
