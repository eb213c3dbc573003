"""What can go wrong between us and a registry, and whether another try can help."""

import json
import re
from typing import NamedTuple

EXCERPT_BYTES = 8 << 10
"""How much of an error's body is read. Registries explain themselves in less; others may send gigabytes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class RegistryError(Exception):
    """A registry refused, failed or could not be reached.

    `code` is the registry's own word (`MANIFEST_UNKNOWN`), `request` the method and the URL without query and
    credentials, `retry_after` the seconds that the registry asked for.
    """

    def __init__(
        self,
        host: str,
        message: str,
        *,
        status: int | None = None,
        code: str = "",
        request: str = "",
        temporary: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(host, message, status, code)
        self.host = host
        self.message = message
        self.status = status
        self.code = code
        self.request = request
        self.retry_after = retry_after
        self.temporary = _default(type(self)) if temporary is None else temporary

    def __str__(self) -> str:
        said = " ".join(str(part) for part in (self.status, self.code) if part)
        text = f"{self.host}: {said}: {self.message}" if said else f"{self.host}: {self.message}"
        return f"{text} ({self.request})" if self.request else text


class NotFound(RegistryError):
    """The manifest, blob, upload or repository is not there (404, 410)."""


class Unauthorized(RegistryError):
    """Credentials are missing, wrong or not accepted (401)."""


class Denied(RegistryError):
    """The credentials are known, and do not suffice (403)."""


class Unavailable(RegistryError):
    """The registry is overloaded, broken or out of reach (429, 5xx, refused or reset connections)."""


class RegistryTimeout(RegistryError):
    """The registry did not answer in time."""


class InvalidResponse(RegistryError):
    """The answer breaks the protocol: wrong digest, wrong size, too large, not what was asked for."""


class DeletionRefused(RegistryError):
    """The registry deletes nothing (405 or 501): it is a setting of most that can."""


class _Meaning(NamedTuple):
    error: type[RegistryError]
    temporary: bool


# The one table that says whether another try can help. First what has a status, then what has none.
_BY_STATUS = {
    401: _Meaning(Unauthorized, False),
    403: _Meaning(Denied, False),
    404: _Meaning(NotFound, False),
    408: _Meaning(RegistryTimeout, True),
    410: _Meaning(NotFound, False),
    425: _Meaning(Unavailable, True),
    429: _Meaning(Unavailable, True),
    501: _Meaning(RegistryError, False),
    504: _Meaning(RegistryTimeout, True),
    505: _Meaning(RegistryError, False),
}
_BY_CODE = {"TOOMANYREQUESTS": _Meaning(Unavailable, True), "UNAVAILABLE": _Meaning(Unavailable, True)}
_WITHOUT_STATUS: dict[type[RegistryError], bool] = {Unavailable: True, RegistryTimeout: True}


def _default(kind: type[RegistryError]) -> bool:
    return _WITHOUT_STATUS.get(kind, False)


def error_of_status(
    host: str, status: int, body: bytes = b"", *, request: str = "", retry_after: float | None = None
) -> RegistryError:
    """The error that an answer means. The body is hostile text of at most EXCERPT_BYTES."""
    code, message = _explanation(body)
    otherwise = _Meaning(Unavailable, True) if status >= 500 else _Meaning(RegistryError, False)
    meaning = _BY_CODE.get(code) or _BY_STATUS.get(status, otherwise)
    return meaning.error(
        host,
        message or _PLAIN.get(meaning.error, "unexpected answer"),
        status=status,
        code=code,
        request=request,
        temporary=meaning.temporary,
        retry_after=retry_after,
    )


_PLAIN = {
    NotFound: "not found",
    Unauthorized: "authentication required",
    Denied: "access denied",
    Unavailable: "registry unavailable",
    RegistryTimeout: "registry timed out",
}


def _explanation(body: bytes) -> tuple[str, str]:
    """Code and message of the spec's error body (distribution spec, "Error Codes"), or of a token server's."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        text = body.decode(errors="replace").strip()
        # A proxy's HTML page explains nothing.
        return "", "" if text.startswith("<") else _clean(text.partition("\n")[0])
    if not isinstance(value, dict):
        return "", ""
    match value.get("errors"):
        case [{"code": str(code), **rest}, *_]:
            return _clean(code)[:64], _clean(str(rest.get("message") or ""))
    for key in ("error_description", "details", "message", "error"):
        if isinstance(value.get(key), str):
            return "", _clean(value[key])
    return "", ""


def _clean(text: str) -> str:
    """One line without control characters: it ends in terminals, logs and statuses."""
    return _CONTROL.sub(" ", text).strip()[:300]
