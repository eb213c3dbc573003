import base64
import json
import os
from pathlib import Path

import pytest
from imagebuild_engine.host.registry import Credentials, DockerCredentials, Unauthorized
from imagebuild_engine.host.registry import credentials as credentials_module


def write_config(folder: Path, **members: object) -> None:
    (folder / "config.json").write_text(json.dumps(members))


def write_helper(folder: Path, script: str) -> dict[str, str]:
    """An environment in which `docker-credential-test` is the script."""
    helper = folder / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "DOCKER_CONFIG": str(folder)}


async def test_a_missing_file_knows_nobody(tmp_path: Path) -> None:
    assert await DockerCredentials(tmp_path / "absent").get("r.example") is None


async def test_docker_config_names_the_folder(tmp_path: Path) -> None:
    write_config(tmp_path, auths={"r.example": {"auth": base64.b64encode(b"me:word").decode()}})
    store = DockerCredentials(environ={"DOCKER_CONFIG": str(tmp_path), "HOME": "/nowhere"})
    assert await store.get("r.example") == Credentials(username="me", password="word")


async def test_the_file_at_home_is_the_default(tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    write_config(tmp_path / ".docker", auths={"r.example": {"username": "me", "password": "word"}})
    found = await DockerCredentials(environ={"HOME": str(tmp_path)}).get("r.example")
    assert found == Credentials(username="me", password="word")


async def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{hidden")
    with pytest.raises(Unauthorized, match=r"config\.json") as caught:
        await DockerCredentials(tmp_path).get("r.example")
    assert "hidden" not in str(caught.value)


async def test_a_helper_is_asked_for_the_registry(tmp_path: Path) -> None:
    environ = write_helper(tmp_path, 'read server; echo "{\\"Username\\": \\"$1\\", \\"Secret\\": \\"$server\\"}"')
    write_config(tmp_path, credsStore="test")
    found = await DockerCredentials(environ=environ).get("docker.io")
    assert found == Credentials(username="get", password="https://index.docker.io/v1/")


async def test_a_helpers_token_is_an_identity_token(tmp_path: Path) -> None:
    environ = write_helper(tmp_path, """echo '{"Username": "<token>", "Secret": "abc"}'""")
    write_config(tmp_path, credHelpers={"r.example": "test"})
    assert await DockerCredentials(environ=environ).get("r.example") == Credentials(identity_token="abc")


async def test_the_file_is_asked_if_the_helper_knows_nothing(tmp_path: Path) -> None:
    environ = write_helper(tmp_path, "echo 'credentials not found in native keychain'; exit 1")
    write_config(tmp_path, credsStore="test", auths={"r.example": {"username": "me", "password": "word"}})
    store = DockerCredentials(environ=environ)
    assert await store.get("r.example") == Credentials(username="me", password="word")
    assert await store.get("other.example") is None


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo hidden; exit 3", "status 3"),
        ("echo hidden", "not credentials"),
        ('echo \'{"Username": "hidden"}\'', "not credentials"),
        ("echo '[\"hidden\"]'", "not credentials"),
        ("while :; do echo hiddenhiddenhidden; done", "more than 65536 bytes"),
    ],
)
async def test_a_broken_helper_is_an_error_without_its_output(tmp_path: Path, script: str, says: str) -> None:
    environ = write_helper(tmp_path, script)
    write_config(tmp_path, credsStore="test")
    with pytest.raises(Unauthorized, match=says) as caught:
        await DockerCredentials(environ=environ).get("r.example")
    assert "hidden" not in str(caught.value)


async def test_a_hanging_helper_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials_module, "HELPER_SECONDS", 0.2)
    environ = write_helper(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 600")
    write_config(tmp_path, credsStore="test")
    with pytest.raises(Unauthorized, match="did not answer"):
        await DockerCredentials(environ=environ).get("r.example")
    assert is_gone(tmp_path / "pid")


def is_gone(pid_file: Path) -> bool:
    """It may have been killed before it could say who it was; but what did say so must be gone."""
    pid = pid_file.read_text().strip() if pid_file.exists() else ""
    return not pid or not Path(f"/proc/{pid}").exists()


async def test_a_missing_helper_is_named(tmp_path: Path) -> None:
    write_config(tmp_path, credsStore="absent")
    with pytest.raises(Unauthorized, match="docker-credential-absent cannot be run"):
        await DockerCredentials(tmp_path, environ={"PATH": str(tmp_path)}).get("r.example")


def test_reprs_show_no_secret(tmp_path: Path) -> None:
    assert "hidden" not in repr(Credentials(username="me", password="hidden", identity_token="hidden"))
    assert str(tmp_path) in repr(DockerCredentials(tmp_path))
