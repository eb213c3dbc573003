"""Where a step's layers are in the image."""

import pytest
from imagebuild_engine.build.layers import Layer, LocalLayer, RemoteLayer, Tree
from imagebuild_engine.build.results import layer_makers, position
from imagebuild_engine.core.cache import CacheResult, ChainResult, LayerResult
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType, Reference

from tests.support.lowering import lowered

NOON = "2024-01-01T12:00:00Z"
ZERO = "0001-01-01T00:00:00Z"
ORIGIN = Reference.parse("registry.test/app:1")


def layer(name: str) -> Layer:
    """A capital is a layer that ran here."""
    if name.isupper():
        return LocalLayer(name=name, created=NOON)
    digest = Digest.of(name.encode())
    descriptor = Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=digest, size=1)
    return RemoteLayer(descriptor=descriptor, diff_id=digest, origin=ORIGIN)


def tree(names: str) -> Tree:
    return Tree(tuple(layer(name) for name in names))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("a", LayerResult(0, NOON)),
        ("abC", LayerResult(2, NOON)),
        ("abCdE", LayerResult(4, NOON)),
        ("C", ChainResult((2,), ZERO)),
        ("dE", ChainResult((3, 4), ZERO)),
        ("aE", ChainResult((0, 4), ZERO)),
        ("", None),
        ("x", None),
        ("abx", None),
        ("abCdEx", None),
    ],
)
def test_a_part_is_the_lowest_layers_or_any_of_them_or_no_part(part: str, expected: CacheResult | None) -> None:
    assert position(tree("abCdE"), tree(part), NOON) == expected


def test_of_equal_layers_the_lowest_is_meant() -> None:
    assert position(tree("abb"), tree("b"), NOON) == ChainResult((1,), ZERO)


def test_only_what_the_target_lies_on_or_merges_makes_its_layers() -> None:
    plan = lowered(
        "FROM base AS build\nRUN make\nFROM base\nRUN one\nCOPY --from=build /x /x\n"
        "COPY --link a.txt /\nRUN --mount=from=build,target=/b two"
    )
    assert plan.target is not None
    makers = layer_makers(plan.target)
    others = [step.origin.instruction for step in plan.steps if step not in makers and step.origin]
    assert others == ["RUN make"]
