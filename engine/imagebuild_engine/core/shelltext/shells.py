"""Which shells read text as this package does, and in which surroundings."""

import posixpath
import re
from collections.abc import Sequence

from .normal import normalize

_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_FLAGS = re.compile(r"-[ceux]*(o?)")
_OPTIONS = frozenset({"errexit", "nounset", "pipefail", "xtrace"})
# They change how bash reads text, or give it text of their own to read; PS4 may print numbers of lines.
_CHANGING_VARIABLES = re.compile(r"BASH_.*|BASHOPTS|SHELLOPTS|POSIXLY_CORRECT|ENV|PS4", re.DOTALL)


def is_posix_shell(shell: Sequence[str]) -> bool:
    """Is it a shell that we know, with `-c` and options that change neither how it reads nor what it prints of that?"""
    words = list(shell)
    if words and posixpath.basename(words[0]) == "busybox":
        del words[0]
        if words and "/" in words[0]:
            return False
    if not words or posixpath.basename(words[0]) not in _SHELLS:
        return False
    options = iter(words[1:])
    takes_text = False
    for option in options:
        flags = _FLAGS.fullmatch(option)
        if flags is None or option == "-" or (flags[1] and next(options, "") not in _OPTIONS):
            return False
        takes_text = takes_text or "c" in option
    return takes_text


def normal_args(shell: Sequence[str], text: str, env: Sequence[str]) -> tuple[str, ...] | None:
    """The arguments of a step with the normal form of its text, where there is one and it is another text.

    `env` are the step's variables as `NAME=value`.
    """
    if not is_posix_shell(shell) or any(_CHANGING_VARIABLES.fullmatch(item.partition("=")[0]) for item in env):
        return None
    normal = normalize(text)
    return None if normal is None or normal == text else (*shell, normal)
