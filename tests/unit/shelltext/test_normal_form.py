"""The normal form of fixed texts: what is left out, what stays, when there is none."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imagebuild_engine.core.shelltext import normalize
from imagebuild_engine.core.shelltext.lexer import tokens
from imagebuild_engine.core.shelltext.words import Doubt

from tests.support.effort import grows_no_faster_than_its_size
from tests.support.shells import SHELLS, behaviour
from tests.unit.shelltext.scripts import Script, script

NORMAL = {
    # blanks and comments
    "a &&     b": "a && b",
    "a\t&&\t \tb": "a && b",
    "  a  ": "a",
    "a # c": "a",
    "a;#c": "a;",
    "a&&b": "a&&b",
    "a >f": "a >f",
    "a > f": "a > f",
    "a # it's \" ` $( \\": "a",
    "a # c \\\nb": "a\nb",
    "# c\n  \n\ta": "a",
    "a\n\n\n# c\n  b # d\n": "a\nb\n",
    "a &&\n\n# c\nb": "a &&\nb",
    "a |\n  # c\n  b": "a |\nb",
    # no comments
    "echo a#b": "echo a#b",
    "echo  a\\ #b": "echo a\\ #b",
    "echo  ''#b": "echo ''#b",
    "echo  \\#b": "echo \\#b",
    "echo  $#": "echo $#",
    "echo  ${#x} ${x#a} ${x##*a}": "echo ${#x} ${x#a} ${x##*a}",
    "echo  '#  a'": "echo '#  a'",
    'echo  "#  a"': 'echo "#  a"',
    'echo  "a\\"  # b"': 'echo "a\\"  # b"',
    "echo  'a\\'  # b'": "echo 'a\\'",
    "echo  \"a'  # b\"  '\"  # c'": "echo \"a'  # b\" '\"  # c'",
    "echo  'a\n#b\n\n  c'": "echo 'a\n#b\n\n  c'",
    "echo  $'a  # b'": "echo $'a  # b'",
    "echo  $$#": "echo $$#",
    "echo  $?# a": "echo $?# a",
    "echo  é  b": "echo é b",
    "echo a\u00a0\u00a0b": "echo a\u00a0\u00a0b",
    # continued lines
    "a  \\\n  b": "a b",
    "a \\\n  \\\n\tb  # c": "a b",
    "a &&\\\n  b": "a && b",
    # substitutions stay as they are
    "x=$(a   b  # c\n)  d": "x=$(a   b  # c\n) d",
    "echo  \"$(a  'b  )'  \"c  )\")\"": "echo \"$(a  'b  )'  \"c  )\")\"",
    "echo  `a  b`   c": "echo `a  b` c",
    "echo  ${x:-a  b}": "echo ${x:-a  b}",
    'echo  ${x:-"a  }  b"}  c': 'echo ${x:-"a  }  b"} c',
    "echo  ${x//\\//_}": "echo ${x//\\//_}",
    "echo  ${x:1:2} ${x: -1} ${a[0]} ${a[@]}": "echo ${x:1:2} ${x: -1} ${a[0]} ${a[@]}",
    "echo  $((16#ff  +  (1)))": "echo $((16#ff  +  (1)))",
    "echo  $((1<<2))  b": "echo $((1<<2)) b",
    "make  -j$(($(nproc)+1))": "make -j$(($(nproc)+1))",
    "echo  $(( $x  + ${y} ))": "echo $(( $x  + ${y} ))",
    # compound commands
    "case  $x in  #c\n a|b )  c ;;  *)  d;; esac # e": "case $x in\na|b ) c ;; *) d;; esac",
    "if  a;  then\n\n  b; fi": "if a; then\nb; fi",
    "f()  {  a; }  ; f": "f() { a; } ; f",
    "(a;  b)#c": "(a; b)",
    "{  a; }  #c": "{ a; }",
    "for  x  in 1  2; do a; done": "for x in 1 2; do a; done",
    "diff  <(a  #c\n) <(b)": "diff <(a\n) <(b)",
    # here-documents and here-strings
    "cat  <<E  # c\na  # b\n\nE": "cat <<E\na  # b\n\nE",
    "cat <<'E'   >f\n$(  a `\nE\n": "cat <<'E' >f\n$(  a `\nE\n",
    "cat  <<-E\n\ta  b\n\tE\nb   c": "cat <<-E\n\ta  b\n\tE\nb c",
    "cat <<A  <<B\n 1\nA\n 2\nB\n\n\necho  a": "cat <<A <<B\n 1\nA\n 2\nB\necho a",
    "cat <<E\n$x ${x}  \\$(a)\nE\n": "cat <<E\n$x ${x}  \\$(a)\nE\n",
    "cat  <<<  'a  b'": "cat <<< 'a  b'",
    # what is seen of lines: comments go, lines stay
    "\n\na # c\n# d\necho  $LINENO": "\n\na\n\necho $LINENO",
    "a\n# c\nb  2>f": "a\n\nb 2>f",
    "a\n# c\nb  >f 2>&1": "a\n\nb >f 2>&1",
    "a\n# c\nb  >/dev/null 2>&1": "a\nb >/dev/null 2>&1",
    "a\n# c\nb  >f 3>/dev/null 2>&1": "a\n\nb >f 3>/dev/null 2>&1",
    "a\n# c\nb  2>/dev/null": "a\nb 2>/dev/null",
    "a\n# c\nb  >&2": "a\nb >&2",
    "a\n# c\nb  |& c": "a\n\nb |& c",
    "a\n# c\nb  &>f": "a\n\nb &>f",
    "a  \\\n  b $LINENO": "a \\\nb $LINENO",
    "a\n# c\n[[  x -eq y ]]": "a\n\n[[ x -eq y ]]",
    "a\n# c\nexport  $x": "a\n\nexport $x",
    # what only later lines would notice
    "eval  \"$x\"": 'eval "$x"',
    ". /etc/os-release  && $x": ". /etc/os-release && $x",
    "set  -eux;  set -o  pipefail; set  -- a": "set -eux; set -o pipefail; set -- a",
    "set  -e\na": "set -e\na",
    '"$x/bin/a"  b\n# c\nd': '"$x/bin/a" b\nd',
    "cat  /proc/cpuinfo": "cat /proc/cpuinfo",
}  # fmt: skip

DOUBTFUL = [
    # not closed, or not said alike by all shells
    *("echo  'a", 'echo  "a', "echo  `a", "echo  $(a", "echo  ${x", "echo  $((1", "a  \\", "cat <<E\na", "cat  <<E"),
    *("echo a\\\nb", "a\\\n#b", "a \\\n#b", "a \\\n\nb", "a \\\n", "\\\na", "echo  $\\\nx", 'echo  "$\\\n{x}"'),
    *("echo  $'a\\'  # b'", "echo  $[1  + 2]", "echo  `a # b`", "echo  `a \\`b\\``", "echo  \"`echo \"a\"`\""),
    *("echo  \"${x:-'a'}\"", 'echo  "${x:-"a"}"', "echo  ${x:-{a}}", "echo  ${x:-`a`}", "echo  ${x:-<(a})}"),
    *("echo  ${!x}", "echo  ${x@P}", "echo  ${x:y}", "echo  ${a[b]}", "echo  ${ a; }", "echo  $((a[1]  + 1))"),
    *("[[ a =~ (b  c) ]]", "[[ a == @(b  c) ]]", "[[ a\n# c\n]]", "[[ a =~ # ]]", "((a  # b))", "(( 16#f  ))"),
    *("a=(b  c)", "a[1  2]=b", "a[\"]  x\"]=b", "a[[x]  b]=c", "declare  -A a", "echo  +(a|b)", "f(a)  b"),
    *("a  > #b", "a >#b", "a  <<E $(b\nc)\nE\n", "a  <<E 'b\nc'\nE\n", "a  <<$E\n$E\n", "a <<'E F'\nE F\n"),
    *("cat  <<E\n$(a\nE\n", "cat  <<E\na\\\nE\n", "cat  <<E\n`a`\nE\n", "x=$(cat  <<E\nE\n)", "a <<E \\\n  b\nE\n"),
    *("x=$(case  a in a) b;; esac)", "x=$(a  # b)\n)", "x=$(a  # it's\n)", "x=$((a);  (b))"),
    # characters that are none, or that another character set may take for others
    *("a  \r", "a\r\nb  c", "a  \x00", "a  \x0b", "a\x0c  b", "a\x7f  b", "é#  a", "é\\  a", "é`a`  b", "é|a  b"),
    # what can see its own text
    *("cat  /proc/$$/cmdline", "cat  /proc/self/c*", "ps  aux", "pgrep  -f x", "'p's  aux", "echo  $BASH_COMMAND"),
    *("echo  $BASH_EXECUTION_STRING", "set  -v\na", "set  -o verbose", "set  >f", "set", "set  $x", "set -- a;  set"),
    *("SHELLOPTS=x  a", "POSIXLY_CORRECT=1  a", "typeset", "eval  set", "x=set;  $x"),
    # what changes how later lines are read
    *("alias  a='b #'\na", "shopt -s  extglob\na", ". ./x  \na", "source  ./x\na", "eval  \"$x\"\na", "$x  a\nb"),
    *('"$x"  a\nb', "trap  'a' DEBUG\nb", "command  eval a\nb", "x=1 eval  a\nb", ">f eval  a\nb", "{ eval  a; }\nb"),
    *("a && . ./x\n  b", "{set,-v}  a\nb", "function f {  eval x; }\nf", "a  \\\n eval b; eval  c", "e'va'l  x\nb"),
    # where a shell could see that more follows its last command
    *("a  b\n\n", "a  b\n# c", "a\n# c\n", "cat  <<E\nE\n\n", "a  b\n "),
    # nothing, or an option
    *("", "  ", "# c", "\n\n", "  -x", "  +x"),
]  # fmt: skip

DIFFERENT = [
    ("echo 'a  b'", "echo 'a b'"),
    ('echo "a  b"', 'echo "a b"'),
    ("echo a\\  b", "echo a\\ b"),
    ("echo a #b", "echo a#b"),
    ("echo a ''#b", "echo a '' #b"),
    ("echo 'a #b'", "echo 'a'"),
    ("echo a\necho b", "echo a echo b"),
    ("echo a # c\necho b", "echo a # c echo b"),
    ("echo a # c \\\necho b", "echo a \\\necho b"),
    ("echo 2>f", "echo 2 >f"),
    ("echo a; echo b", "echo a ; echo b c"),
    ("echo $(echo 'a  b')", "echo \"$(echo 'a  b')\""),
    ("cat <<E\na  b\nE\n", "cat <<E\na b\nE\n"),
    ("cat <<E\na # b\nE\n", "cat <<E\na\nE\n"),
    ("cat <<E\n a\nE\n", "cat <<E\na\nE\n"),
    ("cat <<E\n\na\nE\n", "cat <<E\na\nE\n"),
    ("cat <<'E'\n$HOME\nE\n", "cat <<E\n$HOME\nE\n"),
    ("x=a; echo ${x#a}", "x=a; echo ${x #a}"),
    ("set -- 1; echo $#", "set -- 1; echo $ #"),
    ("echo a\u00a0b", "echo a b"),
    ("echo \\\\#b", "echo \\\\ #b"),
    ("\n\necho $LINENO", "echo $LINENO"),
    ("echo a\n\necho $LINENO", "echo a\necho $LINENO"),
    ("true\n\n{ nothing-here; } 2>f", "true\n{ nothing-here; } 2>f"),
]

ENDS = ["", " ", "  # c", "\n", "  \n", " # c\n", "\n\n", "\n# c", "\n# c\n", "\n  "]
JUDGES = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS.keys())


@pytest.mark.parametrize("text", NORMAL)
def test_the_normal_form(text: str) -> None:
    assert normalize(text) == NORMAL[text]
    assert normalize(NORMAL[text]) == NORMAL[text]


@pytest.mark.parametrize("text", DOUBTFUL)
def test_in_doubt_there_is_no_normal_form(text: str) -> None:
    assert normalize(text) is None


@JUDGES
def test_what_does_something_else_has_another_normal_form(shell: tuple[str, ...]) -> None:
    judged_different = [pair for pair in DIFFERENT if behaviour(shell, pair[0]) != behaviour(shell, pair[1])]
    assert len(judged_different) >= len(DIFFERENT) - 2  # busybox has no names of commands or lines in its messages
    assert [
        pair for pair in DIFFERENT if normalize(pair[0]) is not None and normalize(pair[0]) == normalize(pair[1])
    ] == []


@JUDGES
@pytest.mark.parametrize("before", ["", "\n", "# c\n", "true\n\n", "true &&  "])
def test_the_last_command_stays_in_the_shell_s_own_process_or_out_of_it(shell: tuple[str, ...], before: str) -> None:
    """A shell that sees that nothing follows replaces itself: then a program is the step's first process."""
    command = "sh  -c 'echo $$'"
    judged = 0
    for text in (before + command + end for end in ENDS):
        if (normal := normalize(text)) is not None:
            judged += 1
            assert behaviour(shell, text, asks_for_process=True) == behaviour(shell, normal, asks_for_process=True)
    assert judged >= 6


def test_a_text_too_long_to_be_run_has_no_normal_form() -> None:
    """Its normal form could be run, and so do something else."""
    assert normalize("a" + " " * 131_069 + "b") == "a b"
    assert normalize("a" + " " * 131_070 + "b") is None


@given(st.integers(0, 2**32).map(script))
def test_blanks_and_comments_make_no_difference(written: Script) -> None:
    normal = normalize(written.text)
    assert normal is not None
    assert normalize(normal) == normal == normalize(written.rewritten)
    assert written.counts_lines or normalize(written.respaced) == normal


ALPHABET = " \t\n\\#'\"$`(){}[]<>|&;=!*?~:-+@%^,/.aeoE10é\u00a0\r\x00\udc80"


@given(st.text(ALPHABET, max_size=60))
def test_any_text_has_a_normal_form_that_is_its_own_or_none(text: str) -> None:
    normal = normalize(text)
    assert normal is None or normalize(normal) == normal


def test_many_random_texts_raise_nothing() -> None:
    drawn = random.Random(4)
    for _ in range(20_000):
        normalize("".join(drawn.choices(ALPHABET, k=drawn.randrange(40))))


def _lexed(text: str) -> None:
    try:
        for _ in tokens(text):
            pass
    except Doubt:
        pass


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a ",
            "a  \\\n ",
            "# c\n",
            "'a' ",
            '"a" ',
            '"$x" ',
            "$(",
            "$(a) ",
            "${x:-",
            "${x#a} ",
            "$((1)) ",
            "`a` ",
            "`",
        ),
        *("(", ") ", "{ ", "a<<E ", "a <<E\nE\n", "\\a", "a;", "<", "a[", "'", '"', "\n", "$", "é ", "case "),
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(unit: str) -> None:
    def work_of(size: int) -> Callable[[], object]:
        text = "a " + unit * size
        return lambda: _lexed(text)

    assert grows_no_faster_than_its_size(work_of, 2_000)


def test_a_long_script_is_normalized_in_linear_work() -> None:
    def work_of(size: int) -> Callable[[], object]:
        text = "set -e  # c\n" + "a  'b # c' $(d  e) \"$x\" 2>/dev/null  # f\nif g; then h; fi\n" * size
        assert len(text) < 128 * 1024
        return lambda: normalize(text)

    assert grows_no_faster_than_its_size(work_of, 500)
