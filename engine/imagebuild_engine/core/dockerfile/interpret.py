"""One joined line → one typed instruction. What each instruction takes, in a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from .blanks import GAP, SPACE
from .errors import DockerfileError, suggest
from .flags import FlagSet, Kind
from .healthcheck import parse_healthcheck
from .instructions import (
    Add,
    Arg,
    ArgPair,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    HereDocument,
    Instruction,
    KeyValue,
    Label,
    Maintainer,
    OnBuild,
    Run,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from .lines import LogicalLine
from .mounts import read_mount
from .source import Location
from .transfer import parse_add, parse_copy
from .words import command_of, json_form, plain_words, split_statement, split_words

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_ONBUILD = re.compile(r"[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*", re.IGNORECASE)
_Choice = TypeVar("_Choice", bound=str)
_NETWORKS: tuple[Literal["default", "none", "host"], ...] = ("default", "none", "host")
_SECURITIES: tuple[Literal["sandbox", "insecure"], ...] = ("sandbox", "insecure")

_FLAGLESS = (
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "SHELL",
    "USER",
    "VOLUME",
    "WORKDIR",
)
_NO_FLAGS = {name: FlagSet(instruction=name) for name in _FLAGLESS}
_FROM_FLAGS = FlagSet(instruction="FROM", known={"platform": Kind.TEXT})
_RUN_FLAGS = FlagSet(
    instruction="RUN",
    known={"mount": Kind.TEXTS, "network": Kind.TEXT, "security": Kind.TEXT},
    refused={"device": Kind.TEXTS},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line taken apart: what the functions below read."""

    flags: tuple[str, ...]
    rest: str
    location: Location
    text: str
    original: str
    escape: str
    heredocs: tuple[HereDocument, ...]


def interpret(line: LogicalLine, escape: str) -> Instruction:
    """The instruction of a line. DockerfileError without place if it is none."""
    statement = split_statement(line.text, escape)
    name = statement.name.lower()
    read = _INSTRUCTIONS.get(name)
    if read is None:
        hint = suggest(statement.name, [known.upper() for known in _INSTRUCTIONS])
        raise DockerfileError(f"unknown instruction: {statement.name or 'an empty one'}", hint=hint)
    instruction = read(
        _Line(
            flags=statement.flags,
            rest=statement.rest,
            location=line.location,
            text=line.text.strip(SPACE),
            original=line.text,
            escape=escape,
            heredocs=line.heredocs,
        )
    )
    return replace(instruction, comments=line.comments) if line.comments else instruction


def _from(line: _Line) -> From:
    words = plain_words(line.rest)
    name = None
    if len(words) == 3 and words[1].casefold() == "as":
        name = words[2].lower()
        if _STAGE_NAME.fullmatch(name) is None:
            raise DockerfileError(
                f'invalid name for build stage: "{words[2]}"',
                hint="letters, digits and - _ . after a first letter",
                word=words[2],
            )
    elif len(words) != 1:
        hint = suggest(words[1], ["AS"]) if len(words) == 3 else ""
        word = words[1] if len(words) > 1 else ""
        raise DockerfileError(
            "FROM requires either one or three arguments", hint=hint or "FROM image [AS name]", word=word
        )
    platform = _FROM_FLAGS.parse(line.flags).text("platform")
    return From(base=words[0], name=name, platform=platform, words=words, location=line.location, text=line.text)


def _arg(line: _Line) -> Arg:
    # Flags of ARG and STOPSIGNAL pass unseen, as in BuildKit.
    words = split_words(line.rest, line.escape)
    if not words:
        raise DockerfileError("ARG requires at least one argument")
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name:
            raise DockerfileError("ARG names can not be blank", word=word)
        pairs.append(ArgPair(name, value if equals else None))
    return Arg(pairs=tuple(pairs), location=line.location, text=line.text)


def _env(line: _Line) -> Env:
    return Env(pairs=_pairs("ENV", line), location=line.location, text=line.text)


def _label(line: _Line) -> Label:
    return Label(pairs=_pairs("LABEL", line), location=line.location, text=line.text)


def _pairs(instruction: str, line: _Line) -> tuple[KeyValue, ...]:
    """`a=b c="d e"`, or the old `a the whole rest`: the first word's `=` decides."""
    pairs = _split_pairs(instruction, line.rest, line.escape)
    _NO_FLAGS[instruction].parse(line.flags)
    if not pairs:
        raise DockerfileError(f"{instruction} requires at least one argument")
    if any(not pair.key for pair in pairs):
        raise DockerfileError(f"{instruction} names can not be blank", word="=")
    return pairs


def _split_pairs(instruction: str, text: str, escape: str) -> tuple[KeyValue, ...]:
    words = split_words(text, escape)
    if words and "=" not in words[0]:
        key, *value = GAP.split(text, maxsplit=1)
        if not value:
            raise DockerfileError(f"{instruction} must have two arguments", hint=f"{instruction} {key}=value", word=key)
        return (KeyValue(key, value[0], legacy=True),)
    pairs = []
    for word in words:
        key, equals, value_text = word.partition("=")
        if not equals:
            raise DockerfileError(f'{instruction}: no = in "{word}"; it must be of the form name=value', word=word)
        pairs.append(KeyValue(key, value_text))
    return tuple(pairs)


def _workdir(line: _Line) -> Workdir:
    return Workdir(path=_one("WORKDIR", line), location=line.location, text=line.text)


def _user(line: _Line) -> User:
    return User(user=_one("USER", line), location=line.location, text=line.text)


def _maintainer(line: _Line) -> Maintainer:
    return Maintainer(name=_one("MAINTAINER", line), location=line.location, text=line.text)


def _stopsignal(line: _Line) -> StopSignal:
    if not line.rest:
        raise DockerfileError("STOPSIGNAL requires exactly one argument")
    return StopSignal(signal=line.rest, location=line.location, text=line.text)


def _one(instruction: str, line: _Line) -> str:
    """The rest of the line, blanks inside included."""
    if not line.rest:
        raise DockerfileError(f"{instruction} requires exactly one argument")
    _NO_FLAGS[instruction].parse(line.flags)
    return line.rest


def _run(line: _Line) -> Run:
    flags = _RUN_FLAGS.parse(line.flags)
    return Run(
        command=command_of(line.rest),
        heredocs=line.heredocs,
        mounts=tuple(read_mount(text) for text in flags.texts("mount")),
        network=_choice("network", _NETWORKS, flags.texts("network"), "default"),
        security=_choice("security", _SECURITIES, flags.texts("security"), "sandbox"),
        location=line.location,
        text=line.text,
    )


def _choice(flag: str, known: tuple[_Choice, ...], given: tuple[str, ...], default: _Choice) -> _Choice:
    """The value of a flag of RUN that has few; it is compared with case."""
    if not given:
        return default
    for option in known:
        if option == given[0]:
            return option
    hint = suggest(given[0], known) or f"one of {', '.join(known)}"
    raise DockerfileError(f'invalid {flag} mode "{given[0]}"', hint=hint, word=given[0] or f"--{flag}")


def _cmd(line: _Line) -> Cmd:
    _NO_FLAGS["CMD"].parse(line.flags)
    return Cmd(command=command_of(line.rest), location=line.location, text=line.text)


def _entrypoint(line: _Line) -> Entrypoint:
    _NO_FLAGS["ENTRYPOINT"].parse(line.flags)
    return Entrypoint(command=command_of(line.rest), location=line.location, text=line.text)


def _words(text: str) -> tuple[str, ...]:
    """A JSON array's strings, or plain words."""
    words = json_form(text)
    return plain_words(text) if words is None else words


def _copy(line: _Line) -> Copy:
    return parse_copy(line.flags, _words(line.rest), line.heredocs, line.location, line.text)


def _add(line: _Line) -> Add:
    return parse_add(line.flags, _words(line.rest), line.heredocs, line.location, line.text)


def _expose(line: _Line) -> Expose:
    ports = plain_words(line.rest)
    if not ports:
        raise DockerfileError("EXPOSE requires at least one argument")
    _NO_FLAGS["EXPOSE"].parse(line.flags)
    return Expose(ports=tuple(sorted(ports)), location=line.location, text=line.text)


def _volume(line: _Line) -> Volume:
    paths = tuple(path.strip(SPACE) for path in _words(line.rest))
    if not paths:
        raise DockerfileError("VOLUME requires at least one argument")
    _NO_FLAGS["VOLUME"].parse(line.flags)
    if "" in paths:
        raise DockerfileError("VOLUME specified can not be an empty string")
    return Volume(paths=paths, location=line.location, text=line.text)


def _shell(line: _Line) -> Shell:
    _NO_FLAGS["SHELL"].parse(line.flags)
    args = json_form(line.rest)
    if args is None and line.rest:
        raise DockerfileError(
            "SHELL requires the arguments to be in JSON form",
            hint='for example SHELL ["/bin/bash", "-c"]',
            word=plain_words(line.rest)[0],
        )
    if not args:
        raise DockerfileError("SHELL requires at least one argument")
    return Shell(args=args, location=line.location, text=line.text)


def _healthcheck(line: _Line) -> Healthcheck:
    return parse_healthcheck(line.flags, line.rest, line.location, line.text)


def _onbuild(line: _Line) -> OnBuild:
    if not line.rest:
        raise DockerfileError("ONBUILD requires at least one argument")
    _NO_FLAGS["ONBUILD"].parse(line.flags)
    trigger = split_statement(line.rest, line.escape)
    match trigger.name.upper():
        case "ONBUILD":
            raise DockerfileError("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", word=trigger.name)
        case "MAINTAINER" | "FROM" as name:
            raise DockerfileError(f"{name} isn't allowed as an ONBUILD trigger", word=trigger.name)
    _check_trigger(trigger.name.lower(), trigger.rest, line.escape)
    bodies = "".join(f"\n{document.text}{document.name}" for document in line.heredocs)
    return OnBuild(trigger=_ONBUILD.sub("", line.original, count=1) + bodies, location=line.location, text=line.text)


def _check_trigger(name: str, rest: str, escape: str) -> None:
    """What BuildKit notices about a trigger before anybody builds on the image; all else waits until then."""
    match name:
        case "add" | "cmd" | "copy" | "entrypoint" | "run" | "shell" | "volume":
            json_form(rest)
        case "healthcheck":
            _, *command = GAP.split(rest, maxsplit=1)
            json_form(command[0] if command else "")
        case "env" | "label":
            _split_pairs(name.upper(), rest, escape)


_INSTRUCTIONS: dict[str, Callable[[_Line], Instruction]] = {
    "add": _add,
    "arg": _arg,
    "cmd": _cmd,
    "copy": _copy,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "from": _from,
    "healthcheck": _healthcheck,
    "label": _label,
    "maintainer": _maintainer,
    "onbuild": _onbuild,
    "run": _run,
    "shell": _shell,
    "stopsignal": _stopsignal,
    "user": _user,
    "volume": _volume,
    "workdir": _workdir,
}
