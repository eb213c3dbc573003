"""Builders of ImageBuild specs for tests."""

from typing import Any


def spec_of(**members: Any) -> dict[str, Any]:
    """The smallest spec, with members replaced or added."""
    return {
        "source": {"git": {"url": "https://git.example/shop/web.git", "revision": "main"}},
        "output": {"image": "registry.example/shop/web:1"},
        **members,
    }
