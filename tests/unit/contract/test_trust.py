"""Patterns of repositories: what they take in, and that no pattern takes long."""

import pytest
from imagebuild_engine.contract import matches_any


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        ("reg.example/shop/web", ["reg.example/shop/web"], ["reg.example/shop/webx", "shop/web"]),
        ("reg.example/shop/*", ["reg.example/shop/web"], ["reg.example/shop", "reg.example/shop/a/b"]),
        ("reg.example/**", ["reg.example/a", "reg.example/a/b/c"], ["reg.example:5000/a", "evil/a"]),
        ("reg.example/*/web-*", ["reg.example/a/web-1"], ["reg.example/a/b/web-1", "reg.example/a/web"]),
        ("**/cache", ["a/cache", "a/b/cache", "cache"], ["a/cache2"]),
        ("reg.example/**/cache", ["reg.example/cache", "reg.example/a/b/cache"], ["reg.example/a", "cache"]),
        ("a/*b*c", ["a/bc", "a/xbxc", "a/bcbc"], ["a/cb", "a/b", "a/bcx"]),
        ("a/b*b", ["a/bb", "a/bxb"], ["a/b"]),
        ("a/b**", ["a/b", "a/bx"], ["a/b/c"]),
        ("**", ["a/b", "a"], []),
        ("reg.example/a.b", ["reg.example/a.b"], ["reg.example/aXb"]),
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
