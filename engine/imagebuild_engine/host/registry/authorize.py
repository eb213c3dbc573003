"""Authorization headers: basic, and bearer tokens from the server that the registry names.

The flow is docker's (distribution, "Token Authentication Specification"): a request is answered 401 with a challenge;
the challenge's realm gives a token for a scope; the request is sent again with it. A registry's challenge is
remembered, so that the next scope's token is asked for before the registry refuses again. Tokens are kept by registry
and scope.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from .challenge import Challenge, InvalidChallenge, parse_challenges
from .credentials import Credentials, CredentialStore
from .errors import InvalidResponse, Unauthorized

TOKEN_BYTES = 256 << 10
CLIENT_ID = "imagebuild"
_SHORTEST_LIFE = 60.0  # token specification: "should never be returned with less than 60 seconds to live"

Scopes = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What the token server is asked. A form means POST."""

    registry: str
    url: str
    headers: Mapping[str, str]
    form: bytes | None = None


Fetch = Callable[[TokenRequest], Awaitable[bytes]]
"""Gives the body of a successful answer, and raises the registry's errors for any other."""


@dataclass(frozen=True, slots=True)
class _Header:
    value: str
    expires: float


class Authorizer:
    """Headers for one client. Safe for many requests at once: a token is fetched by one of them."""

    def __init__(self, store: CredentialStore | None, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._store = store
        self._fetch = fetch
        self._clock = clock
        self._credentials: dict[str, Credentials | None] = {}
        self._challenges: dict[str, Challenge] = {}
        self._headers: dict[tuple[str, Scopes], _Header] = {}
        self._locks: dict[tuple[str, Scopes], asyncio.Lock] = {}

    async def header(self, registry: str, scopes: Scopes) -> str | None:
        """The header to begin with: None until the registry has asked for one."""
        challenge = self._challenges.get(registry)
        return await self._get(registry, challenge, scopes, refused=None) if challenge else None

    async def answer(
        self, registry: str, headers: Iterable[str], scopes: Scopes, *, secure: bool, refused: str | None
    ) -> str | None:
        """Another header after a 401, or None if there is nothing else to show.

        `refused` is what the request carried; `secure` says that the registry speaks TLS, and so must the realm.
        """
        try:
            challenges = parse_challenges(headers)
        except InvalidChallenge as error:
            raise InvalidResponse(registry, str(error), status=401) from error
        challenge = next((item for scheme in ("bearer", "basic") for item in challenges if item.scheme == scheme), None)
        if challenge is None:
            return None
        if challenge.scheme == "bearer":
            _check_realm(registry, challenge, secure=secure)
        self._challenges[registry] = challenge
        header = await self._get(registry, challenge, scopes, refused=refused)
        return None if header == refused else header

    async def _get(self, registry: str, challenge: Challenge, scopes: Scopes, *, refused: str | None) -> str | None:
        key = (registry, scopes if challenge.scheme == "bearer" else ())
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = self._headers.get(key)
            if known and known.value != refused and self._clock() < known.expires:
                return known.value
            credentials = await self._lookup(registry)
            if challenge.scheme == "basic":
                made = _Header(_basic(credentials), float("inf")) if credentials and credentials.username else None
            else:
                made = await self._token(registry, challenge, scopes, credentials)
            if made is None:
                return None
            self._headers[key] = made
            return made.value

    async def _lookup(self, registry: str) -> Credentials | None:
        if registry not in self._credentials:
            self._credentials[registry] = await self._store.get(registry) if self._store else None
        return self._credentials[registry]

    async def _token(
        self, registry: str, challenge: Challenge, scopes: Scopes, credentials: Credentials | None
    ) -> _Header:
        request = _token_request(registry, challenge, scopes, credentials)
        asked = self._clock()
        token, seconds = _parse_token(registry, await self._fetch(request))
        # A tenth is left for the way there and for clocks that run differently.
        return _Header(f"Bearer {token}", asked + seconds * 0.9)


def _check_realm(registry: str, challenge: Challenge, *, secure: bool) -> None:
    """A registry on TLS must not make us send its password in the clear."""
    realm = urlsplit(challenge.parameters.get("realm", ""))
    if realm.scheme not in ("http", "https") or not realm.hostname or realm.username or realm.password:
        raise InvalidResponse(registry, "the challenge names no usable token server", status=401)
    if secure and realm.scheme != "https":
        raise InvalidResponse(registry, "the challenge names a token server without TLS", status=401)


def _token_request(
    registry: str, challenge: Challenge, scopes: Scopes, credentials: Credentials | None
) -> TokenRequest:
    realm = challenge.parameters["realm"]
    service = challenge.parameters.get("service", "")
    wanted = scopes or tuple(challenge.parameters.get("scope", "").split())
    if credentials and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": CLIENT_ID,
            "service": service,
            "scope": " ".join(wanted),
            "refresh_token": credentials.identity_token,
        }
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return TokenRequest(registry=registry, url=realm, headers=headers, form=urlencode(form).encode())
    parts = urlsplit(realm)
    query = [*parse_qsl(parts.query, keep_blank_values=True)]
    query += [("service", service)] if service else []
    query += [("scope", scope) for scope in wanted]
    headers = {}
    if credentials and credentials.username:
        query.append(("account", credentials.username))
        headers["authorization"] = _basic(credentials)
    return TokenRequest(registry=registry, url=parts._replace(query=urlencode(query)).geturl(), headers=headers)


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


def _parse_token(registry: str, body: bytes) -> tuple[str, float]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidResponse(registry, "the token server's answer is not JSON") from None
    token = (value.get("token") or value.get("access_token")) if isinstance(value, dict) else None
    if token is None:
        raise Unauthorized(registry, "the token server gave no token")
    # What is no printable ASCII cannot be in a header, and could smuggle another one.
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise InvalidResponse(registry, "the token server's token cannot be used")
    seconds = value.get("expires_in")
    plausible = isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0
    return token, max(float(seconds), _SHORTEST_LIFE) if plausible else _SHORTEST_LIFE
