"""The image config (image spec, config.md, and docker's extensions to it), read tolerantly and written as BuildKit
does.

BuildKit writes the config through a Go map, so its keys come out sorted by name; its inner objects keep the order of
Go's struct fields. A config that we read and write again unchanged keeps its bytes, which is what makes a full cache
hit end with the same digest.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from .canonical import go_json
from .digest import Digest, InvalidDigest
from .platform import Platform

MAX_BYTES = 32 << 20
INLINE_CACHE_KEY = "moby.buildkit.cache.v0"

GoTime = str  # RFC 3339 with up to nine fractional digits, kept as text: Python's datetime would lose the last three


class InvalidImageConfig(ValueError):
    """The bytes are not an image config that we can use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """Docker's healthcheck. Durations are nanoseconds; zero means inherited."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """The `config` member: how a container of the image starts. None and () differ as null and [] do for docker."""

    user: str = ""
    exposed_ports: frozenset[str] = frozenset()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    volumes: frozenset[str] = frozenset()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    on_build: tuple[str, ...] = ()
    stop_signal: str = ""
    shell: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What one instruction did. An entry that is not `empty_layer` belongs to a layer, in order."""

    created: GoTime = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """Everything about an image but its bytes."""

    platform: Platform
    config: RunConfig = field(default_factory=RunConfig)
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    created: GoTime = ""
    author: str = ""
    inline_cache: bytes | None = None
    """The decoded records of `moby.buildkit.cache.v0`, or None where the field is absent."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The config in untrusted bytes; raises InvalidImageConfig."""
        if len(data) > MAX_BYTES:
            raise InvalidImageConfig(f"image config of {len(data)} bytes is larger than {MAX_BYTES}")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InvalidImageConfig(f"image config is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise InvalidImageConfig("image config is not a JSON object")
        reader = _Reader(value)
        return cls(
            platform=Platform(
                reader.text("os") or "linux",
                reader.text("architecture"),
                reader.text("variant"),
                reader.text("os.version"),
                reader.texts("os.features") or (),
            ).normalized(),
            config=_run_config(reader.child("config")),
            diff_ids=_diff_ids(reader.child("rootfs")),
            history=tuple(_history(item) for item in reader.children("history")),
            created=reader.text("created"),
            author=reader.text("author"),
            inline_cache=_inline_cache(reader.text(INLINE_CACHE_KEY)),
        )

    def encode(self) -> bytes:
        """The bytes to push: top-level keys sorted, inner keys in the order of docker's structs."""
        value: dict[str, Any] = {
            "architecture": self.platform.architecture,
            "config": _run_config_json(self.config),
            "history": [_history_json(entry) for entry in self.history],
            "os": self.platform.os,
            "rootfs": {"type": "layers", "diff_ids": [str(item) for item in self.diff_ids]},
        }
        optional = {
            "author": self.author,
            "created": self.created,
            "os.features": list(self.platform.os_features),
            "os.version": self.platform.os_version,
            "variant": self.platform.variant,
        }
        value.update((key, item) for key, item in optional.items() if item)
        if self.inline_cache is not None:
            value[INLINE_CACHE_KEY] = base64.b64encode(self.inline_cache).decode()
        return go_json(dict(sorted(value.items())))


class _Reader:
    """Typed access to one untrusted object; null counts as absent, as in Go."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    def _get(self, key: str, kind: type, name: str) -> Any:
        found = self._value.get(key)
        if found is not None and (not isinstance(found, kind) or (kind is int and isinstance(found, bool))):
            raise InvalidImageConfig(f"image config: {key} must be {name}")
        return found

    def text(self, key: str) -> str:
        return self._get(key, str, "a string") or ""

    def number(self, key: str) -> int:
        return self._get(key, int, "an integer") or 0

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def texts(self, key: str) -> tuple[str, ...] | None:
        items = self._get(key, list, "a list of strings")
        if items is None:
            return None
        if not all(isinstance(item, str) for item in items):
            raise InvalidImageConfig(f"image config: {key} must be a list of strings")
        return tuple(items)

    def keys(self, key: str) -> frozenset[str]:
        return frozenset(self._get(key, dict, "an object") or {})

    def mapping(self, key: str) -> dict[str, str]:
        items = self._get(key, dict, "an object") or {}
        if not all(isinstance(item, str) for item in items.values()):
            raise InvalidImageConfig(f"image config: {key} must map strings to strings")
        return dict(items)

    def child(self, key: str) -> "_Reader":
        return _Reader(self._get(key, dict, "an object") or {})

    def children(self, key: str) -> list["_Reader"]:
        items = self._get(key, list, "a list of objects") or []
        if not all(isinstance(item, dict) for item in items):
            raise InvalidImageConfig(f"image config: {key} must be a list of objects")
        return [_Reader(item) for item in items]


def _run_config(reader: _Reader) -> RunConfig:
    health = reader.child("Healthcheck")
    check = Healthcheck(
        test=health.texts("Test") or (),
        interval=health.number("Interval"),
        timeout=health.number("Timeout"),
        start_period=health.number("StartPeriod"),
        start_interval=health.number("StartInterval"),
        retries=health.number("Retries"),
    )
    return RunConfig(
        user=reader.text("User"),
        exposed_ports=reader.keys("ExposedPorts"),
        env=reader.texts("Env") or (),
        entrypoint=reader.texts("Entrypoint"),
        cmd=reader.texts("Cmd"),
        healthcheck=None if check == Healthcheck() else check,
        args_escaped=reader.flag("ArgsEscaped"),
        volumes=reader.keys("Volumes"),
        working_dir=reader.text("WorkingDir"),
        labels=reader.mapping("Labels"),
        on_build=reader.texts("OnBuild") or (),
        stop_signal=reader.text("StopSignal"),
        shell=reader.texts("Shell"),
    )


def _run_config_json(config: RunConfig) -> dict[str, Any]:
    """In the field order of docker's image-spec struct, which is what BuildKit marshals."""
    value: dict[str, Any] = {}
    if config.user:
        value["User"] = config.user
    if config.exposed_ports:
        value["ExposedPorts"] = {port: {} for port in sorted(config.exposed_ports)}
    if config.env:
        value["Env"] = list(config.env)
    if config.entrypoint:
        value["Entrypoint"] = list(config.entrypoint)
    if config.cmd:
        value["Cmd"] = list(config.cmd)
    if config.volumes:
        value["Volumes"] = {path: {} for path in sorted(config.volumes)}
    if config.working_dir:
        value["WorkingDir"] = config.working_dir
    if config.labels:
        value["Labels"] = dict(sorted(config.labels.items()))
    if config.stop_signal:
        value["StopSignal"] = config.stop_signal
    if config.args_escaped:
        value["ArgsEscaped"] = True
    if config.healthcheck:
        value["Healthcheck"] = _healthcheck_json(config.healthcheck)
    if config.on_build:
        value["OnBuild"] = list(config.on_build)
    if config.shell:
        value["Shell"] = list(config.shell)
    return value


def _healthcheck_json(check: Healthcheck) -> dict[str, Any]:
    members = {
        "Test": list(check.test),
        "Interval": check.interval,
        "Timeout": check.timeout,
        "StartPeriod": check.start_period,
        "StartInterval": check.start_interval,
        "Retries": check.retries,
    }
    return {key: item for key, item in members.items() if item}


def _history(reader: _Reader) -> HistoryEntry:
    return HistoryEntry(
        created=reader.text("created"),
        created_by=reader.text("created_by"),
        author=reader.text("author"),
        comment=reader.text("comment"),
        empty_layer=reader.flag("empty_layer"),
    )


def _history_json(entry: HistoryEntry) -> dict[str, Any]:
    members = {
        "created": entry.created,
        "created_by": entry.created_by,
        "author": entry.author,
        "comment": entry.comment,
        "empty_layer": entry.empty_layer,
    }
    return {key: item for key, item in members.items() if item}


def _diff_ids(rootfs: _Reader) -> tuple[Digest, ...]:
    if rootfs.text("type") not in ("", "layers"):
        return ()
    try:
        return tuple(Digest.parse(text) for text in rootfs.texts("diff_ids") or ())
    except InvalidDigest as error:
        raise InvalidImageConfig(f"image config: {error}") from error


def _inline_cache(text: str) -> bytes | None:
    """Broken base64 is the cache's trouble, not the image's: it becomes bytes that no record parser accepts."""
    if not text:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error, or characters beyond ASCII
        return b"not base64"
