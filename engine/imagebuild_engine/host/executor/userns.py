"""The engine in a user namespace of its own: root there, with 65,536 ids, and nobody special outside.

A pod of profile UserNamespace may not mount anything, but it may make a user namespace (SETUID, SETGID and SETFCAP are
what writing its map takes), and in that one everything is allowed that snapshots and steps need. So the engine starts
itself once more inside, before it has threads or open files, and the outer process only waits.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NoReturn

from ..rootfs.syscalls import CLONE_NEWNS, CLONE_NEWUSER, MS_PRIVATE, MS_REC, PR_SET_PDEATHSIG, mount, prctl, unshare
from .errors import ExecutorUnavailable

MARK = "IMAGEBUILD_IN_OWN_USER_NAMESPACE"
_IDS = 65536
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT)


def in_own_user_namespace(environ: Mapping[str, str] | None = None) -> bool:
    """Did `enter_user_namespace` start us?"""
    return (os.environ if environ is None else environ).get(MARK) == "1"


def enter_user_namespace(command: Sequence[str], environ: Mapping[str, str] | None = None) -> NoReturn:
    """Runs the command (the engine's own, from its first word) inside, and exits with its exit code.

    To be called early: the process must have one thread. Raises ExecutorUnavailable if the kernel refuses; then nothing
    has happened.
    """
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready_read)
        os.close(go_write)
        env = {**(os.environ if environ is None else environ), MARK: "1"}
        _inside(command, env, ready_write, go_read)
    os.close(ready_write)
    os.close(go_read)
    message = os.read(ready_read, 4096).decode()
    os.close(ready_read)
    problem = "" if message == "ready" else message or "the new process died"
    if not problem:
        try:
            _write_maps(child)
        except (OSError, subprocess.SubprocessError) as error:
            problem = f"its ids cannot be mapped: {error}"
    os.write(go_write, b"n" if problem else b"y")
    os.close(go_write)
    if problem:
        os.waitpid(child, 0)
        raise ExecutorUnavailable("oci", f"no user namespace of our own: {problem}")
    _wait(child)


def _inside(command: Sequence[str], env: Mapping[str, str], ready: int, go: int) -> NoReturn:
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        os.write(ready, b"ready")
        os.close(ready)
        if os.read(go, 1) != b"y":
            os._exit(1)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        os.setgroups([])
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # after the change of users, which clears it
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        os.execvpe(command[0], list(command), dict(env))  # noqa: S606 (no shell is the point)
    except OSError as error:
        try:
            os.write(ready, str(error).encode())
        except OSError:
            sys.stderr.write(f"imagebuild: cannot start in a user namespace: {error}\n")
            sys.stderr.flush()
    finally:
        os._exit(23)


def _write_maps(child: int) -> None:
    if os.geteuid() == 0:
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 {_IDS}")
        return
    for tool, own in (("newuidmap", os.getuid()), ("newgidmap", os.getgid())):
        program = shutil.which(tool)
        if program is None:
            raise OSError(2, f"{tool} is not installed")
        start, count = _subordinate(tool.replace("new", "/etc/sub").removesuffix("map"), own)
        arguments = [program, str(child), "0", str(own), "1", "1", str(start), str(min(count, _IDS - 1))]
        subprocess.run(arguments, check=True, capture_output=True)


def _subordinate(path: str, own: int) -> tuple[int, int]:
    """The range that /etc/subuid or /etc/subgid gives us."""
    import pwd

    names = {str(os.getuid())}
    with suppress(KeyError):  # a number without a name, as in many containers
        names.add(pwd.getpwuid(os.getuid()).pw_name)
    with open(path, encoding="utf-8") as file:
        for line in file:
            name, _, numbers = line.strip().partition(":")
            if name in names:
                start, _, count = numbers.partition(":")
                return int(start), int(count)
    raise OSError(2, f"{path} gives no ids to user {own}")


def _wait(child: int) -> NoReturn:
    """Signals are the child's; its end is ours."""
    for number in _PASSED_ON:
        signal.signal(number, lambda got, _: _pass_on(child, got))
    while True:
        try:
            _, status = os.waitpid(child, 0)
        except InterruptedError:
            continue
        code = os.waitstatus_to_exitcode(status)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if code >= 0 else 128 - code)


def _pass_on(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        return
