"""What can be wrong with a layer. The image is at fault in all of them, never the machine."""

import os

from ...core.oci import Digest


class LayerError(Exception):
    """Base of this package's errors. `layer` is the snapshot that was to hold it, where a chain was applied."""

    layer: str = ""


class InvalidLayer(LayerError):
    """Not a tar, not the compression it claims, or cut short."""


class UnsafeLayer(LayerError):
    """An entry that would reach out of the root, or that no honest layer has."""

    def __init__(self, name: bytes, message: str) -> None:
        super().__init__(f'entry "{os.fsdecode(name[:200])}": {message}')
        self.name = name
        self.message = message


class LayerTooLarge(LayerError):
    """A limit is passed: probably a decompression bomb."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"the layer has more than {limit} {what}")
        self.what = what
        self.limit = limit


class DeviceRefused(LayerError):
    """The layer has a device node, and the surroundings do not let us make one."""

    def __init__(self, name: bytes, major: int, minor: int) -> None:
        super().__init__(f'entry "{os.fsdecode(name[:200])}": device {major}:{minor} may not be made here')
        self.name = name
        self.device = (major, minor)


class OwnerRefused(LayerError):
    """A file belongs to somebody whose number is not mapped into our user namespace."""

    def __init__(self, name: bytes, uid: int, gid: int) -> None:
        super().__init__(f'entry "{os.fsdecode(name[:200])}": the owner {uid}:{gid} does not exist here')
        self.name = name
        self.owner = (uid, gid)


class WrongDiffId(LayerError):
    def __init__(self, expected: Digest, actual: Digest) -> None:
        super().__init__(f"the layer's content is {actual}, but the image config says {expected}")
        self.expected = expected
        self.actual = actual
