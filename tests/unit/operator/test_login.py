"""The watches' way to the API server from inside a pod."""

from pathlib import Path

import pytest
from imagebuild_operator.cluster import log_in_from_pod


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("t0ken\n")
    return tmp_path


@pytest.mark.parametrize(
    ("host", "server"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_the_server_is_reached_by_address(account: Path, host: str, server: str) -> None:
    found = log_in_from_pod({"KUBERNETES_SERVICE_HOST": host}, account)
    assert found is not None
    assert (found.server, found.token, found.ca_path) == (server, "t0ken", str(account / "ca.crt"))


def test_a_rotated_token_is_read_at_the_next_login(account: Path) -> None:
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}
    log_in_from_pod(environ, account)
    (account / "token").write_text("another")
    found = log_in_from_pod(environ, account)
    assert found is not None
    assert (found.server, found.token) == ("https://10.96.0.1:6443", "another")


def test_outside_of_a_pod_there_is_none(account: Path, tmp_path: Path) -> None:
    assert log_in_from_pod({}, account) is None
    assert log_in_from_pod({"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, tmp_path / "nowhere") is None
