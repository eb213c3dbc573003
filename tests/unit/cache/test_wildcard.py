"""Go's path.Match. The expectations were checked against Go itself."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.cache import BadWildcard, has_wildcards, wildcard_match


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("abc", "abc", True),
        ("*", "abc", True),
        ("*", "", True),
        ("*c", "abc", True),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("*", "a/b", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[^e-g]", "abc", True),
        ("ab[^b-d]", "abc", False),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a?b", "a/b", False),
        ("a[^x]b", "a/b", True),
        ("a[.-0]b", "a/b", True),
        ("[\\]a]", "]", True),
        ("[\\-x]", "-", True),
        ("*x", "xxx", True),
        ("*[^x]*b", "aa/ab", False),
    ],
)
def test_matches_like_go(pattern: str, name: str, expected: bool) -> None:
    assert wildcard_match(pattern, name) is expected


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "\\", "[a-b-c]", "[\\"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadWildcard):
        wildcard_match(pattern, "a")


@pytest.mark.parametrize(
    ("path", "expected"), [("/a*", True), ("/a\\*", False), ("/[", True), ("/a\\\\?", True), ("/", False)]
)
def test_an_escaped_wildcard_is_none(path: str, expected: bool) -> None:
    assert has_wildcards(path) is expected


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=20))
def test_within_one_name_it_is_shell_matching(pattern: str, name: str) -> None:
    assert wildcard_match(pattern, name) == bool(re.fullmatch(fnmatch.translate(pattern), name))


@given(st.text("ab*?[]-^\\/", max_size=12), st.text("ab/-]", max_size=12))
def test_nothing_but_a_refusal_comes_out_of_odd_patterns(pattern: str, name: str) -> None:
    try:
        wildcard_match(pattern, name)
    except BadWildcard as error:
        assert error.pattern == pattern


def test_many_stars_take_no_time() -> None:
    assert not wildcard_match("*a" * 30 + "b", "a" * 2000)
