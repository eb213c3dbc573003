"""Proof of identity: basic, tokens, identity tokens; and where it must not go."""

import asyncio
import json
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from imagebuild_engine.core.oci import Descriptor, Digest, MediaType, Reference
from imagebuild_engine.host.registry import (
    Credentials,
    InvalidResponse,
    RegistryClient,
    RegistryError,
    Unauthorized,
    Unavailable,
)

from tests.support.faults import FaultyRegistry, Status

from .conftest import Clock, Connect, Known

PASSWORD = Known(everywhere=Credentials(username="me", password="word"))
BASIC = "Basic bWU6d29yZA=="
DATA = b"layer"
LAYER = Descriptor(media_type=MediaType.OCI_LAYER, digest=Digest.of(DATA), size=len(DATA))


def reference(registry: FaultyRegistry, name: str = "app") -> Reference:
    return Reference.parse(f"{registry.host}/{name}:1")


def guard(registry: FaultyRegistry, tokens: FaultyRegistry, *accepted: str) -> None:
    """The registry wants tokens of the server."""
    registry.challenge = f'Bearer realm="http://{tokens.host}/token",service="registry.test"'
    registry.tokens = {f"Bearer {token}": "" for token in accepted}
    registry.add_blob("app", DATA)
    registry.add_blob("other", DATA)


def give(tokens: FaultyRegistry, *answers: object, method: str = "GET") -> None:
    for answer in answers:
        tokens.fail(method, "/token", Status(200, {}, json.dumps(answer).encode()))


async def has(client: RegistryClient, registry: FaultyRegistry, name: str = "app") -> bool:
    return await client.has_blob(reference(registry, name), LAYER.digest)


async def test_a_password_is_shown_only_when_asked_for(registry: FaultyRegistry, connect: Connect) -> None:
    registry.add_blob("app", DATA)
    async with connect(PASSWORD) as client:
        assert await has(client, registry)
    assert "authorization" not in registry.seen[0].headers


async def test_basic_is_asked_for_once_and_kept(registry: FaultyRegistry, connect: Connect) -> None:
    registry.add_blob("app", DATA)
    registry.challenge, registry.tokens = 'Basic realm="x"', {BASIC: ""}
    store = Known(everywhere=Credentials(username="me", password="word"))
    async with connect(store) as client:
        assert await has(client, registry)
        assert await has(client, registry)
    assert [seen.status for seen in registry.seen] == [401, 200, 200]
    assert store.asked == [registry.host]


async def test_a_refused_password_is_not_repeated(registry: FaultyRegistry, connect: Connect, clock: Clock) -> None:
    registry.challenge = 'Basic realm="x"'
    async with connect(PASSWORD) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.manifest(reference(registry))
    assert len(registry.seen) == 2
    assert clock.pauses == []
    assert caught.value.code == "UNAUTHORIZED"
    assert "word" not in str(caught.value)


async def test_without_credentials_the_registrys_refusal_stands(registry: FaultyRegistry, connect: Connect) -> None:
    registry.challenge = 'Basic realm="x"'
    async with connect() as client:
        with pytest.raises(Unauthorized):
            await client.manifest(reference(registry))
    assert len(registry.seen) == 1


async def test_a_password_becomes_a_token_for_the_scope(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "abc")
    give(elsewhere, {"token": "abc", "expires_in": 300})
    async with connect(PASSWORD) as client:
        assert await has(client, registry)
        assert await has(client, registry)
    asked = elsewhere.seen[0]
    assert parse_qs(urlsplit(asked.target).query) == {
        "service": ["registry.test"],
        "scope": ["repository:app:pull"],
        "account": ["me"],
    }
    assert asked.headers["authorization"] == BASIC
    assert [seen.headers.get("authorization") for seen in registry.seen] == [None, "Bearer abc", "Bearer abc"]


async def test_anonymous_tokens_are_asked_for_without_a_name(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "anonymous")
    give(elsewhere, {"access_token": "anonymous"})
    async with connect() as client:
        assert await has(client, registry)
    assert "authorization" not in elsewhere.seen[0].headers
    assert "account" not in elsewhere.seen[0].target


async def test_an_identity_token_is_exchanged_by_post(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "abc")
    give(elsewhere, {"access_token": "abc"}, method="POST")
    async with connect(Known(everywhere=Credentials(identity_token="long-lived"))) as client:
        assert await has(client, registry)
    form = dict(parse_qsl(elsewhere.seen[0].body.decode()))
    assert form == {
        "grant_type": "refresh_token",
        "client_id": "imagebuild",
        "service": "registry.test",
        "scope": "repository:app:pull",
        "refresh_token": "long-lived",
    }
    assert "long-lived" not in elsewhere.seen[0].target


async def test_every_scope_has_its_token_and_no_second_refusal(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "one", "two")
    give(elsewhere, {"token": "one"}, {"token": "two"})
    async with connect() as client:
        assert await has(client, registry)
        assert await has(client, registry, "other")
    assert [seen.status for seen in registry.seen] == [401, 200, 200]


async def test_a_push_asks_for_push_and_a_mount_for_its_origin(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "push", "mount")
    give(elsewhere, {"token": "push"}, {"token": "mount"})
    async with connect() as client:
        outcome = await client.push_blob(reference(registry, "new"), LAYER, DATA, mount_from=["app"])
    assert outcome == "mounted"
    scopes = [parse_qs(urlsplit(seen.target).query)["scope"] for seen in elsewhere.seen]
    assert scopes == [["repository:new:pull,push"], ["repository:app:pull", "repository:new:pull,push"]]


async def test_many_requests_at_once_need_one_token(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "abc")
    give(elsewhere, {"token": "abc"})
    async with connect() as client:
        assert all(await asyncio.gather(*(has(client, registry) for _ in range(10))))
    assert len(elsewhere.seen) == 1


async def test_an_expired_token_is_renewed_before_use(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect, clock: Clock
) -> None:
    guard(registry, elsewhere, "old", "new")
    give(elsewhere, {"token": "old", "expires_in": 100}, {"token": "new"})
    async with connect() as client:
        await has(client, registry)
        clock.now += 95
        await has(client, registry)
    assert registry.seen[-1].headers["authorization"] == "Bearer new"
    assert [seen.status for seen in registry.seen] == [401, 200, 200]


async def test_a_token_refused_before_its_time_is_renewed_once(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "old")
    give(elsewhere, {"token": "old", "expires_in": 9999}, {"token": "new"})
    async with connect() as client:
        await has(client, registry)
        registry.tokens = {"Bearer new": ""}
        assert await has(client, registry)
        registry.tokens = {}
        give(elsewhere, {"token": "newer"})
        with pytest.raises(Unauthorized):
            await has(client, registry)
    assert len(elsewhere.seen) == 3


async def test_a_refusing_token_server_is_unauthorized(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere)
    elsewhere.fail("GET", "/token", Status(401, {}, b'{"details": "incorrect username or password"}'), times=9)
    async with connect(PASSWORD) as client:
        with pytest.raises(Unauthorized, match="incorrect username or password") as caught:
            await has(client, registry)
    assert len(elsewhere.seen) == 1
    assert "account" not in str(caught.value)


async def test_a_busy_token_server_is_asked_again(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect, clock: Clock
) -> None:
    guard(registry, elsewhere, "abc")
    elsewhere.fail("GET", "/token", Status(429, {"Retry-After": "5"}))
    give(elsewhere, {"token": "abc"})
    async with connect() as client:
        assert await has(client, registry)
    assert clock.pauses == [5.0]


async def test_a_broken_token_server_is_unavailable(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere)
    elsewhere.fail("GET", "/token", Status(500), times=99)
    async with connect() as client:
        with pytest.raises(Unavailable):
            await has(client, registry)


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"token": 7}', b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": "' + b"a" * 300_000 + b'"}'],
)
async def test_a_useless_token_is_an_error(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect, answer: bytes
) -> None:
    guard(registry, elsewhere)
    elsewhere.fail("GET", "/token", Status(200, {}, answer))
    async with connect() as client:
        with pytest.raises((InvalidResponse, Unauthorized)):
            await has(client, registry)


@pytest.mark.parametrize(
    "challenge",
    ["Bearer", 'Bearer realm="/token"', 'Bearer realm="ftp://x/y"', 'Bearer realm="http://a:b@x/"', "Bearer ???"],
)
async def test_a_challenge_that_leads_nowhere_is_an_error(
    registry: FaultyRegistry, connect: Connect, challenge: str
) -> None:
    registry.challenge = challenge
    async with connect(PASSWORD) as client:
        with pytest.raises(RegistryError) as caught:
            await client.manifest(reference(registry))
    assert caught.value.status == 401
    assert not caught.value.temporary


async def test_tokens_do_not_follow_a_redirect(
    registry: FaultyRegistry, elsewhere: FaultyRegistry, connect: Connect
) -> None:
    guard(registry, elsewhere, "abc")
    give(elsewhere, {"token": "abc"})
    elsewhere.add_blob("store", DATA)
    async with connect(PASSWORD) as client:
        await has(client, registry)
        target = f"http://{elsewhere.host}/v2/store/blobs/{LAYER.digest}"
        registry.fail("GET", "/blobs/", Status(307, {"Location": target}))
        assert await client.blob(reference(registry), LAYER, 100) == DATA
    assert "authorization" not in elsewhere.requests("GET", "/v2/")[0].headers


async def test_a_registry_on_tls_must_not_lead_to_a_token_server_without() -> None:
    from imagebuild_engine.host.registry.authorize import Authorizer, TokenRequest

    async def fetch(request: TokenRequest) -> bytes:
        raise AssertionError("the password went out")

    authorizer = Authorizer(PASSWORD, fetch, lambda: 0.0)
    with pytest.raises(InvalidResponse, match="without TLS"):
        await authorizer.answer("r.example", ['Bearer realm="http://auth.example/"'], (), secure=True, refused=None)
