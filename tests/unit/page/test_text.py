"""Hostile text: what cannot be seen is shown, and what is shown can be encoded."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.page.text import cut, cut_to_end, log_text, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("RUN make  all\n\ttest", "RUN make  all\n\ttest"),
        ("grün 你好 שלום 🙂", "grün 你好 שלום 🙂"),
        ("\x1b[31mred\x00\x7f", "␛[31mred␀␡"),
        ("\r\x85", "␍‹U+0085›"),
        ("photo\u202egpj.exe", "photo‹U+202E›gpj.exe"),
        ("\u2066a\u2069\u061c", "‹U+2066›a‹U+2069›‹U+061C›"),
        ("zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"),
        ("\ud800 \udcff", "‹U+D800› ‹0xFF›"),
        ("\U000e0041\uffff", "‹U+E0041›‹U+FFFF›"),
        ("e" + "\u0301" * 50 + "f", "e\u0301\u0301\u0301…f"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_unseen_is_left(text: str) -> None:
    shown = visible(text)
    shown.encode()
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for character in shown:
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs", "Co", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in bidirectional
    assert visible(shown) == shown


def test_a_log_is_free_of_what_was_meant_for_a_terminal() -> None:
    printed = "\n\x1b[1;31merror\x1b[0m: \x1b]8;;https://evil.example\x07here\x1b]8;;\x07\r\n10%\r20%\x1b[K\n"
    assert log_text(printed) == "error: here\n10%\n20%"


def test_a_log_of_escapes_only_takes_no_time() -> None:
    assert len(log_text("\x1b]" * 100_000)) <= 200_000


def test_long_text_says_how_much_is_missing() -> None:
    assert cut("short", 10) == "short"
    assert cut("x" * 1234, 4) == "xxxx… (1,230 more characters)"
    assert cut_to_end("x" * 1230 + "last", 4) == "(1,230 characters before this) …last"
