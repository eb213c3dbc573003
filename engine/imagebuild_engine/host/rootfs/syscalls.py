"""The few system calls that Python's os module lacks, by ctypes. Every call raises OSError as os does.

Numbers are those of the unified table (openat2) or come from libc wrappers, so x86-64 and arm64 agree.
"""

import ctypes
import os
import sys

_libc = ctypes.CDLL(None, use_errno=True)

_SYS_OPENAT2 = 437

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_IN_ROOT = 0x10

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

CLONE_FS = 0x00000200
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _fail(path: bytes | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), None if path is None else os.fsdecode(path))


def openat2(directory: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
    """openat2(2); the descriptor is close-on-exec as all of Python's are."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    fd: int = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2), directory, ctypes.c_char_p(path), ctypes.byref(how), ctypes.sizeof(how)
    )
    if fd < 0:
        raise _fail(path)
    return fd


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2). `data` is at most one page long: callers with long option lists must shorten them."""
    arguments = [os.fsencode(text) for text in (source, target, kind)]
    if _libc.mount(*arguments, ctypes.c_ulong(flags), os.fsencode(data)) < 0:
        raise _fail(arguments[1])


def umount(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    if _libc.umount2(os.fsencode(target), flags) < 0:
        raise _fail(os.fsencode(target))


def unshare(flags: int) -> None:
    """unshare(2)."""
    if _libc.unshare(flags) < 0:
        raise _fail()


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) < 0:
        raise _fail()


if sys.platform != "linux":  # pragma: no cover
    raise ImportError("imagebuild's engine needs Linux")
