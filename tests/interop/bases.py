"""The images that the corpus builds on. Every case has its own, all different, so that cases share no step.

A builder keeps what it has built of one case while it builds the next; nothing of that may help.
"""

import asyncio
from dataclasses import replace
from functools import cache

from imagebuild_engine.core.oci import Descriptor, Healthcheck, Index, Platform, Reference, RunConfig
from imagebuild_engine.host.registry import RegistryClient

from tests.support.images import AMD64, PATH, busybox_layer, push_with
from tests.support.tars import directory, file, member, tar

_APPLETS = (
    "[", "awk", "base64", "basename", "chgrp", "chmod", "chown", "cmp", "comm", "cut", "dd", "df", "diff",
    "dirname", "du", "expr", "find", "gunzip", "gzip", "hostname", "install", "ip", "link", "md5sum", "mkfifo",
    "mknod", "nproc", "od", "paste", "readlink", "realpath", "rev", "rmdir", "sha256sum", "shuf", "split", "su",
    "tac", "tar", "tee", "test", "timeout", "truncate", "tty", "uname", "uniq", "unlink", "which", "whoami",
    "xargs", "yes",
)  # fmt: skip
_ARM64 = Platform("linux", "arm64")
_SHARED = "shared/{}"
_PLAIN = RunConfig(env=(PATH,), working_dir="/")
_CONFIGURED = RunConfig(
    user="1000:1001",
    exposed_ports=frozenset({"8080/tcp"}),
    env=(PATH, "MODE=base", "B=base"),
    entrypoint=("/entry",),
    cmd=("default", "arguments"),
    healthcheck=Healthcheck(test=("CMD", "true"), interval=1_000_000_000),
    volumes=frozenset({"/srv/data"}),
    working_dir="/tmp/work",
    labels={"kind": "base", "kept": "yes"},
    stop_signal="SIGTERM",
    shell=("/bin/sh", "-ec"),
)
_TRIGGERS = ("WORKDIR /app", "COPY app /app", "RUN ls /app > /listed")
_CONFIGS = {
    "base": _PLAIN,
    "configured": _CONFIGURED,
    "onbuild": replace(_PLAIN, on_build=_TRIGGERS),
    "multi": _PLAIN,
    "bare": _PLAIN,
    "tools": RunConfig(),
}
NAMES = tuple(_CONFIGS)


@cache
def _busybox() -> bytes:
    return busybox_layer(_APPLETS)


@cache
def _tools() -> bytes:
    """Files to copy, of an owner of their own; some with extended attributes, a device."""
    owner = {"uid": 7, "gid": 8}
    return tar(
        [
            directory("opt", mode=0o755, **owner),
            file("opt/there", "there\n", mode=0o600, **owner),
            directory("opt/tools", mode=0o750, **owner),
            file("opt/tools/one", "one\n", mode=0o755, **owner),
            directory("opt/tools/set", mode=0o755, **owner),
            file("opt/tools/set/two", "two\n", mode=0o640, **owner),
            directory("opt/marked", xattrs={"user.folder": "f"}),
            file("opt/marked/plain", "p\n", xattrs={"user.comment": "a comment"}),
            file("opt/marked/capable", "c\n", mode=0o755, xattrs={"security.capability": _NET_BIND}),
            member("opt/device", b"3", mode=0o620, device=(1, 3)),
        ]
    )


# cap_net_bind_service=ep, revision 2 (capabilities(7)): magic, permitted, inheritable, twice 32 bits each
_NET_BIND = "\x01\x00\x00\x02\x00\x04" + "\x00" * 14


def _salt(name: str, text: str) -> bytes:
    """A layer that no other case has. All but `bare` have the folders on which a container's file systems lie."""
    folders = ["etc"] if name in ("bare", "tools") else ["etc", "dev", "proc", "sys", "run", "var"]
    return tar([*(directory(folder, mode=0o755) for folder in folders), file("etc/case", f"{text}\n")])


def push_base(host: str, name: str, case: str) -> str:
    """One of the images as the case's own; its reference."""
    reference = f"{host}/{case}/{name}:1"
    asyncio.run(_push(Reference.parse(reference), name, case))
    return reference


async def _push(reference: Reference, name: str, case: str) -> None:
    async with RegistryClient() as client:

        async def push(platform: Platform) -> Descriptor:
            layers = [
                _tools() if name == "tools" else _busybox(),
                _salt(name, f"{case} {name} {platform.architecture}"),
            ]
            return await push_with(
                client, reference, layers, _CONFIGS[name], platform=platform, mount_from=(_SHARED.format(name),)
            )

        if name == "multi":
            index = Index(manifests=(await push(AMD64), await push(_ARM64)))
            await client.push_manifest(reference, index.encode(), index.media_type)
        else:
            await push(AMD64)
