"""Scripts of a small grammar that knows where blanks and comments mean nothing.

A script is a list of pieces: text, `GAP` where at least one blank stands, `LINE` where a line ends, `BODY` where a line
ends that begins a here-document. How those are written is drawn apart from what is said, so the same script can be
written in several ways. All is drawn from one number: hypothesis' own drawing takes longer than the shells.
"""

from dataclasses import dataclass
from enum import Enum, auto
from random import Random


class Space(Enum):
    GAP = auto()
    LINE = auto()
    BODY = auto()


GAP, LINE, BODY = Space
Pieces = list[str | Space]

COMMENTS = ["#", "# c", "# it's", '# "', "# $(", "# `", "# \\", "# a # b", "#!x", "# ${", "# <<E", "# é", "#;a", "# |"]
BLANKS = [" ", "  ", "\t", " \t "]
# What stands for one word, with all that could be taken for a blank or a comment within it.
WORDS = (
    *("a", "b#c", "'x  # y'", '"x  # $x"', "\\#", "\\ ", "a\\ \\ b", "$x", '"$x"', "${x}", "${x#a}", "${x##*a}"),
    *("${#x}", "$#", "$?", "é", "x=1", "''", '""', "'a\nb'", '"a\n#b"', "$(echo  a)", "$(echo a  # c\n)"),
    *("\"$(echo  '#')\"", "`echo  a`", "${y:-a  b}", '"${y:-a  #b}"', "{a,b}", "*", "[a]", "--a=b", "$", "a$", "%"),
    *("a\"b  c\"'d  e'", '"a\\"  # b"', "$(echo \"$(echo  '#  b')\")", "-", "éa", "a#"),
)
COUNTING = ("$LINENO", "$((1  + 2))", "$((16#f + 1))", "$((3<<2))")
COMMANDS = ("echo", "printf '%s|'", ":", "true", "false", "test", "echo x", "x=1 echo", "set --", "set -e --")
REDIRECTIONS: tuple[Pieces, ...] = ([">f"], [">", GAP, "f"], [">>g"], ["2>/dev/null"], [">&2"], ["<", GAP, "/dev/null"])


@dataclass(frozen=True)
class Script:
    """`text` and `rewritten` differ in blanks and comments; `respaced` in whole lines as well."""

    text: str
    rewritten: str
    respaced: str
    counts_lines: bool


def script(seed: int) -> Script:
    random = Random(seed)
    counts_lines = random.random() < 0.3
    pieces = _Writer(random, (*WORDS, *COUNTING) if counts_lines else WORDS).commands(3)
    text, lines = _written(random, pieces, None)
    return Script(text, _written(random, pieces, lines)[0], _written(random, pieces, None)[0], counts_lines)


class _Writer:
    """Draws what is said."""

    def __init__(self, random: Random, words: tuple[str, ...]) -> None:
        self._random = random
        self._words = words

    def commands(self, depth: int) -> Pieces:
        if depth == 0 or self._random.random() < 0.25:
            return self._simple()
        inner = [self.commands(depth - 1) for _ in range(3)]
        end: Pieces = self._random.choice([[";", GAP], [LINE]])
        a, b, c = inner
        word = self._random.choice(self._words)
        match self._random.randrange(10):
            case 0 | 1:
                operators: list[Pieces] = [["&&"], ["||"], [";"], ["|"], ["&&", LINE], ["|", LINE]]
                return [*a, GAP, *self._random.choice(operators), GAP, *b]
            case 2 | 3:
                return [*a, LINE, *b]
            case 4:
                return ["{", GAP, *a, *end, "}"]
            case 5:
                return ["(", GAP, *a, GAP, ")"]
            case 6:
                return ["if", GAP, *a, *end, "then", GAP, *b, *end, "else", LINE, *c, *end, "fi"]
            case 7:
                loop: Pieces = ["for", GAP, "v", GAP, "in", GAP, "1", GAP, word, *end, "do", GAP, *a, *end, "done"]
                return loop
            case 8:
                first: Pieces = [
                    "case",
                    GAP,
                    word,
                    GAP,
                    "in",
                    LINE,
                    "a",
                    GAP,
                    "|",
                    GAP,
                    "b*)",
                    GAP,
                    *a,
                    GAP,
                    ";;",
                    LINE,
                ]
                return [*first, "(*)", LINE, *b, LINE, ";;", LINE, "esac"]
            case _:
                return ["f()", GAP, "{", GAP, *self._simple(), *end, "}", LINE, "f", GAP, "a"]

    def _simple(self) -> Pieces:
        random = self._random
        if random.random() < 0.15:
            begin, body = random.choice([("<<E", "$x ${x}"), ("<<'E'", "$(a `b"), ("<<-E", "\t'b"), ('<< "E"', "\\")])
            return ["cat", GAP, begin, BODY, f"a  # {body} b\n\n  ' #c\n{'	' if '-' in begin else ''}E\n"]
        if random.random() < 0.15:
            return ["x=" + random.choice([word for word in self._words if word[0] not in "{*-"])]
        found: Pieces = [random.choice(COMMANDS)]
        for _ in range(random.randrange(4)):
            found += [GAP, random.choice(self._words)]
        if random.random() < 0.3:
            found += [GAP, *random.choice(REDIRECTIONS)]
        return found


def _written(random: Random, pieces: Pieces, lines: list[int] | None) -> tuple[str, list[int]]:
    """The script as text, and how many lines each place that may have any took. With `lines`, those are kept."""
    pending = None if lines is None else iter(lines)
    taken: list[int] = []

    def count(most: int) -> int:
        taken.append(random.randint(0, most) if pending is None else next(pending))
        return taken[-1]

    def blank() -> str:
        return random.choice(["", "", *BLANKS])

    def comment() -> str:
        return random.choice(BLANKS) + random.choice(COMMENTS) if random.random() < 0.4 else blank()

    def empty_lines() -> str:
        return "".join(f"{blank()}{random.choice(['', *COMMENTS])}\n" for _ in range(count(2))) + blank()

    found = [empty_lines()]
    after_body = False
    for number, piece in enumerate(pieces):
        match piece:
            case Space.GAP if after_body or pieces[number - 1] is LINE:
                found.append(blank())
            case Space.GAP:
                found.append(random.choice(BLANKS))
                if _may_continue(pieces, number):
                    found += ["\\\n" + random.choice(BLANKS) for _ in range(count(1))]
            case Space.LINE if after_body or pieces[number - 1] is LINE:
                found.append(empty_lines())
            case Space.LINE:
                found.append(comment() + "\n" + empty_lines())
            case Space.BODY:
                found.append(comment() + "\n")
            case str(text):
                found.append(text)
        after_body = isinstance(piece, str) and piece.endswith("E\n")
    if not after_body:
        found.append(comment())
    return "".join(found), taken


def _may_continue(pieces: Pieces, number: int) -> bool:
    """Not before the end of a line, and not on the line of a here-document: there the engine is in doubt."""
    following = pieces[number + 1 :]
    line = next((piece for piece in following if piece in (LINE, BODY)), None)
    return bool(following) and following[0] is not LINE and following[0] is not BODY and line is not BODY
