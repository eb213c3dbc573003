import json

import pytest
from imagebuild_engine.host.registry import (
    Denied,
    InvalidResponse,
    NotFound,
    RegistryError,
    RegistryTimeout,
    RetryPolicy,
    Unauthorized,
    Unavailable,
)
from imagebuild_engine.host.registry.endpoint import Endpoint, candidates
from imagebuild_engine.host.registry.errors import error_of_status
from imagebuild_engine.host.registry.retry import parse_retry_after
from imagebuild_engine.host.web import is_loopback, origin, redacted


@pytest.mark.parametrize(
    ("status", "kind", "temporary"),
    [
        (400, RegistryError, False),
        (401, Unauthorized, False),
        (403, Denied, False),
        (404, NotFound, False),
        (405, RegistryError, False),
        (408, RegistryTimeout, True),
        (413, RegistryError, False),
        (429, Unavailable, True),
        (500, Unavailable, True),
        (501, RegistryError, False),
        (502, Unavailable, True),
        (503, Unavailable, True),
        (504, RegistryTimeout, True),
        (599, Unavailable, True),
        (302, RegistryError, False),
    ],
)
def test_the_status_says_whether_another_try_can_help(status: int, kind: type, temporary: bool) -> None:
    error = error_of_status("r.example", status)
    assert type(error) is kind
    assert error.temporary is temporary


def test_kinds_without_status_have_their_own_answer() -> None:
    assert Unavailable("r", "reset").temporary
    assert RegistryTimeout("r", "slow").temporary
    assert not InvalidResponse("r", "wrong digest").temporary
    assert not RegistryError("r", "odd").temporary


def test_the_registrys_words_are_in_the_message() -> None:
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no pulling here", "detail": {}}]}).encode()
    error = error_of_status("r.example", 403, body, request="GET https://r.example/v2/a/manifests/1")
    assert str(error) == "r.example: 403 DENIED: no pulling here (GET https://r.example/v2/a/manifests/1)"


def test_the_rate_limits_code_is_temporary_whatever_the_status() -> None:
    assert error_of_status("r", 403, b'{"errors":[{"code":"TOOMANYREQUESTS","message":"wait"}]}').temporary


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Bad gateway</body></html>",
        b"\x1b[31mred\x1b[0m\r\nsecond line",
        b'{"errors": [{"code": "\\u001b[31m", "message": "a\\nb\\u2028c"}]}',
        b'{"errors": "x"}',
        b'{"errors": [7]}',
        b"[" * 8000,
        b"\xff\xfe" * 4000,
        json.dumps({"errors": [{"code": "C" * 5000, "message": "m" * 5000}]}).encode(),
    ],
)
def test_a_hostile_body_gives_one_short_clean_line(body: bytes) -> None:
    text = str(error_of_status("r.example", 502, body))
    assert text.isprintable()
    assert len(text) < 500
    assert "<html>" not in text


def test_urls_lose_what_is_secret() -> None:
    assert redacted("https://me:word@r.example:5000/v2/a?X-Signature=1#x") == "https://r.example:5000/v2/a"


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("-1", None, None),
        ("soon", None, None),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:27:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "nonsense", None),
        ("9" * 400, None, 999_999_999_999.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, date: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, date=date) == seconds


def test_pauses_grow_up_to_the_longest_and_end() -> None:
    policy = RetryPolicy(attempts=6, first=1, longest=4)
    pauses = [policy.pause(n, waited=0, retry_after=None, jitter=1) for n in range(1, 7)]
    assert pauses == [1, 2, 4, 4, 4, None]
    assert policy.pause(1, waited=0, retry_after=None, jitter=0) == 0.5


def test_the_registrys_wish_is_honoured_up_to_a_limit() -> None:
    policy = RetryPolicy(longest_retry_after=30)
    assert policy.pause(1, waited=0, retry_after=12, jitter=0) == 12
    assert policy.pause(1, waited=0, retry_after=86_400, jitter=0) == 30


def test_no_pause_ends_after_the_window() -> None:
    assert RetryPolicy(window=60).pause(1, waited=50, retry_after=20, jitter=0) is None


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:1", "127.8.9.1", "[::1]:5000"])
def test_loopback_is_plain(host: str) -> None:
    assert candidates(host, frozenset()) == (Endpoint(f"http://{host}", "loopback"),)


@pytest.mark.parametrize("host", ["localhost.example", "128.0.0.1", "r.example", "[::2]:5000", "127.0.0.1.example"])
def test_other_hosts_speak_tls(host: str) -> None:
    assert candidates(host, frozenset()) == (Endpoint(f"https://{host}", "verified"),)
    assert not is_loopback(f"//{host}")


def test_an_insecure_registry_is_asked_with_tls_first() -> None:
    assert [item.base for item in candidates("r.example:5000", frozenset({"r.example:5000"}))] == [
        "https://r.example:5000",
        "http://r.example:5000",
    ]
    assert len(candidates("r.example", frozenset({"r.example:5000"}))) == 1


def test_the_hub_is_elsewhere() -> None:
    assert candidates("docker.io", frozenset())[0].base == "https://registry-1.docker.io"


def test_an_origin_knows_default_ports() -> None:
    assert origin("https://r.example/a") == origin("https://r.example:443/b")
    assert origin("https://r.example") != origin("http://r.example")
