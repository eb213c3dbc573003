"""Manifests that people copy are specs that the operator takes: those in examples/ and those on the documentation's
pages. (That the API server takes them too is an e2e test.)
"""

from collections.abc import Iterator

import pytest
import yaml
from imagebuild_operator.resource import Spec, parse_spec

from tests.support.manifests import manifests


def specs() -> Iterator[object]:
    for where, text in manifests():
        for found in yaml.safe_load_all(text):
            if found["kind"] == "ImageBuild":
                yield pytest.param(found["spec"], id=f"{where}-{found['metadata']['name']}")


@pytest.mark.parametrize("spec", list(specs()))
def test_a_manifest_that_is_shown_is_a_spec(spec: object) -> None:
    assert isinstance(parse_spec(spec), Spec)


def test_the_pages_show_some() -> None:
    assert any(where.startswith("docs/") for where, _ in manifests())
