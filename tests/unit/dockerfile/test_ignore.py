"""Ignore files. The expected answers of the table were made by moby/patternmatcher itself (v0.6)."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.dockerfile import DockerfileError, IgnorePatterns, ParentMatch

# file, path, whether the path is excluded
ROWS: list[tuple[str, str, bool]] = [
    ("a", "a", True),
    ("a", "a/b", True),
    ("a", "b/a", False),
    ("a", "ab", False),
    ("/a", "a", True),
    ("a/", "a", True),
    ("a/", "a/b/c", True),
    ("./a", "a", True),
    ("a//b", "a/b", True),
    ("a/../b", "b", True),
    ("..", "a", False),
    (".", "a", False),
    (".", "a/b", False),
    ("/", "a", False),
    ("*", "a", True),
    ("*", ".git/x", True),
    ("*.md", "a.md", True),
    ("*.md", "d/a.md", False),
    ("*/*.md", "d/a.md", True),
    ("*/*.md", "a.md", False),
    ("*/*.md", "d/e/a.md", False),
    ("**/*.md", "a.md", True),
    ("**/*.md", "d/e/a.md", True),
    ("**", "a/b", True),
    ("**/", "a", True),
    ("a/**", "a", False),
    ("a/**", "a/b", True),
    ("a/**", "a/b/c", True),
    ("a/**", "ab", False),
    ("**/a", "a", True),
    ("**/a", "x/a", True),
    ("**/a", "x/a/y", True),
    ("**/a", "xa", False),
    ("**a", "x/ya", True),
    ("**/a/**", "x/a/y", True),
    ("**/a/**", "a", False),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/xb", False),
    ("a**", "abc/d", True),
    ("a?c", "abc", True),
    ("a?c", "a/c", False),
    ("?", "é", True),
    ("[ab]", "a", True),
    ("[^ab]", "a", False),
    ("[^ab]", "c", True),
    ("[!a]", "!", True),
    ("[a-c]x", "bx", True),
    ("a\\*", "a*", True),
    ("a\\*", "ab", False),
    ("a.b", "axb", False),
    ("a+b", "a+b", True),
    ("a(b)", "a(b)", True),
    ("a{b,c}", "ab", False),
    ("a|b", "a", False),
    ("a$", "a$", True),
    ("^a", "^a", True),
    ("^a*", "^ab", False),
    ("\\d", "5", True),
    ("\\d", "d", False),
    ("[[:alpha:]]", "q", True),
    ("[*]", "*", False),
    ("a b", "a b", True),
    ("#a", "#a", False),
    (" #a", "#a", True),
    ("  a  ", "a", True),
    ("*\n!a", "a", False),
    ("*\n!a", "a/b", False),
    ("*\n!a", "b", True),
    ("!a\n*", "a", True),
    ("*\n!a/b", "a", True),
    ("*\n!a/b", "a/b", False),
    ("*\n!a/b", "a/c", True),
    ("*\n!a\na/b", "a/b", True),
    ("*\n!a\na/b", "a/c", False),
    ("**\n!**/*.go", "x/y.go", False),
    ("**\n!**/*.go", "x/y.md", True),
    ("a\n!/a/b", "a/b", False),
    ("a\n! a/b", "a/b", False),
    ("a\n!./a/b/", "a/b/c", False),
    ("*.md\n!README*.md\nREADME-secret.md", "README.md", False),
    ("*.md\n!README*.md\nREADME-secret.md", "README-x.md", False),
    ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", True),
    ("a\n\n# c\nb", "b", True),
    ("\ufeffa", "a", True),
    ("a\r\nb\r\n", "a", True),
    ("é", "é", True),
    ("node_modules\n!node_modules/x", "node_modules/x/y", False),
    ("a/*\n!a/b", "a/b/c", False),
    ("a/*\n!a/b", "a/c/d", True),
    ("A", "a", False),
]


@pytest.mark.parametrize(("text", "path", "excluded"), ROWS)
def test_a_path_is_excluded_as_by_moby(text: str, path: str, excluded: bool) -> None:
    assert IgnorePatterns.parse(text).matcher.matches_or_parent_matches(path) is excluded


def walk(patterns: IgnorePatterns, path: str) -> bool:
    """Goes down to the path as a walk does."""
    excluded, state = False, None
    parts = path.split("/")
    for depth in range(1, len(parts) + 1):
        excluded, state = patterns.matcher.match("/".join(parts[:depth]), state)
    return excluded


@pytest.mark.parametrize(("text", "path", "excluded"), ROWS)
def test_walking_down_gives_the_same_answer(text: str, path: str, excluded: bool) -> None:
    assert walk(IgnorePatterns.parse(text), path) is excluded


def test_patterns_are_cleaned_as_the_client_sends_them() -> None:
    text = "\ufeff# comment\n\n  /a//b/ \n! /c/./d \n*.md\r\n /\n\t#not a comment\n!../x\n"
    assert IgnorePatterns.parse(text).patterns == ("a/b", "!c/d", "*.md", "/", "#not a comment", "!../x")


@pytest.mark.parametrize("text", ["[", "a[", "!", "! ", "a\\", "[]a", "[^]", "*\n!x[", "\\q", "[b-a]"])
def test_a_bad_pattern_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        IgnorePatterns.parse("fine\n" + text)
    assert caught.value.location is not None
    assert caught.value.location.start == text.count("\n") + 2
    assert str(caught.value).startswith(f".dockerignore:{caught.value.location.start}: syntax error in pattern")


def test_an_ignore_file_has_limits_too() -> None:
    with pytest.raises(DockerfileError, match="larger than"):
        IgnorePatterns.parse(b"a\n" * (1 << 20))
    with pytest.raises(DockerfileError, match="more than 50000 lines"):
        IgnorePatterns.parse("\n" * 60_000)
    with pytest.raises(DockerfileError, match="UTF-8"):
        IgnorePatterns.parse(b"a\n\xff\n")


def test_patterns_from_elsewhere_are_taken_as_they_are() -> None:
    patterns = IgnorePatterns.of(["a/", "!a/b"])
    assert patterns.patterns == ("a/", "!a/b")
    assert patterns.matcher.matches_or_parent_matches("a/c")
    assert not patterns.matcher.matches_or_parent_matches("a/b")
    with pytest.raises(DockerfileError):
        IgnorePatterns.of(["["])


def test_no_patterns_exclude_nothing() -> None:
    matcher = IgnorePatterns.parse("").matcher
    assert matcher.match("a", None) == (False, ParentMatch(()))
    assert not matcher.has_exclusions


def test_the_state_of_another_matcher_is_refused() -> None:
    with pytest.raises(ValueError, match="another matcher"):
        IgnorePatterns.parse("a").matcher.match("a/b", ParentMatch((True, False)))


@pytest.mark.parametrize(
    ("text", "directory", "answer"),
    [
        ("a", "a", False),
        ("*\n!a/b/c", "a", True),
        ("*\n!a/b/c", "a/b", True),
        ("*\n!a/b/c", "a/b/c", False),
        ("*\n!a/b/c", "b", False),
        ("node_modules\n!*.md", "node_modules", False),
        ("node_modules\n!*/*.md", "node_modules", True),
        ("node_modules\n!src/*.md", "node_modules", False),
        ("node_modules\n!**/*.md", "node_modules", True),
        ("node_modules\n!src/**", "node_modules", False),
        ("*\n!src/**", "src/deep/er", True),
        ("*\n![s]rc/x", "a", True),
    ],
)
def test_a_walk_knows_which_excluded_directories_it_may_skip(text: str, directory: str, answer: bool) -> None:
    assert IgnorePatterns.parse(text).matcher.may_reinclude_below(directory) is answer


NAMES = st.sampled_from(["a", "b", "ab", "a.b", ".c"])
PIECES = st.sampled_from(["a", "b", "ab", "*", "**", "?", "*.b", "[a-b]", "[^a]", ".c", "a*"])
PATTERNS = st.lists(
    st.builds(
        lambda sign, parts: sign + "/".join(parts),
        st.sampled_from(["", "", "!"]),
        st.lists(PIECES, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(PATTERNS, st.lists(NAMES, min_size=2, max_size=4))
def test_nothing_is_included_again_below_a_directory_that_may_be_skipped(patterns: list[str], parts: list[str]) -> None:
    ignore = IgnorePatterns.parse("\n".join(patterns))
    path = posixpath.join(*parts)
    for depth in range(1, len(parts)):
        directory = "/".join(parts[:depth])
        if walk(ignore, directory) and not ignore.matcher.may_reinclude_below(directory):
            assert walk(ignore, path)


@settings(deadline=None)
@given(st.text(max_size=60), st.text(alphabet="abc/.*[]!\\", min_size=1, max_size=12))
def test_any_text_is_an_ignore_file_or_refused(text: str, path: str) -> None:
    try:
        ignore = IgnorePatterns.parse(text)
    except DockerfileError:
        return
    assert ignore.matcher.matches_or_parent_matches(path) in (True, False)
