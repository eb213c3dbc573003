"""What in a text could see how the text is written: its own characters, or the numbers of its lines.

Nothing else of a text's blanks and comments reaches the world: the shell's words are the same, byte for byte. So a
shell that prints its own functions or jobs prints the same. What runs outside of the text (programs, sourced files,
evaluated strings) can look at the shell's command line; where the text itself does not hint at that, we say that it
does not happen (docs/reference/run-text.md).
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto

from .lexer import Kind, Token


class Observed(Enum):
    NOTHING = auto()
    LINES = auto()
    """Numbers of lines may end up in a file or a variable: no line may come or go."""
    TEXT = auto()
    """Only the exact text will do."""


# The shell's command line as variables and files show it, programs that list processes, builtins that print variables.
_SEES_TEXT = re.compile(
    r"BASH_|BASHOPTS|SHELLOPTS|POSIXLY_CORRECT|cmdline"
    r"|/proc(?!/(?:cpuinfo|meminfo|version|mounts|filesystems)\b)"
    r"|\b(?:ps|pgrep|pkill|pidof|top|htop|pstree|declare|typeset)\b"
)
# Besides the number itself: all that takes a variable's value for a variable's name, or for arithmetic with such.
_SEES_LINES = re.compile(r"LINENO|PS4|\$\(\(|\b(?:caller|let)\b|\[\[|[A-Za-z0-9_]\[[^\]0-9@*]")
_QUOTING = str.maketrans("", "", "'\"\\")

# These change how the lines after them are read, or run text that may.
_CHANGES_READING = frozenset(
    {
        *(".", "alias", "bind", "builtin", "complete", "compopt", "coproc", "emulate", "enable", "eval", "mapfile"),
        *("readarray", "setopt", "shopt", "source", "trap", "unalias"),
    }
)
# A command can stand behind these; behind an operator and at the start of a line it can anyway.
_BEFORE_COMMANDS = frozenset(["!", "{", "if", "then", "else", "elif", "while", "until", "do", "time", "command"])
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^]]*\])?\+?=")
_SET = re.compile(r"\bset\b")
_EXPANDS = re.compile(r"[$`]|\{.*,", re.DOTALL)
_PATTERN = re.compile(r"[*?[]")
_IN_FOLDER = re.compile(r'"[^"`]*/[^"`]*"')
_SET_FLAGS = re.compile(r"[-+][aefuxCE]*(o?)")
_SET_NAMES = frozenset(["allexport", "errexit", "errtrace", "noclobber", "noglob", "nounset", "pipefail", "xtrace"])


def observed(tokens: Sequence[Token]) -> Observed:
    """What of the text might be seen. `tokens` are all of it; comments are ignored."""
    read = [token for token in tokens if token.kind is not Kind.COMMENT]
    raw = "".join(token.raw for token in read)
    plain = raw.translate(_QUOTING)
    commands = list(_commands(read))
    several_lines = any("\n" in token.raw for token in read[:-1] if token.kind in (Kind.NEWLINE, Kind.BLANK))
    sets = [words for words in commands if _name(words) == "set"]
    unforeseen = any(_is_unforeseen(words) for words in commands)
    if (
        any(_SEES_TEXT.search(text) for text in (raw, plain))
        or not all(_is_plain_set(words[1:]) for words in sets)
        or (unforeseen and (several_lines or len(_SET.findall(plain)) > len(sets)))
    ):
        return Observed.TEXT
    if (
        any(_SEES_LINES.search(text) for text in (raw, plain))
        or _keeps_messages(read)
        or any(_names_variables(words) for words in commands)
    ):
        return Observed.LINES
    return Observed.NOTHING


def _commands(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """All that might be a command: its name and what follows on its line, without redirections.

    More may be taken for a command than is one (a pattern of `case`), but nothing that is one is left out.
    """
    words: list[Token] = []
    expected = True
    for number, token in enumerate(tokens):
        match token.kind:
            case Kind.WORD if not _belongs_to_redirection(tokens, number):
                if token.raw in _BEFORE_COMMANDS:
                    yield from _found(words)
                    words, expected = [], True
                elif expected and (_ASSIGNMENT.match(token.raw) or token.raw.startswith("-")):
                    pass
                else:
                    words.append(token)
                    expected = False
            case Kind.OPERATOR if not token.redirects or token.raw.startswith("&"):
                yield from _found(words)
                words, expected = [], True
            case Kind.NEWLINE:
                yield from _found(words)
                words, expected = [], True
    yield from _found(words)


def _found(words: list[Token]) -> Iterator[list[Token]]:
    if words:
        yield words


def _belongs_to_redirection(tokens: Sequence[Token], number: int) -> bool:
    """Is the word a file descriptor's number, or what a redirection names?"""
    following = tokens[number + 1 : number + 2]
    if tokens[number].raw.isdigit() and following and following[0].redirects:
        return True
    before = [token for token in tokens[max(number - 2, 0) : number] if token.kind is not Kind.BLANK]
    return bool(before) and before[-1].redirects


def _is_plain_set(arguments: Sequence[Token]) -> bool:
    """`set` with options that change neither reading nor printing. Alone it prints all variables."""
    words = iter([token.raw for token in arguments])
    several = False
    for word in words:
        several = True
        if word == "--":
            return True
        if not word.startswith(("-", "+")):
            return not _EXPANDS.search(word) and not _PATTERN.search(word)
        flags = _SET_FLAGS.fullmatch(word)
        if flags is None or word in ("-", "+") or (flags[1] and next(words, "") not in _SET_NAMES):
            return False
    return several


def _name(words: Sequence[Token]) -> str:
    return words[0].raw.translate(_QUOTING)


def _is_unforeseen(words: Sequence[Token]) -> bool:
    """Does the command change how later lines are read, or could it be any command?

    A pattern is none: it would need a file of a builtin's name, and `*)` of a `case` looks like a command here.
    """
    name = words[0].raw
    return _name(words) in _CHANGES_READING or bool(_EXPANDS.search(name) and not _IN_FOLDER.fullmatch(name))


def _names_variables(words: Sequence[Token]) -> bool:
    """A variable's name that is not known before the text runs, or an attribute that makes a value a name."""
    if _name(words) not in ("export", "readonly", "local"):
        return False
    return any(token.raw.startswith("-") or _EXPANDS.search(token.raw.partition("=")[0]) for token in words[1:])


def _keeps_messages(tokens: Sequence[Token]) -> bool:
    """Might the shell's messages, which have numbers of lines, go anywhere but to the log?"""
    words = [token for token in tokens if token.kind is not Kind.BLANK]
    for number, token in enumerate(words):
        if token.raw in ("|&", "&>", "&>>") and token.kind is Kind.OPERATOR:
            target = words[number + 1 : number + 2]
            if token.raw == "|&" or not target or target[0].raw != "/dev/null":
                return True
        if not token.redirects:
            continue
        after = words[number + 1].raw if number + 1 < len(words) else ""
        if token.raw == ">&" and not re.fullmatch(r"[0-9]+|-", after):
            return True
        numbered = number > 0 and words[number - 1].raw.lstrip("0") == "2"
        thrown_away = token.raw in (">", ">>") and after == "/dev/null"
        if numbered and not thrown_away and not (token.raw == ">&" and after == "1" and _output_is_null(words, number)):
            return True
    return False


def _output_is_null(words: Sequence[Token], number: int) -> bool:
    """Does `>/dev/null` stand directly before the `2>&1` whose operator is at `number`?"""
    before = [word.raw for word in words[max(number - 4, 0) : number - 1]]
    return before[-2:] == [">", "/dev/null"] and not (len(before) == 3 and before[0].isdigit())
