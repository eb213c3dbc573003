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


# A RUN's heredoc in two spellings, with nothing but comments, blanks and empty lines between them.
HEREDOCS = {
    "a failing line": (
        "set -e\necho a > f\nfalse\necho b > f\n",
        "# c\nset  -e # d\n\n\techo a > f\nfalse  # it's\n  echo b > f\n",
    ),
    "a function": (
        "f() {\necho $1 > f\nreturn 3\n}\nf a\n",
        "# it's a function\nf() {   # of one argument\n"
        "    echo   $1 > f\n\n    # done\n    return 3\n}\n\nf   a # \\\n",
    ),
    "case": (
        "case x in\na | b) echo 1 ;;\n(x)\necho 2\n;;\n*) echo 3 ;;\nesac\n",
        "case   x in # (\n  # a)\n  a  | b)  echo 1 ;;  # ;;\n\n"
        "  (x) # x\n    echo 2\n  ;;\n  *)  echo 3 ;;\nesac # esac\n",
    ),
    "here-documents": (
        "cat > f <<E\n# kept  $HOME\n\n  too\nE\ncat >> f <<-'F'\n\t`#  kept\n\tF\necho end\n",
        "# <<E\ncat   > f <<E # <<F\n# kept  $HOME\n\n  too\nE\n\n"
        "  # more\ncat >> f   <<-'F'\n\t`#  kept\n\tF\n  echo end # F\n",
    ),
    "continued lines": (
        "echo a b && echo c > f\necho d\n",
        "echo a \\\n    b \\\n  && echo c > f\n# x \\\necho   d\n",
    ),
    "quotes over lines": (
        "x='a\n# kept  \n\n b'\necho \"$x\n  # kept\"\n",
        "  x='a\n# kept  \n\n b'   # not kept\n\necho   \"$x\n  # kept\"  # not kept\n",
    ),
    "loops": (
        'for v in 1 2\ndo\necho $v\ndone\nwhile read l\ndo\necho "$l" >> f\ndone <<E\na  b\n# c\nE\n:\n',
        "for v in 1   2 # 3\n  # 4\ndo\n  echo $v\ndone\n\nwhile read l # l\n"
        'do\n  echo   "$l" >> f\n\ndone <<E\na  b\n# c\nE\n\n:\n',
    ),
    "and, or, pipes": (
        "true &&\necho a |\ncat > f ||\nexit 4\n",
        "true && # a\n\n  # b\n  echo   a | # c\n\tcat > f || # d\n  exit   4\n",
    ),
    "an end in the middle": ("echo a\nexit 5\necho b\n", "echo a # x\n# exit 6\nexit   5\n\necho b\n"),
    "what is no command at its end": ("echo a\nif true\nthen\n)\n", "echo a # b\n\nif   true # c\nthen\n  )\n"),
}


@JUDGES
@pytest.mark.parametrize("name", HEREDOCS)
def test_two_spellings_of_a_heredoc_have_one_normal_form_and_do_the_same(shell: tuple[str, ...], name: str) -> None:
    one, other = HEREDOCS[name]
    normal = normalize(one)
    assert normal is not None
    assert normalize(other) == normal
    assert behaviour(shell, one) == behaviour(shell, other) == behaviour(shell, normal)


@JUDGES
@settings(max_examples=25, deadline=None)
@given(seeds=st.lists(SEEDS, min_size=1, max_size=4))
def test_scripts_as_the_lines_of_a_heredoc_do_the_same_in_their_normal_form(
    shell: tuple[str, ...], seeds: list[int]
) -> None:
    text = "\n".join(script(seed).text for seed in seeds) + "\n"
    if (normal := normalize(text)) is not None:
        same(shell, text, normal)
