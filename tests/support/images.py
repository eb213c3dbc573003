"""Small base images, made on the spot and pushed to a registry on loopback."""

import asyncio
import gzip
import io
import shutil
import tarfile
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


def busybox_layer() -> bytes:
    """A root file system with a static busybox, /etc/passwd and a world-writable /tmp, as a tar."""
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
        for applet in APPLETS:
            add(f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        add("etc/passwd", tarfile.REGTYPE, 0o644, b"root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/:/bin/sh\n")
        add("etc/group", tarfile.REGTYPE, 0o644, b"root:x:0:\nme:x:1000:\nmore:x:1001:me\n")
    return buffer.getvalue()


def push_image(
    reference: str, layers: list[bytes], config: RunConfig | None = None, platform: Platform = AMD64
) -> Digest:
    """An image of these uncompressed layers under the reference; its digest."""
    config = config or RunConfig(env=(PATH,), working_dir="/")
    return asyncio.run(_push(Reference.parse(reference), layers, config, platform))


async def _push(reference: Reference, layers: list[bytes], run_config: RunConfig, platform: Platform) -> Digest:
    packed = [gzip.compress(layer, 1, mtime=0) for layer in layers]
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
    async with RegistryClient() as client:
        for descriptor, data in zip(descriptors, packed, strict=True):
            await client.push_blob(reference, descriptor, data)
        await client.push_blob(reference, config_descriptor, config)
        manifest = Manifest(config=config_descriptor, layers=descriptors)
        await client.push_manifest(reference, manifest.encode(), manifest.media_type)
        return manifest.descriptor().digest


def push_busybox(host: str) -> str:
    """A busybox image as `HOST/library/busybox:1`; the reference."""
    reference = f"{host}/library/busybox:1"
    push_image(reference, [busybox_layer()])
    return reference
