"""Stands between the engine and a step that has no pid namespace of its own: sees to it that nothing survives the step.

Run as a program (`python -I -S supervisor.py SPEC STATUS CONTROL`, three descriptors) with the standard library only.
It is the subreaper of the step's processes: whoever loses its parent becomes its child, so all of them are found below
it in /proc, daemons that called setsid or forked twice included. It ends them when the step's main process ends, when
the engine says so (a byte on CONTROL: "T" for SIGTERM, "K" for SIGKILL), and when the engine dies (CONTROL ends).

SPEC is JSON: args, executable, env, cwd, root (or null), uid, gid, groups (or null: stay who we are), capabilities (the
numbers that may be had; null for all we have), processes (at most; 0 for no limit).
STATUS gets one line of JSON: {"exit": code} or {"failed": what, "errno": number}.
"""

# Starting the step without a shell is what this is for.
# ruff: noqa: S606

import ctypes
import json
import os
import resource
import select
import signal
import sys
import time

_BOUNDING_SET_DROP, _SUBREAPER = 24, 36


def main(spec_fd: int, status_fd: int, control_fd: int) -> None:
    with open(spec_fd, "rb") as file:
        spec = json.load(file)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    os.setsid()
    wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    failed_read, failed_write = os.pipe2(os.O_CLOEXEC)
    step = os.fork()
    if step == 0:
        become(spec, failed_write)
    os.close(failed_write)
    with open(failed_read, "rb") as file:
        failure = file.read()
    # The step holds these now; we must not keep its readers waiting.
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if failure:
        os.waitpid(step, 0)
        os.write(status_fd, failure + b"\n")
        return
    code = watch(step, control_fd, wakeup_read)
    end_all()
    os.write(status_fd, json.dumps({"exit": code}).encode() + b"\n")


def become(spec: dict[str, object], failed: int) -> None:
    """In the child: turns into the step. Never returns."""
    what = "start"
    try:
        os.setsid()
        for number in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.umask(0o022)
        os.closerange(3, failed)
        os.closerange(failed + 1, 1 << 20)
        if spec["processes"]:
            limit_processes(int(str(spec["processes"])))
        what = "capabilities"
        if isinstance(spec["capabilities"], list):
            bound_capabilities(set(spec["capabilities"]))  # reads /proc, which the step's root need not have
        what = "chroot"
        if spec["root"] is not None:
            os.chroot(str(spec["root"]))
        what = "user"
        if spec["uid"] is not None:
            groups = spec["groups"]
            assert isinstance(groups, list)
            os.setgroups(groups)
            os.setresgid(*[int(str(spec["gid"]))] * 3)
            os.setresuid(*[int(str(spec["uid"]))] * 3)
        what = "cwd"
        os.chdir(str(spec["cwd"]))
        what = "exec"
        env = spec["env"]
        args = spec["args"]
        assert isinstance(env, list)
        assert isinstance(args, list)
        os.execve(str(spec["executable"]), args, dict(item.split("=", 1) for item in env))
    except OSError as error:
        os.write(failed, json.dumps({"failed": what, "errno": error.errno}).encode())
    except BaseException as error:
        os.write(failed, json.dumps({"failed": what, "errno": 0, "message": repr(error)}).encode())
    finally:
        os._exit(127)


def bound_capabilities(kept: set[int]) -> None:
    """What is not in the bounding set is not gained by exec, not even by root."""
    prctl = ctypes.CDLL(None).prctl
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        if capability not in kept:  # refused without CAP_SETPCAP: then our surroundings have bounded it already
            prctl(_BOUNDING_SET_DROP, capability, 0, 0, 0)


def limit_processes(count: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
    except (OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def watch(step: int, control: int, wakeup: int) -> int:
    """Until the step's main process ends; its exit code."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        code = reap(step)
        if code is not None:
            return code
        for fd, _ in poll.poll():
            if fd == wakeup:
                os.read(wakeup, 4096)
                continue
            order = os.read(control, 1)
            if order == b"T":
                for pid in descendants():
                    send(pid, signal.SIGTERM)
            else:  # "K", or the engine is gone
                return end_all().get(step, 128 + signal.SIGKILL)


def reap(step: int) -> int | None:
    """Collects whoever ended; the step's exit code if it is among them."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == step:
            code = exit_code(status)


def exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def end_all() -> dict[int, int]:
    """Kills everything below us and waits for it. First all are stopped, so that none forks faster than we kill."""
    ended: dict[int, int] = {}
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        seen: set[int] = set()
        while new := set(descendants()) - seen:
            for pid in new:
                send(pid, signal.SIGSTOP)
            seen |= new
        for pid in seen:
            send(pid, signal.SIGKILL)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                break
            ended[pid] = exit_code(status)
        time.sleep(0.002)
    return ended


def descendants() -> list[int]:
    """All processes whose chain of parents leads to us."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    text = file.read()
            except OSError:
                continue
            state, parent = text[text.rindex(b")") + 2 :].split()[:2]
            if state not in {b"Z", b"X"} or int(parent) == os.getpid():
                parents[int(name)] = int(parent)
    below = {os.getpid()}
    grown = True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in below} - below
        below |= new
        grown = bool(new)
    return sorted(below - {os.getpid()})


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:  # root without CAP_KILL: somebody who has become that user may
        send_as_owner(pid, number)


def send_as_owner(pid: int, number: int) -> None:
    try:
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 (no pathlib: see the top)
    except OSError:
        return
    helper = os.fork()
    if helper == 0:
        try:
            os.setresuid(uid, uid, uid)
            os.kill(pid, number)
        finally:
            os._exit(0)
    os.waitpid(helper, 0)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]))
