"""HEALTHCHECK: a command that is run now and then, or NONE."""

from __future__ import annotations

import re

from .blanks import GAP
from .durations import parse_duration
from .errors import DockerfileError, suggest
from .flags import Flags, FlagSet, Kind
from .instructions import ExecForm, Healthcheck, ShellForm
from .source import Location
from .words import command_of

_RETRIES = re.compile(r"[+-]?[0-9]{1,10}")
_ONE_MILLISECOND = 10**6
_FLAGS = FlagSet(
    instruction="HEALTHCHECK",
    known=dict.fromkeys(("interval", "timeout", "start-period", "start-interval", "retries"), Kind.TEXT),
)


def parse_healthcheck(flags: tuple[str, ...], rest: str, location: Location, text: str) -> Healthcheck:
    """`rest` is the line without name and flags. DockerfileError without place if it is wrong."""
    kind, *command = GAP.split(rest, maxsplit=1)
    test = command_of(command[0] if command else "")
    given = test != ShellForm("") and test != ExecForm(())
    match kind.upper():
        case "":
            raise DockerfileError("HEALTHCHECK requires at least one argument", hint="CMD or NONE")
        case "NONE":  # with whatever flags
            if given:
                raise DockerfileError("HEALTHCHECK NONE takes no arguments", word=kind)
            return Healthcheck(test=None, location=location, text=text)
        case "CMD":
            values = _FLAGS.parse(flags)
        case _:
            hint = suggest(kind, ("CMD", "NONE")) or "CMD or NONE"
            raise DockerfileError(f'unknown type "{kind}" in HEALTHCHECK', hint=hint, word=kind)
    if not given:
        raise DockerfileError("missing command after HEALTHCHECK CMD")
    return Healthcheck(
        test=test,
        interval=_interval("interval", values),
        timeout=_interval("timeout", values),
        start_period=_interval("start-period", values),
        start_interval=_interval("start-interval", values),
        retries=_retries(values.text("retries")),
        location=location,
        text=text,
    )


def _interval(flag: str, values: Flags) -> int:
    """Nanoseconds; 0 where the flag is missing, empty or zero."""
    text = values.text(flag)
    if text is None:
        return 0
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise DockerfileError(f"HEALTHCHECK --{flag}: {error}", word=f"--{flag}") from None
    if duration != 0 and duration < _ONE_MILLISECOND:
        raise DockerfileError(f"HEALTHCHECK --{flag}={text} cannot be less than 1ms", word=f"--{flag}")
    return duration


def _retries(text: str | None) -> int:
    if text is None:
        return 0
    if _RETRIES.fullmatch(text) is None or abs(int(text)) >= 2**31:
        raise DockerfileError(f"HEALTHCHECK --retries={text} is no whole number", word="--retries")
    if int(text) < 0:
        raise DockerfileError(f"HEALTHCHECK --retries={text} cannot be negative", word="--retries")
    return int(text)
