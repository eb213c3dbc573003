"""Globs as Go's path.Match answers them; the expected answers were made by Go 1.26."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.patterns import BadPattern, has_wildcards, path_match

# pattern, name, whether it matches; None: bad pattern
ROWS: list[tuple[str, str, bool | None]] = [
    ("", "", True),
    ("", "a", False),
    ("abc", "abc", True),
    ("abc", "ab", False),
    ("*", "abc", True),
    ("*", "a/b", False),
    ("*", "", True),
    ("*c", "abc", True),
    ("a*", "a", True),
    ("a*", "ab/c", False),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
    ("a*b?c*x", "abxbbxdbxebxczzx", True),
    ("a*b?c*x", "abxbbxdbxebxczzy", False),
    ("ab[c]", "abc", True),
    ("ab[b-d]", "abc", True),
    ("ab[e-g]", "abc", False),
    ("ab[^c]", "abc", False),
    ("ab[^e-g]", "abc", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("a?b", "a☺b", True),
    ("a[^a]b", "a☺b", True),
    ("a???b", "a☺b", False),
    ("a[^a][^a][^a]b", "a☺b", False),
    ("[a-ζ]*", "α", True),
    ("*[a-ζ]", "A", False),
    ("a?b", "a/b", False),
    ("a*b", "a/b", False),
    ("a[^x]b", "a/b", True),
    ("[\\]a]", "]", True),
    ("[\\-]", "-", True),
    ("[x\\-]", "-", True),
    ("[x\\-]", "z", False),
    ("[]a]", "]", None),
    ("[-]", "-", None),
    ("[x-]", "x", None),
    ("[-x]", "x", None),
    ("[a-b-c]", "a", None),
    ("[", "a", None),
    ("[^", "a", None),
    ("[^bc", "a", None),
    ("a[", "a", None),
    ("a[", "ab", None),
    ("a[", "x", None),
    ("a/b[", "x", None),
    ("*x", "xxx", True),
    ("*[^x]*b", "aa/ab", False),
    ("\\", "a", None),
    ("a\\", "b", None),
    ("[!a]", "!", True),
    ("[!a]", "b", False),
    ("[a", "a", None),
    ("[^]", "a", None),
    ("[]", "a", None),
    ("**", "ab", True),
    ("**", "a/b", False),
    ("a**b", "axb", True),
    ("*??", "한", True),
    ("?", "한", True),
    ("[가-힣]", "한", True),
    ("*.txt", ".txt", True),
    ("*.txt", "a.txt", True),
    ("*.txt", "d/a.txt", False),
    ("d/*", "d/a", True),
    ("d/*", "d", False),
    ("d/*/", "d/a/", True),
    ("[b-a]", "a", False),
    ("*[^x]*b", "a/cb", False),
    ("]", "],", False),
    ("]", "]", True),
    ("a]", "a]", True),
    ("{a,b}", "a", False),
    ("{a,b}", "{a,b}", True),
    ("a.c", "abc", False),
    ("A", "a", False),
]


@pytest.mark.parametrize(("pattern", "name", "matches"), ROWS)
def test_a_name_matches_as_in_go(pattern: str, name: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(BadPattern) as caught:
            path_match(pattern, name)
        assert caught.value.pattern == pattern
    else:
        assert path_match(pattern, name) is matches


def test_names_that_are_not_utf8_match_byte_by_byte() -> None:
    assert path_match("a?c", "a\udcffc")
    assert path_match("*.txt", "\udcff\udcfe.txt")
    assert not path_match("??", "\udcff")


def test_half_a_surrogate_pair_is_an_ordinary_mismatch() -> None:
    assert not path_match("a", "\ud800")


def test_stars_do_not_backtrack_for_ever() -> None:
    assert not path_match("*a" * 60 + "b", "a" * 2_000)


@pytest.mark.parametrize(
    ("path", "expected"), [("/a*", True), ("/a\\*", False), ("/[", True), ("/a\\\\?", True), ("/", False)]
)
def test_an_escaped_wildcard_is_none(path: str, expected: bool) -> None:
    assert has_wildcards(path) is expected


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=20))
def test_within_one_name_it_is_shell_matching(pattern: str, name: str) -> None:
    assert path_match(pattern, name) == bool(re.fullmatch(fnmatch.translate(pattern), name))


@given(st.text("ab*?[]-^\\/", max_size=12), st.text("ab/-]", max_size=12))
def test_nothing_but_a_refusal_comes_out_of_odd_patterns(pattern: str, name: str) -> None:
    try:
        path_match(pattern, name)
    except BadPattern as error:
        assert error.pattern == pattern


def test_many_stars_take_no_time() -> None:
    assert not path_match("*a" * 30 + "b", "a" * 2000)
