"""The typed instructions. Words are as written: quotes and variables are still in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What every instruction has: its lines, and its text after continuation lines were joined (history shows it)."""

    location: Location
    text: str


@dataclass(frozen=True, slots=True)
class ShellForm:
    """A command line for the stage's shell, byte for byte as joined; empty if nothing was written."""

    text: str


@dataclass(frozen=True, slots=True)
class ExecForm:
    """Arguments for execve, from a JSON array; `[]` gives none."""

    args: tuple[str, ...]


Command: TypeAlias = ShellForm | ExecForm


@dataclass(frozen=True, slots=True)
class KeyValue:
    """A pair of ENV or LABEL. `legacy`: written as `KEY the rest of the line`, which shows in history."""

    key: str
    value: str
    legacy: bool = False


@dataclass(frozen=True, slots=True)
class ArgPair:
    """A declared build argument; `value` is None without `=`, which differs from an empty one."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Written):
    base: str
    name: str | None = None  # lower-cased, as BuildKit does
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Written):
    pairs: tuple[ArgPair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Written):
    pairs: tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Written):
    pairs: tuple[KeyValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Written):
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Written):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Written):
    """`from_`: a stage's name or number, or an image; None is the build context. It is never expanded."""

    sources: tuple[str, ...]
    destination: str
    from_: str | None = None
    chown: str | None = None
    chmod: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Written):
    """Local sources only, so far. Whether one is an archive, to be unpacked, is seen when the step runs."""

    sources: tuple[str, ...]
    destination: str
    chown: str | None = None
    chmod: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Written):
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Written):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Written):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Written):
    """`ports` are words, sorted as BuildKit sorts them; each may expand to several (`expand_words`)."""

    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Written):
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Written):
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Written):
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Written):
    """`test` None is `HEALTHCHECK NONE`. Times are nanoseconds, 0 where nothing was said; `retries` likewise."""

    test: Command | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Written):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Written):
    """`trigger`: the instruction's text for the image config, blanks at its end included."""

    trigger: str


Instruction: TypeAlias = (
    From
    | Arg
    | Env
    | Label
    | Workdir
    | Run
    | Copy
    | Add
    | User
    | Cmd
    | Entrypoint
    | Expose
    | Volume
    | StopSignal
    | Shell
    | Healthcheck
    | Maintainer
    | OnBuild
)
