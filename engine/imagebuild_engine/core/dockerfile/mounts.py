"""`RUN --mount`: its options before and after their variables are expanded.

BuildKit reads a mount twice (frontend/dockerfile/instructions/commands_runmount.go): with the file, when only `from`
matters, since it decides what the stage needs; and with the stage's variables, when everything else is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from .csvfields import csv_fields
from .errors import DockerfileError, suggest
from .instructions import MountText, RunMount
from .scalars import parse_bool, parse_size, parse_unsigned

_Option = TypeVar("_Option", bound=str)
_Type = Literal["bind", "cache", "tmpfs", "secret", "ssh"]
_Sharing = Literal["shared", "private", "locked"]
_TYPES: tuple[_Type, ...] = get_args(_Type)
_SHARINGS: tuple[_Sharing, ...] = get_args(_Sharing)
_KEYS = (
    "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "required",
    "size", "id", "sharing", "mode", "uid", "gid", "env",
)  # fmt: skip
_SWITCHES = ("readonly", "ro", "readwrite", "rw", "required")


def read_mount(text: str) -> MountText:
    """A `--mount` as written, checked as far as its variables allow. Raises DockerfileError without place."""
    from_ = None
    for field in _fields(text):
        key, equals, value = field.partition("=")
        if key.lower() == "from" and equals:
            if "$" in value[:-1]:
                raise DockerfileError(
                    f"RUN --mount: from={value}: variables are not expanded here",
                    hint="name a stage: FROM with a global ARG in it, and mount from that stage",
                    word=field,
                )
            from_ = value or None
    return MountText(text, from_)


def expand_mount(mount: MountText, expand: Callable[[str], str]) -> RunMount:
    """The mount with its options expanded, each value by itself. Raises DockerfileError without place."""
    options = _Options()
    for field in _fields(mount.text):
        key, equals, value = field.partition("=")
        if equals:
            options.set(key.lower(), expand(value), field)
        elif key.lower() in _SWITCHES:
            options.set(key.lower(), "true", field)
        else:
            hint = "" if key.lower() in _KEYS else suggest(key.lower(), _KEYS)
            raise DockerfileError(f"RUN --mount: {field} must be a key=value pair", hint=hint, word=field)
    return options.mount(mount)


def _fields(text: str) -> list[str]:
    try:
        return csv_fields(text)
    except ValueError as error:
        raise DockerfileError(f"RUN --mount={text} is no list of options: {error}", word="--mount") from None


@dataclass(slots=True)
class _Options:
    """What was said so far. Order matters: a key that only some types have must follow `type`."""

    type: _Type = "bind"
    source: str = ""
    target: str = ""
    readonly: bool | None = None
    size: int = 0
    id: str = ""
    sharing: _Sharing | None = None
    required: bool = False
    env: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    def set(self, key: str, value: str, field: str) -> None:
        match key:
            case "type":
                self.type = _one_of("type", _TYPES, value, field)
            case "from":
                pass  # the one that was written counts
            case "source" | "src":
                self.source = value
            case "target" | "dst" | "destination":
                self.target = value
            case "readonly" | "ro":
                self.readonly = _truth(key, value, field)
            case "readwrite" | "rw":
                self.readonly = not _truth(key, value, field)
            case "required":
                self._only_for(key, ("secret", "ssh"), field)
                self.required = _truth(key, value, field)
            case "size":
                self._only_for(key, ("tmpfs",), field)
                size = parse_size(value)
                if size is None:
                    raise _wrong(key, value, "a size such as 64m or 1.5GiB", field)
                self.size = size
            case "id":
                self.id = value
            case "sharing":
                self.sharing = _one_of("sharing", _SHARINGS, value, field)
            case "mode":
                self.mode = _number(key, value, field)
            case "uid":
                self.uid = _number(key, value, field)
            case "gid":
                self.gid = _number(key, value, field)
            case "env":
                self.env = value
            case _:
                raise DockerfileError(f"RUN --mount: unexpected key {key}", hint=suggest(key, _KEYS), word=field)

    def _only_for(self, key: str, types: tuple[str, ...], field: str) -> None:
        if self.type not in types:
            raise DockerfileError(
                f"RUN --mount: {key} is not for type {self.type}",
                hint=f"only for {' and '.join(types)}; type must stand before it",
                word=field,
            )

    def mount(self, written: MountText) -> RunMount:
        """All of it, checked as a whole."""
        owner = {"mode": self.mode, "uid": self.uid, "gid": self.gid}
        if self.type in ("bind", "tmpfs"):
            for key, value in owner.items():
                if value is not None:
                    raise DockerfileError(f"RUN --mount: {key} is not for type {self.type}", word=key)
        if self.type == "secret":
            if written.from_ is not None:
                raise DockerfileError("RUN --mount: a secret has no from", word="from")
            if not (self.source or self.target or self.id):
                raise DockerfileError("RUN --mount: a secret needs id, source or target", word="--mount")
            if self.source and self.id:
                raise DockerfileError("RUN --mount: id and source of a secret are the same: give one", word="id")
        if self.type == "ssh" and self.source:
            raise DockerfileError("RUN --mount: ssh has no source", word="source")
        if self.sharing is not None and self.type != "cache":
            raise DockerfileError(f"RUN --mount: sharing is not for type {self.type}", word="sharing")
        readonly = self.type not in ("cache", "tmpfs") if self.readonly is None else self.readonly
        return RunMount(
            type=self.type,
            from_=written.from_,
            source=self.source,
            target=self.target,
            readonly=readonly,
            size=self.size,
            id=self.id,
            sharing=self.sharing or "shared",
            required=self.required,
            env=self.env,
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
        )


def _one_of(key: str, known: tuple[_Option, ...], value: str, field: str) -> _Option:
    for option in known:
        if option == value.lower():
            return option
    hint = suggest(value, known) or f"one of {', '.join(known)}"
    raise DockerfileError(f'RUN --mount: unsupported {key} "{value}"', hint=hint, word=field)


def _truth(key: str, value: str, field: str) -> bool:
    truth = parse_bool(value)
    if truth is None:
        raise _wrong(key, value, "true or false", field)
    return truth


def _number(key: str, value: str, field: str) -> int:
    number = parse_unsigned(value, octal=key == "mode")
    if number is None:
        raise _wrong(key, value, "an octal number" if key == "mode" else "a number", field)
    return number


def _wrong(key: str, value: str, expected: str, field: str) -> DockerfileError:
    return DockerfileError(f'RUN --mount: {key}="{value}" must be {expected}', word=field)
