"""Small base images, made on the spot and pushed to a registry on loopback."""

import asyncio
import gzip
import io
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from imagebuild_engine.core.oci import (
    Descriptor,
    Digest,
    HistoryEntry,
    ImageConfig,
    Manifest,
    MediaType,
    Platform,
    Reference,
    RunConfig,
)
from imagebuild_engine.host.registry import RegistryClient

from tests.support.tars import directory, tar

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
APPLETS = [
    "sh",
    "cat",
    "cp",
    "date",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "pwd",
    "rm",
    "sed",
    "seq",
    "sleep",
    "sort",
    "stat",
    "tail",
    "touch",
    "tr",
    "true",
    "wc",
]
CREATED = "2026-01-01T00:00:00Z"
AMD64 = Platform("linux", "amd64")


def missing_busybox() -> str:
    """A sentence saying what to install, or nothing."""
    return "" if shutil.which("busybox") else "busybox is missing: install Debian's busybox-static"


def busybox_layer(more: Sequence[str] = ()) -> bytes:
    """A root file system with a static busybox, /etc/passwd and a world-writable /tmp, as a tar. `more` are applets."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name: str, kind: bytes, mode: int, data: bytes = b"", link: str = "") -> None:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
            tar.addfile(info, io.BytesIO(data))

        for folder, mode in (("bin", 0o755), ("etc", 0o755), ("root", 0o700), ("tmp", 0o1777), ("usr", 0o755)):
            add(folder, tarfile.DIRTYPE, mode)
        busybox = shutil.which("busybox")
        assert busybox is not None
        add("bin/busybox", tarfile.REGTYPE, 0o755, Path(busybox).read_bytes())
        for applet in (*APPLETS, *more):
            add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        add(
            "etc/passwd",
            tarfile.REGTYPE,
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/:/bin/sh\nbob:x:1002:1002::/:/bin/sh\n",
        )
        add("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\nme:x:1000:\nmore:x:1001:me\ngrp:x:1003:\n")
    return buffer.getvalue()


@cache
def _gzipped(layer: bytes) -> bytes:
    return gzip.compress(layer, 1, mtime=0)


def push_image(
    reference: str, layers: list[bytes], config: RunConfig | None = None, platform: Platform = AMD64
) -> Digest:
    """An image of these uncompressed layers under the reference; its digest."""

    async def push() -> Digest:
        async with RegistryClient() as client:
            described = config or RunConfig(env=(PATH,), working_dir="/")
            return (await push_with(client, Reference.parse(reference), layers, described, platform=platform)).digest

    return asyncio.run(push())


async def push_with(
    client: RegistryClient,
    reference: Reference,
    layers: Sequence[bytes],
    run_config: RunConfig,
    *,
    platform: Platform = AMD64,
    mount_from: Sequence[str] = (),
) -> Descriptor:
    """As `push_image`, for many: layers that a neighbouring repository has need not be sent again."""
    packed = [_gzipped(layer) for layer in layers]
    config = ImageConfig(
        platform=platform,
        config=run_config,
        diff_ids=tuple(Digest.of(layer) for layer in layers),
        history=tuple(HistoryEntry(created=CREATED, created_by=f"layer {number}") for number in range(len(layers))),
        created=CREATED,
    ).encode()
    descriptors = tuple(
        Descriptor(media_type=MediaType.OCI_LAYER_GZIP, digest=Digest.of(data), size=len(data)) for data in packed
    )
    config_descriptor = Descriptor(media_type=MediaType.OCI_CONFIG, digest=Digest.of(config), size=len(config))
    for descriptor, data in zip(descriptors, packed, strict=True):
        await client.push_blob(reference, descriptor, data, mount_from=mount_from)
    await client.push_blob(reference, config_descriptor, config)
    manifest = Manifest(config=config_descriptor, layers=descriptors)
    await client.push_manifest(reference, manifest.encode(), manifest.media_type)
    return replace(manifest.descriptor(), platform=platform)


def push_busybox(host: str) -> str:
    """A busybox image as `HOST/library/busybox:1`; the reference."""
    reference = f"{host}/library/busybox:1"
    push_image(reference, [busybox_layer()])
    return reference


def push_steady_busybox(host: str) -> str:
    """One that has all directories which an executor would leave in the first step's layer, with the time of now: so a
    build on it gives the same image every time, if its own steps do."""
    reference = f"{host}/library/busybox:steady"
    push_image(reference, [busybox_layer(), tar([directory(name) for name in ("dev", "proc", "sys")])])
    return reference
