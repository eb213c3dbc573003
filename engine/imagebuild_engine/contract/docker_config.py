"""Docker's `config.json`, as far as registry credentials go: who logs in where, and which helper knows it.

Pure: the bytes come from somewhere else, and nothing here runs a helper. Secrets never show in a repr.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

MAX_BYTES = 1 << 20
HUB = "docker.io"
HUB_SERVER = "https://index.docker.io/v1/"
"""What docker calls its hub in this file and towards credential helpers, since the days of registry version 1."""

_HUB_HOSTS = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_Entry = TypeVar("_Entry")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class InvalidDockerConfig(ValueError):
    """The file is not a docker config. The message never quotes its contents, which are secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One entry of `auths`: either username and password, or an identity token."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """The three members that decide about credentials."""

    auths: Mapping[str, Login] = field(default_factory=dict)
    cred_helpers: Mapping[str, str] = field(default_factory=dict)
    creds_store: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The config in the file's bytes; raises InvalidDockerConfig. Unknown members are docker's own business."""
        if len(data) > MAX_BYTES:
            raise InvalidDockerConfig(f"docker config of {len(data)} bytes is larger than {MAX_BYTES}")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            # "from None": json's error carries the document, and the document carries passwords.
            raise InvalidDockerConfig("docker config is not JSON") from None
        if not isinstance(value, dict):
            raise InvalidDockerConfig("docker config is not a JSON object")
        logins = {server: _login(server, entry) for server, entry in _object(value, "auths").items()}
        return cls(
            auths={server: login for server, login in logins.items() if login is not None},
            cred_helpers={
                server: _helper_name(f"credHelpers of {server}", name)
                for server, name in _object(value, "credHelpers").items()
            },
            creds_store=_helper_name("credsStore", value["credsStore"]) if value.get("credsStore") else "",
        )

    def login(self, registry: str) -> Login | None:
        """The entry of `auths` for a registry (`host[:port]`)."""
        return _match(self.auths, registry)

    def helper(self, registry: str) -> str | None:
        """The `X` of the `docker-credential-X` to ask: the registry's own helper, else the store for all."""
        return _match(self.cred_helpers, registry) or self.creds_store or None


def server_address(registry: str) -> str:
    """The name under which docker stores a registry's credentials, and asks helpers for them."""
    return HUB_SERVER if registry in _HUB_HOSTS else registry


def _match(entries: Mapping[str, _Entry], registry: str) -> _Entry | None:
    """The entry whose key is the registry, or comes down to it without scheme and path, as docker compares them."""
    wanted = _HUB_HOSTS if registry in _HUB_HOSTS else frozenset({registry})
    exact = (server_address(registry), registry, f"https://{registry}", f"http://{registry}")
    for key in exact:
        if key in entries:
            return entries[key]
    return next((entry for key, entry in entries.items() if _host(key) in wanted), None)


def _host(key: str) -> str:
    """`https://registry.example:5000/v1/` comes down to `registry.example:5000`."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    if found is not None and not isinstance(found, dict):
        raise InvalidDockerConfig(f"docker config: {key} must be an object")
    return found or {}


def _helper_name(where: str, name: object) -> str:
    """A helper's name becomes part of a command's name: it must not be a path."""
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise InvalidDockerConfig(f"docker config: {where} is not the name of a credential helper")
    return name


def _login(server: str, entry: object) -> Login | None:
    """The login, or None for the empty entry that docker leaves where a credential store has the secret."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        raise InvalidDockerConfig(f"docker config: auths of {server} must be an object")
    auth, username, password, token = (
        _text(server, entry, key) for key in ("auth", "username", "password", "identitytoken")
    )
    if auth:
        # docker's own order: `auth` wins over the plain members.
        username, password = _decode(server, auth)
    if not token and not (username and password):
        return None
    return Login(username=username, password=password, identity_token=token)


def _text(server: str, entry: dict[str, Any], key: str) -> str:
    text = entry.get(key) or ""
    if not isinstance(text, str):
        raise InvalidDockerConfig(f"docker config: auths of {server}: {key} must be a string")
    return text


def _decode(server: str, auth: str) -> tuple[str, str]:
    try:
        # Trailing NULs and line ends come from old clients and from `base64` on a terminal.
        text = base64.b64decode(auth.strip(), validate=True).decode().strip("\0\r\n")
    except (binascii.Error, ValueError):
        raise InvalidDockerConfig(f"docker config: auths of {server}: auth is not base64 text") from None
    username, colon, password = text.partition(":")
    if not colon:
        raise InvalidDockerConfig(f"docker config: auths of {server}: auth is not user:password")
    return username, password
