"""Who owns a file, and how that is kept where the kernel does not let us say so."""

import os
from dataclasses import dataclass
from enum import Enum

from .namespace import mapped_ids


@dataclass(frozen=True, slots=True)
class Owner:
    uid: int
    gid: int


class Ownership(Enum):
    """How owners, modes and device numbers are kept in a tree."""

    REAL = "real"
    """By the kernel: chown, chmod and mknod do what they say."""
    RECORDED = "recorded"
    """In an extended attribute of the file, for builders without CAP_CHOWN. Devices and fifos are empty files with such
    a record; what cannot carry one (symbolic links) counts as root's. Directories stay writable for us whatever mode
    they claim."""


RECORD_XATTR = "user.imagebuild.stat"


@dataclass(frozen=True, slots=True)
class Record:
    """What the attribute says in the place of lstat: mode with type bits, owner and device numbers."""

    mode: int
    uid: int
    gid: int
    devmajor: int = 0
    devminor: int = 0

    def encode(self) -> bytes:
        return b"%o:%d:%d:%d:%d" % (self.mode, self.uid, self.gid, self.devmajor, self.devminor)

    @classmethod
    def decode(cls, value: bytes) -> "Record | None":
        """The record, or None where the bytes are none (then the kernel's word counts)."""
        try:
            mode, *numbers = value.split(b":")
            uid, gid, major, minor = (int(number) for number in numbers)
            return cls(int(mode, 8), uid, gid, major, minor)
        except ValueError:
            return None


def ownership_here() -> Ownership:
    """REAL where this process can change owners (root with CAP_CHOWN) and there are others to give files to."""
    chown_bit = 0
    with open("/proc/self/status", encoding="ascii") as status:
        effective = next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)
    capable = os.geteuid() == 0 and bool(effective >> chown_bit & 1) and mapped_ids() >= 65536
    return Ownership.REAL if capable else Ownership.RECORDED
