"""An image or a cache as a directory (image spec, image-layout.md). What else the directory holds stays."""

import asyncio
import errno
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..core.oci import Descriptor, Index, MediaType, parse_manifest
from ..core.oci.manifest import MAX_BYTES as INDEX_BYTES
from .artifact import Artifact
from .failures import OutputUnwritable
from .layers import RemoteLayer
from .store import TreeStore

_TAG = "org.opencontainers.image.ref.name"


async def write_layout(
    directory: Path, store: TreeStore, artifact: Artifact, remote: Sequence[RemoteLayer], tag: str
) -> None:
    """Writes blobs, `oci-layout` and the tag's entry in `index.json`. Layers that nobody pulled are pulled now, unless
    the directory has them. Raises OutputUnwritable, LayerLost.
    """
    await asyncio.gather(*(store.blob(layer) for layer in remote if not has_blob(directory, layer.descriptor)))
    try:
        await asyncio.to_thread(_write, directory, store, artifact, tag)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutputUnwritable(f"cannot write to {directory}: {error.strerror}") from error
    except ValueError as error:
        raise OutputUnwritable(f"{directory} is no OCI layout: {error}") from error


def _write(directory: Path, store: TreeStore, artifact: Artifact, tag: str) -> None:
    (directory / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    for layer in artifact.layers:
        if not has_blob(directory, layer):
            with _replacing(_blob(directory, layer)) as temporary:
                shutil.copyfile(store.blobs.path(layer.digest), temporary)
    top = artifact.descriptor()
    _put(_blob(directory, artifact.config), artifact.config_bytes)
    _put(_blob(directory, top), artifact.manifest)
    _put(directory / "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
    with _locked(directory):
        _list(directory / "index.json", top, tag)


def _list(path: Path, top: Descriptor, tag: str) -> None:
    """The manifest under the tag, in place of what had it."""
    listed: tuple[Descriptor, ...] = ()
    if path.exists():
        with path.open("rb") as file:
            known = parse_manifest(file.read(INDEX_BYTES + 1), MediaType.OCI_INDEX)
        listed = known.manifests if isinstance(known, Index) else ()
    entry = Descriptor(media_type=top.media_type, digest=top.digest, size=top.size, annotations={_TAG: tag})
    others = (item for item in listed if item.annotations.get(_TAG) != tag)
    _put(path, Index(manifests=(*others, entry)).encode())


def _blob(directory: Path, descriptor: Descriptor) -> Path:
    return directory / "blobs" / descriptor.digest.algorithm / descriptor.digest.hex


def has_blob(directory: Path, descriptor: Descriptor) -> bool:
    """Does the layout have it? By name and size: a writer that was interrupted left none of ours, but perhaps somebody
    else's.
    """
    try:
        return _blob(directory, descriptor).stat().st_size == descriptor.size
    except OSError:
        return False


def _put(path: Path, data: bytes) -> None:
    with _replacing(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the path's place when it is whole."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        yield temporary
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer of the index at a time: another build's tag must not get lost."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
