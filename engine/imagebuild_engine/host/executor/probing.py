"""Tries what this machine or pod allows. A program of its own: each trial is made in a child that may be spoilt.

Run as `python -I -S probing.py DIRECTORY`; prints one JSON object of booleans. Standard library only.
"""

# Without pathlib: it would double the time that this takes to start.
# ruff: noqa: PTH102, PTH103, PTH108, PTH116, PTH118

import ctypes
import json
import os
import signal
import stat
import sys
from collections.abc import Callable

NEWNS, NEWUSER, NEWPID = 0x00020000, 0x10000000, 0x20000000
RDONLY, BIND, REC, PRIVATE, DETACH = 1, 4096, 16384, 1 << 18, 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    check(libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()))


def unshare(flags: int) -> None:
    check(libc.unshare(flags))


def trial(work: Callable[[], None]) -> bool:
    """Did the work succeed, in a child?"""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def private_mounts() -> None:
    unshare(NEWNS)
    mount("none", "/", "", REC | PRIVATE)


def overlay(directory: str, name: str, userxattr: bool) -> None:
    """Mounts one, deletes a lower file through it and pivots into it: all that a step in a container needs."""
    base = os.path.join(directory, name)
    parts = {part: os.path.join(base, part) for part in ("l", "u", "w", "m")}
    for part in parts.values():
        os.makedirs(part)
    with open(os.path.join(parts["l"], "file"), "wb") as file:
        file.write(b"x")
    os.mkdir(os.path.join(parts["l"], "old"))
    options = f"lowerdir={parts['l']},upperdir={parts['u']},workdir={parts['w']}"
    mount("overlay", parts["m"], "overlay", 0, options + (",userxattr" if userxattr else ""))
    os.unlink(os.path.join(parts["m"], "file"))
    whiteout = os.stat(os.path.join(parts["u"], "file"))
    assert stat.S_ISCHR(whiteout.st_mode)
    assert whiteout.st_rdev == 0
    os.chdir(parts["m"])
    check(libc.syscall(ctypes.c_long(PIVOT_ROOT[os.uname().machine]), b".", b"old"))


def fresh_proc(directory: str) -> None:
    """A new proc for a new pid namespace."""
    unshare(NEWPID)
    point = os.path.join(directory, f"proc-{os.getpid()}")
    os.mkdir(point)
    assert trial(lambda: mount("proc", point, "proc"))


def switch_ids() -> None:
    os.setgroups([1])
    os.setresgid(1, 1, 1)
    os.setresuid(1, 1, 1)


def give_away(directory: str) -> None:
    path = os.path.join(directory, f"owned-{os.getpid()}")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    os.chown(path, 1, 1)


def device(directory: str) -> None:
    path = os.path.join(directory, f"null-{os.getpid()}")
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.close(os.open(path, os.O_WRONLY))


def in_user_namespace(work: Callable[[], None], ids: int) -> bool:
    """Did the work succeed in a new user namespace with that many ids?"""
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(go_write)
            unshare(NEWUSER | NEWNS)
            os.write(ready_write, b"x")
            assert os.read(go_read, 1) == b"x"
            os.setresgid(0, 0, 0)
            os.setresuid(0, 0, 0)
            work()
            code = 0
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    os.close(ready_write)
    mapped = os.read(ready_read, 1) == b"x" and write_maps(child, ids)
    os.write(go_write, b"x" if mapped else b"n")
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for fd in (ready_read, go_read, go_write):
        os.close(fd)
    return ended == 0


def write_maps(child: int, ids: int) -> bool:
    try:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 {ids}")
    except OSError:
        return False
    return True


def quietly_private(work: Callable[[], None]) -> Callable[[], None]:
    def inside() -> None:
        private_mounts()
        work()

    return inside


def main(directory: str, ids: int, userxattr: bool) -> None:
    signal.alarm(30)
    first = quietly_private(lambda: overlay(directory, "direct", userxattr))
    found = {
        "chroot": trial(lambda: os.chroot(directory)),
        "switch_ids": trial(switch_ids),
        "chown": trial(lambda: give_away(directory)),
        "devices": trial(lambda: device(directory)),
        "mounts": trial(first),
        "fresh_proc": trial(quietly_private(lambda: fresh_proc(directory))),
        "own_ids": False,
        "own_mounts": False,
        "own_fresh_proc": False,
    }
    if ids >= 65536:
        found["own_ids"] = in_user_namespace(switch_ids, 65536)
        found["own_mounts"] = in_user_namespace(lambda: overlay(directory, "own", True), 65536)
        found["own_fresh_proc"] = in_user_namespace(lambda: fresh_proc(directory), 65536)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1")
