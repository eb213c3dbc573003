"""buildx's options about RUN steps, read."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from imagebuild_engine.cli import steps
from imagebuild_engine.contract import HostEntry, SecretSource, SshForward, UlimitEntry

HERE = Path.cwd()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("id=a,src=f", SecretSource(id="a", path=str(HERE / "f"))),
        ("id=a,source=/f,type=file", SecretSource(id="a", path="/f")),
        ("id=a,env=E", SecretSource(id="a", env="E")),
        ("type=env,id=a,src=E", SecretSource(id="a", env="E")),
        ("id=SET", SecretSource(id="SET", env="SET")),
        ("id=a", SecretSource(id="a", path=str(HERE / "a"))),
        ('id=a,"src=/b,c"', SecretSource(id="a", path="/b,c")),
    ],
)
def test_secrets(text: str, wanted: SecretSource) -> None:
    assert steps.secrets((text,), {"SET": "value"}) == (wanted,)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("default", SshForward(id="default", paths=("/agent",))),
        ("a=/s", SshForward(id="a", paths=("/s",))),
        ("a=k,/l", SshForward(id="a", paths=(str(HERE / "k"), "/l"))),
    ],
)
def test_ssh(text: str, wanted: SshForward) -> None:
    assert steps.ssh((text,), {"SSH_AUTH_SOCK": "/agent"}) == (wanted,)


@pytest.mark.parametrize(
    ("text", "host", "address"),
    [
        ("a:10.0.0.1", "a", "10.0.0.1"),
        ("a=10.0.0.1", "a", "10.0.0.1"),
        ("a:::1", "a", "::1"),
        ("a=[2001:db8::1]", "a", "2001:db8::1"),
        ("a.b-c:[::1]", "a.b-c", "::1"),
    ],
)
def test_hosts(text: str, host: str, address: str) -> None:
    assert steps.hosts((text,)) == (HostEntry(host=host, address=address),)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("512", 512), ("64m", 64 << 20), ("1.5G", 3 << 29), ("2kb", 2048), ("1 MiB", 1 << 20)]
)
def test_sizes(text: str, size: int) -> None:
    assert steps.size("--shm-size", text) == size


@pytest.mark.parametrize(
    ("text", "soft", "hard"), [("nofile=1:2", 1, 2), ("nofile=7", 7, 7), ("nofile=5:-1", 5, -1), ("nofile=-1", -1, -1)]
)
def test_ulimits(text: str, soft: int, hard: int) -> None:
    assert steps.ulimits((text,)) == (UlimitEntry(name="nofile", soft=soft, hard=hard),)


REFUSED: list[tuple[Callable[[str], object], str, str]] = [
    *((lambda text: steps.secrets((text,), {}), text, "--secret") for text in ("", "src=a", "id=", "id=a,x=y", "id")),
    (lambda text: steps.secrets((text,), {}), "id=a,type=vault", "vault"),
    *((lambda text: steps.ssh((text,), {}), text, "--ssh") for text in ("default", "=x", "")),
    *((lambda text: steps.hosts((text,)), text, "--add-host") for text in ("a", "a:b", ":::1", "a b:::1", "a\nb:::1")),
    (lambda text: steps.hosts((text,)), "a:host-gateway", "host-gateway"),
    *((lambda text: steps.size("--shm-size", text), text, "--shm-size") for text in ("", "x", "-1", "1x", "99999999p")),
    *((lambda text: steps.ulimits((text,)), text, "--ulimit") for text in ("nofile", "nofile=", "n=1", "nofile=2:1")),
    *((lambda text: steps.ulimits((text,)), text, "--ulimit") for text in ("nofile=-1:1", "nofile=-2", "nofile=1:")),
    (steps.network, "bridge", "--network"),
    (steps.cgroup_parent, "a/../..", "--cgroup-parent"),
    (lambda text: steps.allowed((text,)), "device", "--allow"),
]


@pytest.mark.parametrize(("read", "text", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_by_the_options_name(
    read: Callable[[str], object], text: str, words: str
) -> None:
    with pytest.raises(click.BadParameter) as caught:
        read(text)
    assert words in f"{caught.value.param_hint}: {caught.value.message}"
