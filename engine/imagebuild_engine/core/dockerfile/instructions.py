"""The typed instructions. Words are as written: quotes and variables are still in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .blanks import GAP
from .source import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What every instruction has: its lines, and its text after continuation lines were joined (history shows it).

    `comments` stand above it: what they say matters to the checks of a Dockerfile only (LogicalLine).
    """

    location: Location
    text: str
    comments: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def keyword(self) -> str:
        """The instruction's name as written: `RUN`, `run`."""
        return GAP.split(self.text, maxsplit=1)[0]


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
    words: tuple[str, ...] = field(default=(), compare=False, repr=False)
    """The base and, where the stage has a name, `AS` and that name: all as written."""


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
class HereDocument:
    """A heredoc with its body: the lines before its terminator, each with its line feed, tabs not yet removed."""

    name: str
    text: str
    chomp: bool
    expand: bool
    """Are variables in the body expanded? (COPY and ADD; to RUN it does not matter.)"""


@dataclass(frozen=True, slots=True)
class MountText:
    """One `--mount` of a RUN as written. Its options may hold variables, save `from_`, which is never expanded."""

    text: str
    from_: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """One `--mount` after expansion (`expand_mount`), with BuildKit's defaults for what was not said."""

    type: Literal["bind", "cache", "tmpfs", "secret", "ssh"] = "bind"
    from_: str | None = None
    source: str = ""
    target: str = ""
    readonly: bool = True
    size: int = 0
    """Bytes, of a tmpfs; 0 is no limit."""
    id: str = ""
    sharing: Literal["shared", "private", "locked"] = "shared"
    required: bool = False
    env: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Written):
    """`heredocs` belong to a shell form, in the order in which its words begin them."""

    command: Command
    heredocs: tuple[HereDocument, ...] = ()
    mounts: tuple[MountText, ...] = ()
    network: Literal["default", "none", "host"] = "default"
    security: Literal["sandbox", "insecure"] = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Written):
    """What COPY and ADD share. `contents` are heredocs among the sources; BuildKit takes them after all `sources`."""

    sources: tuple[str, ...]
    destination: str
    contents: tuple[HereDocument, ...] = ()
    chown: str | None = None
    chmod: str | None = None
    link: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Transfer):
    """`from_`: a stage's name or number, or an image; None is the build context. It is never expanded."""

    from_: str | None = None
    parents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Transfer):
    """Whether a local source is an archive, to be unpacked, is seen when the step runs. None: not said."""

    checksum: str | None = None
    keep_git_dir: bool | None = None
    unpack: bool | None = None


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
