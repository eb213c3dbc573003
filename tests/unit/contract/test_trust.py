"""Patterns of repositories: what they take in, and that no pattern takes long."""

import pytest
from imagebuild_engine.contract import matches_any


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("registry.example/shop/web", ["registry.example/shop/web"], ["registry.example/shop/webx", "shop/web"]),
        ("registry.example/shop/*", ["registry.example/shop/web"], ["registry.example/shop", "registry.example/shop/a/b"]),
        ("registry.example/**", ["registry.example/a", "registry.example/a/b/c"], ["registry.example:5000/a", "evil/a"]),
        ("registry.example/*/web-*", ["registry.example/a/web-1"], ["registry.example/a/b/web-1", "registry.example/a/web"]),
        ("**/cache", ["a/cache", "a/b/cache"], ["cache", "a/cache2"]),
        ("**", ["a/b", "a"], []),
        ("registry.example/a.b", ["registry.example/a.b"], ["registry.example/aXb"]),
        ("", [], ["a"]),
    ],
)  # fmt: skip
def test_a_pattern_takes_in_what_it_says(pattern: str, inside: list[str], outside: list[str]) -> None:
    assert [name for name in inside if not matches_any(name, [pattern])] == []
    assert [name for name in outside if matches_any(name, [pattern])] == []


def test_one_of_several_patterns_is_enough_and_none_is_none() -> None:
    assert matches_any("a/b", ["x/y", "a/*"])
    assert not matches_any("a/b", [])


def test_a_pattern_of_many_stars_is_answered_at_all() -> None:
    assert not matches_any("a" * 255, ["*a" * 250 + "b"])
