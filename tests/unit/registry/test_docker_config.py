import base64
import json

import pytest
from imagebuild_engine.contract.docker_config import DockerConfig, InvalidDockerConfig, Login, server_address


def config(**members: object) -> DockerConfig:
    return DockerConfig.parse(json.dumps(members).encode())


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def test_auth_is_user_and_password_in_base64() -> None:
    assert config(auths={"r.example": auth("me:pass:word")}).login("r.example") == Login(
        username="me", password="pass:word"
    )


def test_auth_wins_over_plain_members() -> None:
    entry = {**auth("me:right"), "username": "other", "password": "wrong"}
    assert config(auths={"r.example": entry}).login("r.example") == Login(username="me", password="right")


def test_an_identity_token_needs_no_password() -> None:
    login = config(auths={"r.example": {**auth("00000000:"), "identitytoken": "tok"}}).login("r.example")
    assert login is not None
    assert login.identity_token == "tok"


def test_an_empty_entry_is_no_login() -> None:
    assert config(auths={"r.example": {}}).login("r.example") is None


@pytest.mark.parametrize(
    "key", ["r.example:5000", "https://r.example:5000", "http://r.example:5000/v2/", "https://r.example:5000/v1/"]
)
def test_scheme_and_path_of_a_key_do_not_matter(key: str) -> None:
    assert config(auths={key: auth("a:b")}).login("r.example:5000")


@pytest.mark.parametrize("registry", ["r.example", "r.example:5001", "example:5000", "xr.example:5000"])
def test_another_host_or_port_gets_nothing(registry: str) -> None:
    assert config(auths={"r.example:5000": auth("a:b")}).login(registry) is None


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "registry-1.docker.io"])
def test_every_name_of_the_hub_is_the_hub(key: str) -> None:
    assert config(auths={key: auth("a:b")}).login("docker.io")


def test_the_hubs_legacy_key_comes_first() -> None:
    found = config(auths={"docker.io": auth("a:b"), "https://index.docker.io/v1/": auth("legacy:b")}).login("docker.io")
    assert found is not None
    assert found.username == "legacy"


def test_the_exact_key_comes_before_one_with_a_path() -> None:
    found = config(auths={"r.example/team": auth("team:b"), "r.example": auth("all:b")}).login("r.example")
    assert found is not None
    assert found.username == "all"


def test_a_registrys_own_helper_comes_before_the_store_for_all() -> None:
    found = config(credHelpers={"r.example": "own"}, credsStore="all")
    assert found.helper("r.example") == "own"
    assert found.helper("other.example") == "all"
    assert config().helper("r.example") is None


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".", "x y", 7])
def test_a_helper_that_is_no_plain_name_is_refused(name: object) -> None:
    with pytest.raises(InvalidDockerConfig):
        config(credHelpers={"r.example": name})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{secret",
        b'{"auths": []}',
        b'{"auths": {"r.example": "secret"}}',
        b'{"auths": {"r.example": {"auth": "secret!"}}}',
        b'{"auths": {"r.example": {"auth": "c2VjcmV0"}}}',
        b'{"auths": {"r.example": {"password": ["secret"]}}}',
        b"[" * 100_000,
        b" " * (2 << 20),
    ],
)
def test_a_broken_file_is_refused_without_showing_it(data: bytes) -> None:
    with pytest.raises(InvalidDockerConfig) as caught:
        DockerConfig.parse(data)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_repr_shows_no_secret() -> None:
    shown = repr(config(auths={"a": auth("me:hidden"), "b": {"identitytoken": "hidden"}}))
    assert "me" in shown
    assert "hidden" not in shown


def test_the_hub_has_its_old_name_towards_helpers() -> None:
    assert server_address("docker.io") == "https://index.docker.io/v1/"
    assert server_address("r.example:5000") == "r.example:5000"
