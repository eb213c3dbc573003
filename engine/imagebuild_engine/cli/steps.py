"""Options about what RUN steps get, as buildx writes them, turned into the contract's values."""

import csv
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import click
from msgspec.structs import replace

from ..contract import BuildRequest, Entitlement, HostEntry, SecretSource, SshForward, UlimitEntry, UlimitName

Network = Literal["default", "host", "none"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_LARGEST = (1 << 63) - 1


def secrets(values: tuple[str, ...], environ: Mapping[str, str]) -> tuple[SecretSource, ...]:
    """`id=ID[,src=FILE|,env=VARIABLE][,type=file|env]`; with the id alone, the variable or the file of that name."""
    return tuple(_secret(value, environ) for value in values)


def _secret(value: str, environ: Mapping[str, str]) -> SecretSource:
    found = {"id": "", "src": "", "env": "", "type": ""}
    for field in next(csv.reader([value]), []):
        key, equals, text = field.partition("=")
        key = {"source": "src"}.get(key.lower(), key.lower())
        if not equals or key not in found:
            raise click.BadParameter(f'"{field}" is none of id=, src=, env=, type=', param_hint="--secret")
        found[key] = text
    if not found["id"]:
        raise click.BadParameter("a secret needs an id (id=ID,src=FILE)", param_hint="--secret")
    if found["type"] not in ("", "file", "env"):
        raise click.BadParameter(f'"{found["type"]}" is no type of a secret: file or env', param_hint="--secret")
    if found["type"] == "env" and not found["env"]:
        found["env"], found["src"] = found["src"], ""
    if not found["env"] and not found["src"]:
        found["env" if found["id"] in environ and found["type"] != "file" else "src"] = found["id"]
    if found["env"]:
        return SecretSource(id=found["id"], env=found["env"])
    return SecretSource(id=found["id"], path=str(Path(found["src"]).absolute()))


def ssh(values: tuple[str, ...], environ: Mapping[str, str]) -> tuple[SshForward, ...]:
    """`ID[=SOCKET|KEY[,KEY]]`; an id alone is the agent that SSH_AUTH_SOCK names."""
    forwards = []
    for value in values:
        name, _, text = value.partition("=")
        if not name:
            raise click.BadParameter(f'"{value}" has no id (default, or ID=SOCKET)', param_hint="--ssh")
        paths = [path for path in text.split(",") if path] or [environ.get("SSH_AUTH_SOCK", "")]
        if not paths[0]:
            raise click.BadParameter(f"{name}: there is no agent, SSH_AUTH_SOCK is not set", param_hint="--ssh")
        forwards.append(SshForward(id=name, paths=tuple(str(Path(path).absolute()) for path in paths)))
    return tuple(forwards)


def network(value: str) -> Network:
    if value not in get_args(Network):
        raise click.BadParameter(f'"{value}" is none of default, host, none', param_hint="--network")
    return cast("Network", value)


def hosts(values: tuple[str, ...]) -> tuple[HostEntry, ...]:
    """`HOST:ADDRESS` or `HOST=ADDRESS`; an IPv6 address may stand in brackets."""
    entries = []
    for value in values:
        host, _, address = value.partition("=") if "=" in value else value.partition(":")
        address = address.removeprefix("[").removesuffix("]")
        if address == "host-gateway":
            raise click.BadParameter("not supported yet: host-gateway (give an address)", param_hint="--add-host")
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise click.BadParameter(f'"{value}" is not of the form HOST:ADDRESS', param_hint="--add-host") from error
        if not re.fullmatch(r"[^\s:#]+", host):
            raise click.BadParameter(f'"{host}" is no name of a host', param_hint="--add-host")
        entries.append(HostEntry(host=host, address=address))
    return tuple(entries)


def size(option: str, text: str) -> int:
    """Bytes from `64m`, `1.5g`, `512`; k is 1024."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f'"{text}" is no size (64m, 1g, …)', param_hint=option)
    found = int(float(match[1]) * 1024 ** " kmgtp".index(match[2].lower() or " "))
    if found > _LARGEST:
        raise click.BadParameter(f'"{text}" is too large', param_hint=option)
    return found


def ulimits(values: tuple[str, ...]) -> tuple[UlimitEntry, ...]:
    """`NAME=SOFT[:HARD]`; -1 is unlimited."""
    entries = []
    for value in values:
        name, _, text = value.partition("=")
        soft, colon, hard = text.partition(":")
        if name not in get_args(UlimitName):
            known = ", ".join(get_args(UlimitName))
            raise click.BadParameter(f'"{name}" is no resource limit: {known}', param_hint="--ulimit")
        if not all(re.fullmatch(r"-1|\d{1,18}", number) for number in (soft, hard if colon else soft)):
            raise click.BadParameter(f'"{value}" is not of the form NAME=SOFT[:HARD]', param_hint="--ulimit")
        entry = UlimitEntry(name=cast("UlimitName", name), soft=int(soft), hard=int(hard if colon else soft))
        if entry.hard >= 0 and not 0 <= entry.soft <= entry.hard:
            raise click.BadParameter(f'"{value}": the soft limit is above the hard one', param_hint="--ulimit")
        entries.append(entry)
    return tuple(entries)


def cgroup_parent(text: str) -> str:
    if ".." in text.split("/"):
        raise click.BadParameter(f'"{text}" leads out of the cgroups', param_hint="--cgroup-parent")
    return text


def allowed(values: tuple[str, ...]) -> tuple[Entitlement, ...]:
    for value in values:
        if value not in get_args(Entitlement):
            known = " and ".join(get_args(Entitlement))
            raise click.BadParameter(f'"{value}" cannot be allowed: there are {known}', param_hint="--allow")
    return cast("tuple[Entitlement, ...]", values)


OPTIONS = (
    click.option(
        "--secret", multiple=True, metavar="id=ID[,src=FILE|,env=NAME]", help="A secret for RUN --mount=type=secret."
    ),
    click.option("--ssh", multiple=True, metavar="ID[=SOCKET|KEY…]", help="An ssh agent for RUN --mount=type=ssh."),
    click.option("--network", default="default", metavar="default|host|none", help="Network of RUN steps."),
    click.option("--add-host", multiple=True, metavar="HOST:ADDRESS", help="A host that RUN steps know; repeatable."),
    click.option("--shm-size", default="", metavar="SIZE", help="Size of /dev/shm in RUN steps (default: 64m)."),
    click.option("--ulimit", multiple=True, metavar="NAME=SOFT[:HARD]", help="A resource limit of RUN steps."),
    click.option("--cgroup-parent", default="", metavar="PATH", help="The cgroup below which RUN steps get theirs."),
    click.option("--allow", multiple=True, metavar="ENTITLEMENT", help="security.insecure or network.host."),
)
"""In the order of the help."""


def added(request: BuildRequest, given: Mapping[str, Any]) -> BuildRequest:
    """The request with what these options say. Raises usage errors."""
    return replace(
        request,
        secrets=secrets(given["secret"], os.environ),
        ssh=ssh(given["ssh"], os.environ),
        network=network(given["network"]),
        extra_hosts=hosts(given["add_host"]),
        shm_size=size("--shm-size", given["shm_size"]) if given["shm_size"] else 0,
        ulimits=ulimits(given["ulimit"]),
        cgroup_parent=cgroup_parent(given["cgroup_parent"]),
        allow=allowed(given["allow"]),
    )
