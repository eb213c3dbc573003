"""Real shells as judges: texts with one normal form do the same, whatever text that is."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagebuild_engine.core.shelltext import normalize

from tests.support.shells import SHELLS, behaviour
from tests.unit.shelltext.scripts import script

JUDGES = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())
SEEDS = st.integers(0, 2**32)
# Harmless builtins and everything that counts for tokens; no slash, so that nothing leaves the directory.
FRAGMENTS = st.sampled_from(
    [
        *(
            "echo",
            "printf '%s,'",
            "a",
            "b",
            ":",
            "true",
            "false",
            "cat",
            "set --",
            "f",
            "x=",
            "$x",
            "${x}",
            "${x#",
            "$(",
        ),
        *("if", "then", "else", "fi", "{", "}", "case", "in", "esac", "for", "do", "done", "!", "[", "]", "[[", "]]"),
        *(
            "$((",
            "1",
            "2",
            ")",
            "(",
            ";",
            ";;",
            "&&",
            "|",
            "||",
            "\n",
            "\\\n",
            "\\",
            "#",
            "'",
            '"',
            "`",
            "$",
            "$#",
            "@",
        ),
        *("${#x}", "<", ">", ">f", ">>f", "<<E", "<<-E", "<<'E'", "E", "\nE\n", "<<<", "2>f", ">&2", "é", "=~", "$'"),
        *(" ", "  ", "\t", " ", "  ", " #", "  # c", "# c\n", "\n\n"),
    ]
)
# Functions could call themselves for ever; the number of a process is another one each time.
UNFIT = re.compile(r"\(\s*\)|\$\$")


def same(shell: tuple[str, ...], one: str, other: str) -> None:
    if behaviour(shell, one) != behaviour(shell, other):
        # The parts of a pipeline may race for a file: then a text does now this, now that.
        found = [{behaviour(shell, text) for _ in range(10)} for text in (one, other)]
        assert found[0] & found[1], (one, other, found)


@JUDGES
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_a_script_and_its_normal_form_do_the_same(shell: tuple[str, ...], seed: int) -> None:
    text = script(seed).text
    if (normal := normalize(text)) is not None:
        same(shell, text, normal)


@JUDGES
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, data=st.data())
def test_a_mutation_that_changes_what_is_done_changes_the_normal_form(
    shell: tuple[str, ...], seed: int, data: st.DataObject
) -> None:
    text = script(seed).text
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 2))
    inserted = data.draw(st.sampled_from(["", " ", "  ", "\t", "#", "\n", " #", "'", '"', "\\", "\\\n", "a", ";", "$"]))
    mutated = text[:at] + inserted + text[at + length :]
    if mutated != text and (normal := normalize(mutated)) is not None and normal == normalize(text):
        same(shell, text, mutated)


@JUDGES
@settings(max_examples=100, deadline=None)
@given(pieces=st.lists(FRAGMENTS, max_size=14))
def test_nonsense_and_its_normal_form_do_the_same(shell: tuple[str, ...], pieces: list[str]) -> None:
    text = "".join(pieces)
    normal = normalize(text)
    if normal is not None and normal != text and not UNFIT.search(text):
        same(shell, text, normal)
