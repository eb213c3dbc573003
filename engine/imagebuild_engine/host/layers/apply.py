"""Applying a layer: a tar from a stranger onto a directory (image spec, layer.md).

source ─► decompress, hash (a thread) ─► tar entries (`tar_reader`) ─► files (`unpack`)
"""

from dataclasses import dataclass

from ...core.oci import Digest
from ..rootfs import Tree
from .compression import ByteSource, decompressed
from .errors import WrongDiffId
from .hashing import HashingPump
from .limits import Limits
from .styles import OPAQUE_TRUSTED, Style
from .tar_reader import TarReader
from .unpack import Unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    diff_id: Digest
    size: int
    """Uncompressed bytes."""
    entries: int
    root_has_entry: bool = False
    """Did the layer say what the root itself looks like?"""
    depends_on_parent: bool = False
    """Style OVERLAY only: the directory is not right without knowledge of the layers below (see `unpack`)."""
    skipped_devices: tuple[bytes, ...] = ()
    dropped_xattrs: int = 0


def apply(
    source: ByteSource,
    tree: Tree,
    *,
    style: Style = Style.TREE,
    expected: Digest | None = None,
    limits: Limits = Limits(),  # noqa: B008 (a frozen value)
    opaque_xattr: str = OPAQUE_TRUSTED,
    skip_devices: bool = False,
) -> Applied:
    """Reads the layer (of any compression) and closes the source. On an error the tree is left half done.

    `expected` is the diff id that the image config promises. `skip_devices`: leave out device nodes that we may not
    make, and say so in the result, instead of DeviceRefused. Raises LayerError's family, OSError (a full disk), and
    what the source raises.
    """
    with HashingPump(decompressed(source, limits), source.close) as pump:
        work = Unpack(tree, style, limits, opaque_xattr=opaque_xattr, skip_devices=skip_devices)
        try:
            reader = TarReader(pump.chunks(), limits)
            for member in reader:
                work.entry(member, reader)
            reader.drain()
            work.finish()
        finally:
            work.close()
        diff_id = pump.digest()
        if expected is not None and diff_id != expected:
            raise WrongDiffId(expected, diff_id)
        return Applied(
            diff_id=diff_id,
            size=pump.size,
            entries=work.entries,
            root_has_entry=work.root_has_entry,
            depends_on_parent=work.depends_on_parent,
            skipped_devices=tuple(work.skipped_devices),
            dropped_xattrs=work.dropped_xattrs,
        )
