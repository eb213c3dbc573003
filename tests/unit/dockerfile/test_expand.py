"""Quotes and variables of words, row by row. The expected results were made by BuildKit's own lexer (v0.34)."""

from __future__ import annotations

import pytest
from imagebuild_engine.core.dockerfile import DockerfileError, ExpansionError, expand, expand_words, expansion

ENV = {
    "HOME": "/root",
    "EMPTY": "",
    "FILE": "/usr/lib/libz.so.1.2",
    "LIST": " one  two ",
    "QUOTES": 'it\'s "it"',
    "DOLLAR": "a$HOME",
    "BACK": "a\\b",
    "LINES": "x\ny",
    "STARS": "a*b?c",
    "HAN": "한국어",
    "abc": "low",
}

# word, expanded, split; None: refused
ROWS: list[tuple[str, str | None, list[str] | None]] = [
    ("hello", "hello", ["hello"]),
    ("he'll'o", "hello", ["hello"]),
    ("he'llo", None, None),
    ("he\\'llo", "he'llo", ["he'llo"]),
    ('"a b"', "a b", ["a b"]),
    ('"a\\tb"', "a\\tb", ["a\\tb"]),
    ('"a\\\\tb"', "a\\tb", ["a\\tb"]),
    ("'a\\tb'", "a\\tb", ["a\\tb"]),
    ("a\\tb", "atb", ["atb"]),
    ("a\\", "a", ["a"]),
    ("a\\\\", "a\\", ["a\\"]),
    ('"a', None, None),
    ('"a\\"', None, None),
    ('"a\\"b"', 'a"b', ['a"b']),
    ('"a\'b"', "a'b", ["a'b"]),
    ("'a\"b'", 'a"b', ['a"b']),
    ("'a\\'", "a\\", ["a\\"]),
    ('"\\`"', "\\`", ["\\`"]),
    ('"\\$HOME"', "$HOME", ["$HOME"]),
    ("\\$HOME", "$HOME", ["$HOME"]),
    ("'$HOME'", "$HOME", ["$HOME"]),
    ('"$HOME"', "/root", ["/root"]),
    ("\"'$HOME'\"", "'/root'", ["'/root'"]),
    ("$HOME", "/root", ["/root"]),
    ("${HOME}", "/root", ["/root"]),
    ("x$HOME.y", "x/root.y", ["x/root.y"]),
    ("x${HOME}y", "x/rooty", ["x/rooty"]),
    ("$HOMEy", "", []),
    ("$abc$ABC", "low", ["low"]),
    ("$UNSET", "", []),
    ("${UNSET}", "", []),
    ("a$", "a$", ["a$"]),
    ("a$.b", "a$.b", ["a$.b"]),
    ("$$", "", []),
    ("$1x", "x", ["x"]),
    ("$12x", "x", ["x"]),
    ("${12}x", "x", ["x"]),
    ("$0", "", []),
    ("$@a", "a", ["a"]),
    ("${@}", "", []),
    ("${#}", "", []),
    ("${?}", "", []),
    ("$-x", "x", ["x"]),
    ("${", None, None),
    ("${}", None, None),
    ("${HOME", None, None),
    ("${{HOME}", None, None),
    ("${:-x}", None, None),
    ("${.}", None, None),
    ("${HOME.x}", None, None),
    ("${HOME:x}", None, None),
    ("${HOME:=x}", None, None),
    ("${HOME}}", "/root}", ["/root}"]),
    ("\\${HOME}", "${HOME}", ["${HOME}"]),
    ("${UNSET-w}", "w", ["w"]),
    ("${EMPTY-w}", "", []),
    ("${HOME-w}", "/root", ["/root"]),
    ("${UNSET:-w}", "w", ["w"]),
    ("${EMPTY:-w}", "w", ["w"]),
    ("${HOME:-w}", "/root", ["/root"]),
    ("${UNSET:-}", "", []),
    ("${UNSET+w}", "", []),
    ("${EMPTY+w}", "w", ["w"]),
    ("${HOME+w}", "w", ["w"]),
    ("${EMPTY:+w}", "", []),
    ("${HOME:+w}", "w", ["w"]),
    ("${UNSET?}", None, None),
    ("${UNSET?gone}", None, None),
    ("${UNSET:?gone}", None, None),
    ("${EMPTY?gone}", "", []),
    ("${EMPTY:?gone}", None, None),
    ("${HOME:?gone}", "/root", ["/root"]),
    ("${UNSET:-$HOME}", "/root", ["/root"]),
    ("${UNSET:-${EMPTY:-deep}}", "deep", ["deep"]),
    ("${UNSET:-a b}", "a b", ["a", "b"]),
    ('"${UNSET:-a  b}"', "a  b", ["a  b"]),
    ('${UNSET:-"a } b"}', "a } b", ["a", "}", "b"]),
    ("${UNSET:-'$HOME'}", "$HOME", ["$HOME"]),
    ("${UNSET:-\\}}", "}", ["}"]),
    ("${UNSET:-\\$HOME}", "$HOME", ["$HOME"]),
    ("${UNSET:-a{b}", "a{b", ["a{b"]),
    ("${HOME:+$UNSET}x", "x", ["x"]),
    ("${FILE#/usr}", "/lib/libz.so.1.2", ["/lib/libz.so.1.2"]),
    ("${FILE#*/}", "usr/lib/libz.so.1.2", ["usr/lib/libz.so.1.2"]),
    ("${FILE##*/}", "libz.so.1.2", ["libz.so.1.2"]),
    ("${FILE%.*}", "/usr/lib/libz.so.1", ["/usr/lib/libz.so.1"]),
    ("${FILE%%.*}", "/usr/lib/libz", ["/usr/lib/libz"]),
    ("${FILE%/*}", "/usr/lib", ["/usr/lib"]),
    ("${FILE#}", "/usr/lib/libz.so.1.2", ["/usr/lib/libz.so.1.2"]),
    ("${FILE##}", "/usr/lib/libz.so.1.2", ["/usr/lib/libz.so.1.2"]),
    ("${FILE#nothing}", "/usr/lib/libz.so.1.2", ["/usr/lib/libz.so.1.2"]),
    ("${FILE#?usr}", "/lib/libz.so.1.2", ["/lib/libz.so.1.2"]),
    ("${FILE:#x}", None, None),
    ("${FILE:%x}", None, None),
    ("${STARS#a\\*}", "b?c", ["b?c"]),
    ("${STARS#*\\?}", "c", ["c"]),
    ("${STARS%%\\**}", "a", ["a"]),
    ("${STARS#\\a}", None, None),
    ('${STARS#"a*"}', "*b?c", ["*b?c"]),
    ("${STARS#'a\\*'}", "a*b?c", ["a*b?c"]),
    ("${BACK#a\\\\}", "b", ["b"]),
    ("${BACK#'a\\'}", "b", ["b"]),
    ('${BACK%"\\b"}', "a", ["a"]),
    ("${LINES#*y}", "x\ny", ["x", "y"]),
    ("${LINES#?}", "\ny", ["y"]),
    ("${LINES%?}", "x\n", ["x"]),
    ("${FILE/lib/LIB}", "/usr/LIB/libz.so.1.2", ["/usr/LIB/libz.so.1.2"]),
    ("${FILE//lib/LIB}", "/usr/LIB/LIBz.so.1.2", ["/usr/LIB/LIBz.so.1.2"]),
    ("${FILE/l*z/X}", "/usr/X.so.1.2", ["/usr/X.so.1.2"]),
    ("${FILE//?/x}", "xxxxxxxxxxxxxxxxxxxx", ["xxxxxxxxxxxxxxxxxxxx"]),
    ("${FILE//.*/}", "/usr/lib/libz", ["/usr/lib/libz"]),
    ("${FILE///x}", "x/xuxsxrx/xlxixbx/xlxixbxzx.xsxox.x1x.x2x", ["x/xuxsxrx/xlxixbx/xlxixbxzx.xsxox.x1x.x2x"]),
    ("${FILE//\\//_}", "_usr_lib_libz.so.1.2", ["_usr_lib_libz.so.1.2"]),
    ("${FILE/\\//_}", "_usr/lib/libz.so.1.2", ["_usr/lib/libz.so.1.2"]),
    ("${FILE/x/y", None, None),
    ("${FILE/x}", None, None),
    ("${FILE/lib/$HOME}", "/usr//root/libz.so.1.2", ["/usr//root/libz.so.1.2"]),
    ("${FILE/lib/$DOLLAR}", "/usr/a$HOME/libz.so.1.2", ["/usr/a$HOME/libz.so.1.2"]),
    ("${FILE//lib/$DOLLAR}", "/usr/a/az.so.1.2", ["/usr/a/az.so.1.2"]),
    ("${FILE//lib/$$}", "/usr//z.so.1.2", ["/usr//z.so.1.2"]),
    ("${EMPTY/x/y}", "", []),
    ("${EMPTY//*/y}", "y", ["y"]),
    ("${UNSET//*/y}", "y", ["y"]),
    ("${HAN#?}", "국어", ["국어"]),
    ("${HAN%??}", "한", ["한"]),
    ("$HAN", "한국어", ["한국어"]),
    ("한$HOME국", "한", ["한"]),
    ("${한}", "", []),
    ("$LIST", " one  two ", ["one", "two"]),
    ('"$LIST"', " one  two ", [" one  two "]),
    ("a${LIST}b", "a one  two b", ["a", "one", "two", "b"]),
    ('a"${LIST}"b', "a one  two b", ["a one  two b"]),
    (" a  b ", " a  b ", ["a", "b"]),
    ("a\\ b c", "a b c", ["a b", "c"]),
    ('""', "", []),
    ("\"\" ''", " ", []),
    ('a""b', "ab", ["ab"]),
    ("$EMPTY", "", []),
    ('"$EMPTY"', "", []),
    ("$QUOTES", 'it\'s "it"', ["it's", '"it"']),
    ('"$QUOTES"', 'it\'s "it"', ['it\'s "it"']),
    ("$DOLLAR", "a$HOME", ["a$HOME"]),
    ("$BACK", "a\\b", ["a\\b"]),
    ("a<<EOF", "a<<EOF", ["a<<EOF"]),
    ("<< EOF b", "<< EOF b", ["<< EOF", "b"]),
    ("<<\tEOF", "<<\tEOF", ["<<\tEOF"]),
    ("a < b", "a < b", ["a", "<", "b"]),
    ('"a"\'b\'"c"', "abc", ["abc"]),
    ("a\tb\xa0c", "a\tb\xa0c", ["a", "b", "c"]),
    ("\ufeffa", "a", ["a"]),
]

# the same where the file says `# escape=`
BACKTICK: list[tuple[str, str | None, list[str] | None]] = [
    ('a`"b', 'a"b', ['a"b']),
    ('"a`"b"', 'a"b', ['a"b']),
    ("`$HOME", "$HOME", ["$HOME"]),
    ("a\\b", "a\\b", ["a\\b"]),
    ('"a\\b"', "a\\b", ["a\\b"]),
    ('"`\\"', "`\\", ["`\\"]),
    ('"``"', "`", ["`"]),
    ("${UNSET:-`}}", "}", ["}"]),
    ("${STARS#a\\*}", "b?c", ["b?c"]),
    ("${STARS#a`*}", "a*b?c", ["a*b?c"]),
    ("'`'", "`", ["`"]),
    ("a`", "a", ["a"]),
]


@pytest.mark.parametrize(("word", "text", "words"), ROWS)
def test_a_word_expands_as_in_buildkit(word: str, text: str | None, words: list[str] | None) -> None:
    if text is None:
        with pytest.raises(ExpansionError):
            expand(word, ENV)
    else:
        assert expand(word, ENV) == text
        assert expand_words(word, ENV) == words


@pytest.mark.parametrize(("word", "text", "words"), BACKTICK)
def test_another_escape_character_takes_the_backslashs_place(
    word: str, text: str | None, words: list[str] | None
) -> None:
    if text is None:
        with pytest.raises(ExpansionError):
            expand(word, ENV, escape="`")
    else:
        assert expand(word, ENV, escape="`") == text
        assert expand_words(word, ENV, escape="`") == words


@pytest.mark.parametrize(
    ("word", "words"), [("80${X:-80}", ["8080"]), ("a${X:-b c}d", ["ab", "cd"]), ('"a b"${HOME:+x}', ["a bx"])]
)
def test_what_stands_before_a_default_is_kept_when_splitting_though_buildkit_loses_it(
    word: str, words: list[str]
) -> None:
    assert expand_words(word, ENV) == words


def test_an_expansion_tells_which_variables_it_asked_for() -> None:
    result = expansion("$HOME ${EMPTY:-$MISSING} ${abc+x} '$QUOTED' \\$ESCAPED", ENV)
    assert result.used == {"HOME", "EMPTY", "abc"}
    assert result.unset == {"MISSING"}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("${VERSION:?set it with --build-arg}", "VERSION: set it with --build-arg"),
        ("${VERSION?}", "VERSION: is not allowed to be unset"),
        ("${EMPTY:?}", "EMPTY: is not allowed to be empty"),
        ("${HOME", 'missing "}"'),
        ("${HOME:-x", 'missing "}"'),
        ("${HOME/x}", 'missing "/"'),
        ("it's", "missing closing single quote"),
        ('"', "missing closing double quote"),
        ("${}", "bad substitution"),
        ("${HOME^}", 'unsupported modifier "^"'),
        ("${FILE#\\a}", 'invalid escape "\\a"'),
    ],
)
def test_a_refused_word_says_why_and_shows_the_word(word: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        expand(word, ENV)
    assert reason in str(caught.value)
    assert word in str(caught.value)


def test_nesting_is_bounded() -> None:
    fine = "${X:-" * 50 + "x" + "}" * 50
    assert expand(fine, {}) == "x"
    with pytest.raises(ExpansionError, match="nested deeper"):
        expand("${X:-" * 5000 + "}" * 5000, {})


def test_a_pattern_full_of_stars_is_no_trap() -> None:
    value = "a" * 20_000
    assert expand("${X##" + "*a" * 200 + "*b}", {"X": value}) == value
    assert expand("${X//" + "*a" * 200 + "*b/y}", {"X": value}) == value


def test_a_result_cannot_explode() -> None:
    with pytest.raises(ExpansionError, match="longer than"):
        expand("${X//a/$X}", {"X": "a" * 10_000})
    with pytest.raises(ExpansionError, match="longer than"):
        expand("$X" * 300, {"X": "a" * 10_000})
