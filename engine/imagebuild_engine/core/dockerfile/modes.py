"""The mode of `--chmod`: octal, or symbolic as chmod(1) of BSD has it (github.com/tonistiigi/dchapes-mode).

    mode    = octal digits | clause {"," clause}
    clause  = {"u" | "g" | "o" | "a"} action {action}
    action  = ("+" | "-" | "=") {"r" | "w" | "x" | "X" | "s" | "t" | "u" | "g" | "o"}

Two of its habits matter: without `ugoa` all classes are meant and no umask counts; `X` looks at the mode before the
first change, and a directory counts as executable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from .errors import DockerfileError
from .scalars import parse_unsigned

_ALL: Final = 0o7777
_STICKY: Final = 0o1000
_SET_ID: Final = 0o6000
_EXECUTE: Final = 0o111
_CLASSES: Final = {"u": 0o4700, "g": 0o2070, "o": 0o0007, "a": 0o6777}
_SHIFT: Final = {"u": 6, "g": 3, "o": 0}
_PERMISSIONS: Final = {"r": 0o444, "w": 0o222, "x": 0o111}
_LONGEST: Final = 1024
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXstugo]*)+)")
_ACTION = re.compile(r"([-+=])([rwxXstugo]*)")


@dataclass(frozen=True, slots=True)
class _Change:
    """One step: bits set or cleared, set if executable (`X`), or copied from a class's bits (`u`, `g`, `o`)."""

    kind: str
    bits: int
    operator: str = ""


@dataclass(frozen=True, slots=True)
class Mode:
    """`text` as written; `octal` is its number, None if it is symbolic."""

    text: str
    octal: int | None
    changes: tuple[_Change, ...] = ()

    def apply(self, mode: int, is_directory: bool) -> int:
        """The permission bits (07777) that a file of `mode` gets."""
        if self.octal is not None:
            return self.octal
        old = new = mode & _ALL
        for change in self.changes:
            match change.kind:
                case "+":
                    new |= change.bits
                case "-":
                    new &= ~change.bits
                case "X":
                    if is_directory or old & _EXECUTE:
                        new |= change.bits
                case _:
                    new = _copied(new, change)
        return new


def _copied(mode: int, change: _Change) -> int:
    """`g=u`: the class's three bits, put where the mask `bits` allows it."""
    value = mode >> _SHIFT[change.kind] & 0o7
    if change.operator == "-":
        return mode & ~(value * 0o111 & change.bits)
    if change.operator == "=":
        mode &= ~(0o777 & change.bits)
    return mode | value * 0o111 & change.bits


def parse_mode(text: str) -> Mode:
    """The mode of an expanded `--chmod`. Raises DockerfileError without place if it is none."""
    number = parse_unsigned(text, octal=True)
    if number is not None and number <= _ALL:
        return Mode(text, number)
    if number is not None or re.match(r"[0-9]", text):
        raise DockerfileError(f"invalid --chmod={text}: it must be octal, between 0 and 07777", word=text)
    if len(text) > _LONGEST:
        raise DockerfileError(f"--chmod is longer than {_LONGEST} characters", word="--chmod")
    changes: list[_Change] = []
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise DockerfileError(
                f"invalid --chmod={text}", hint="a mode is like 755, u+x or a=rX,u+w", word=text or "--chmod"
            )
        who = 0
        for letter in match[1]:
            who |= _CLASSES[letter]
        for operator, permissions in _ACTION.findall(match[2]):
            changes += _changes(who, operator, permissions)
    return Mode(text, None, tuple(changes))


def _changes(who: int, operator: str, permissions: str) -> list[_Change]:
    """The steps of one action, with two oddities of BSD's: `t` without class makes the bits before it void, and of
    `u=rg` or `u=gr` only what stands last is kept, since each `=` clears again.
    """
    changes: list[_Change] = []
    bits = execute_if = 0
    cleared = False
    for letter in permissions:
        if letter in "st":
            if who == 0 or who & ~0o7:
                who |= _STICKY if letter == "t" else 0
                bits |= _STICKY if letter == "t" else _SET_ID
        elif letter == "X" and operator != "-":
            execute_if = _EXECUTE
        elif letter in _SHIFT:
            if bits:
                changes += _set(who, operator, bits)
            if execute_if:
                changes.append(_Change("X", _allowed(who, execute_if)))
            changes.append(_Change(letter, 0o777 if who == 0 else _classes(who), operator))
            bits, execute_if, cleared = 0, 0, True
        else:
            bits |= _PERMISSIONS[letter.lower()]
    if bits or (operator == "=" and not cleared):
        changes += _set(who, operator, bits)
    if execute_if:
        changes.append(_Change("X", _allowed(who, execute_if)))
    return changes


def _set(who: int, operator: str, bits: int) -> list[_Change]:
    if operator == "=":
        return [_Change("-", who or 0o6777), _Change("+", _allowed(who, bits))]
    return [_Change(operator, _allowed(who, bits))]


def _allowed(who: int, bits: int) -> int:
    return who & bits if who else bits


def _classes(who: int) -> int:
    """All bits of those classes that may be read."""
    return sum(0o7 << shift for shift in _SHIFT.values() if who & 0o4 << shift)
