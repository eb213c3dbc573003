"""Stands between the engine and its steps: nothing survives a step, and nothing of the engine survives the engine.

Run as a program (`python -I -S supervisor.py SOCKET`, a descriptor) with the standard library only, once for an engine.
It is a server, so that a step costs a fork and not the start of an interpreter. Each message on SOCKET is JSON:

    {"run": true} and SPEC, STATUS, CONTROL, STDOUT, STDERR   a step: a supervisor is forked for it
    {"look_after": DIRECTORY}    should the engine die, everything below is unmounted and it is deleted
    {"forget": DIRECTORY}        the engine has done that itself

A supervisor is the subreaper of its step's processes: whoever loses its parent becomes its child, so all of them are
found below it in /proc, daemons that called setsid or forked twice included. It ends them when the step's main process
ends, when the engine says so (a byte on CONTROL: "T" for SIGTERM, "K" for SIGKILL), and when the engine dies (CONTROL
ends). The server is the subreaper of its supervisors: should a step kill its own supervisor, the server ends the step.

SPEC is JSON: args, executable, env, cwd, root (or null), uid, gid, groups (or null: stay who we are), capabilities (the
numbers that may be had; null for all we have), limits (number, soft, hard, as setrlimit has them), processes (what
RLIMIT_NPROC shall be; 0 for none), at_most (processes that we count ourselves, since the kernel counts none for root; 0
for no limit), afterwards (a command that takes the engine's place in tidying up if the engine has died).
STATUS gets one line of JSON: {"exit": code} (with "said", a line for the log) or {"failed": what, "errno": number}. It
ends only when nothing of the step is left.
"""

# Starting the step without a shell is what this is for; without pathlib it starts in half the time.
# ruff: noqa: S606

import ctypes
import errno
import json
import os
import re
import resource
import select
import signal
import socket
import sys
import time

_BOUNDING_SET_DROP, _SUBREAPER = 24, 36
_NEW_PIDS = 0x20000000
_DETACH = 2
_BACK_TO_DEFAULT = (
    signal.SIGPIPE, signal.SIGCHLD, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT,
)  # fmt: skip
_LOOK_EVERY = 50
"""Milliseconds: a step that forks as fast as it can makes some five hundred processes meanwhile."""
_LAST_WORK_MAY_TAKE = 60.0

libc = ctypes.CDLL(None, use_errno=True)


# --- the server ----------------------------------------------------------------------------------------------------


def serve(connection: socket.socket) -> None:
    """Until the engine's end of the socket closes: with the engine, however it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # we end after the engine
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    wakeup = wake_up_for_children()
    supervisors: dict[int, int] = {}
    """Process ids, with the descriptor that keeps the step's STATUS open until all of it is gone."""
    directories: list[str] = []
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == wakeup:
                os.read(wakeup, 4096)
                collect(supervisors)
                continue
            message, fds, _, _ = socket.recv_fds(connection, 1 << 16, 5)
            if not message:
                last_work(supervisors, directories)
                return
            order = json.loads(message)
            if "run" in order:
                start(supervisors, *fds)
            elif "look_after" in order:
                directories.append(order["look_after"])
            elif order["forget"] in directories:
                directories.remove(order["forget"])


def start(supervisors: dict[int, int], spec: int, status: int, control: int, stdout: int, stderr: int) -> None:
    try:
        child = os.fork()
    except OSError as error:  # too many processes
        os.write(status, json.dumps({"failed": "fork", "errno": error.errno}).encode() + b"\n")
        os.close(status)
    else:
        if child == 0:
            supervise_as_child(spec, status, control, stdout, stderr)
        supervisors[child] = status
    for fd in (spec, control, stdout, stderr):
        os.close(fd)


def wake_up_for_children() -> int:
    """A descriptor that has something to read when a child has ended."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def collect(supervisors: dict[int, int]) -> None:
    """Supervisors that have ended. One that was killed has left its step behind, which is below us now."""
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        ended = {pid: exit_code(code)}
        while ended:
            pid, result = ended.popitem()
            status = supervisors.pop(pid, None)
            if status is None:
                continue
            if result:
                ended |= end_all(frozenset(supervisors))
            os.close(status)


def last_work(supervisors: dict[int, int], directories: list[str]) -> None:
    """The engine is gone. Supervisors have noticed, too; what the engine could not tidy up any more is done here."""
    deadline = time.monotonic() + _LAST_WORK_MAY_TAKE
    while supervisors and time.monotonic() < deadline:
        collect(supervisors)
        time.sleep(0.005)
    for directory in directories:
        for point in mount_points_below(directory):
            libc.umount2(os.fsencode(point), _DETACH)
        run(["rm", "-rf", "--one-file-system", "--", directory])


def mount_points_below(directory: str) -> list[str]:
    """Innermost first."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        points = [unescaped(line.split(" ")[1]) for line in file]
    return sorted((point for point in points if f"{point}/".startswith(f"{directory}/")), key=len, reverse=True)


def unescaped(text: str) -> str:
    r"""Blanks in mount points are written as \040."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def run(command: list[str]) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.execvpe(command[0], command, {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
        finally:
            os._exit(127)
    os.waitpid(child, 0)


# --- a supervisor --------------------------------------------------------------------------------------------------


def supervise_as_child(spec: int, status: int, control: int, stdout: int, stderr: int) -> None:
    """Never returns. Of the server's descriptors only these are kept: another step's STATUS must be able to end."""
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        keep_only(spec, status, control)
        supervise(spec, status, control)
        code = 0
    finally:
        os._exit(code)


def keep_only(*fds: int) -> None:
    first = 3
    for fd in sorted(fds):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 1 << 20)


def supervise(spec_fd: int, status_fd: int, control_fd: int) -> None:
    with open(spec_fd, "rb") as file:
        spec = json.load(file)
    libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    os.setsid()
    wakeup = wake_up_for_children()
    failed_read, failed_write = os.pipe2(os.O_CLOEXEC)
    before_all_others()
    step = fork_step(alone=spec["root"] is not None)
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
    watch = Watch(step, control_fd, wakeup, spec["at_most"])
    result: dict[str, object] = {"exit": watch.until_the_end()}
    if watch.said:
        result["said"] = watch.said
    end_all()
    if watch.engine_is_gone and spec["afterwards"]:
        run(spec["afterwards"])
        return
    os.write(status_fd, json.dumps(result).encode() + b"\n")


def fork_step(*, alone: bool) -> int:
    """Forks. `alone`: with process ids of its own where we may give it such, so that it can hit nobody else."""
    if not alone or libc.unshare(_NEW_PIDS) < 0:
        return os.fork()
    child = os.fork()
    if child:  # whom we fork later shall live among ours
        ours = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        libc.setns(ours, _NEW_PIDS)
        os.close(ours)
    return child


def become(spec: dict[str, object], failed: int) -> None:
    """In the child: turns into the step. Never returns."""
    what = "start"
    try:
        os.setsid()
        for number in _BACK_TO_DEFAULT:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.umask(0o022)
        keep_only(failed)
        if spec["processes"]:
            limit_processes(int(str(spec["processes"])))
        what = "limits"
        limits = spec["limits"]
        assert isinstance(limits, list)
        for number, soft, hard in limits:
            limit(number, soft, hard)
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
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        if capability not in kept:  # refused without CAP_SETPCAP: then our surroundings have bounded it already
            libc.prctl(_BOUNDING_SET_DROP, capability, 0, 0, 0)


def limit_processes(count: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (count, count))
    except (OSError, ValueError):
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


def limit(number: int, soft: int, hard: int) -> None:
    try:
        resource.setrlimit(number, (soft, hard))
    except ValueError as error:  # how Python words EPERM
        raise OSError(errno.EPERM, str(error)) from error


class Watch:
    """Watches over one step."""

    def __init__(self, step: int, control: int, wakeup: int, at_most: int) -> None:
        self.step = step
        self.control = control
        self.wakeup = wakeup
        self.at_most = at_most
        self.threads_before = threads_of_the_machine()
        self.engine_is_gone = False
        self.said = ""

    def until_the_end(self) -> int:
        """The exit code of the step's main process. Others may still be there."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wakeup, select.POLLIN)
        while True:
            ended: dict[int, int] = {}
            collect_into(ended)
            if self.step in ended:
                return ended[self.step]
            happened = poll.poll(_LOOK_EVERY if self.at_most else None)
            if self.at_most and self.are_too_many():
                self.said = f"imagebuild: the step had more than {self.at_most} processes and was killed"
                return end_all().get(self.step, 128 + signal.SIGKILL)
            for fd, _ in happened:
                if fd == self.wakeup:
                    os.read(self.wakeup, 4096)
                    continue
                order = os.read(self.control, 1)
                if order == b"T":
                    for pid, since in descendants().items():
                        send(pid, since, signal.SIGTERM)
                    continue
                self.engine_is_gone = not order
                return end_all().get(self.step, 128 + signal.SIGKILL)

    def are_too_many(self) -> bool:
        """Looks closer only where the whole machine has got that many more: reading one small file costs nothing."""
        more = threads_of_the_machine() - self.threads_before
        return more > self.at_most // 2 and len(descendants()) > self.at_most


def threads_of_the_machine() -> int:
    try:
        with open("/proc/loadavg", "rb") as file:
            return int(file.read().split()[3].partition(b"/")[2])
    except (OSError, IndexError, ValueError):
        return 0


def exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# --- ending processes ----------------------------------------------------------------------------------------------


def end_all(spared: frozenset[int] = frozenset()) -> dict[int, int]:
    """Kills everything below us (but for the spared with all that is below them) and waits for it: exit codes by id.

    First our children and theirs: where one is the first process of a pid namespace, the kernel ends the rest. Then all
    that are left are stopped before they are killed, so that none forks faster than we kill.
    """
    ended: dict[int, int] = {}
    deadline = time.monotonic() + 30
    first = descendants(spared, generations=2)
    for pid, since in first.items():
        send(pid, since, signal.SIGKILL)
    while time.monotonic() < deadline:
        if not collect_into(ended):
            return ended  # whoever is below us has a living ancestor among our children
        if first.keys() - ended.keys() and time.monotonic() < deadline - 20:
            time.sleep(0.001)
            continue
        seen: dict[int, int] = {}
        while new := {pid: since for pid, since in descendants(spared).items() if pid not in seen}:
            for pid, since in new.items():
                send(pid, since, signal.SIGSTOP)
            seen |= new
        if not seen and spared:
            return ended
        for pid, since in seen.items():
            send(pid, since, signal.SIGKILL)
        time.sleep(0.001)
    return ended


def collect_into(ended: dict[int, int]) -> bool:
    """Collects the children that have ended. Are there others?"""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        ended[pid] = exit_code(status)


def before_all_others() -> None:
    """Else we share the processors with the thousands that a step may start; refused without CAP_SYS_NICE."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except OSError:
        return


def descendants(spared: frozenset[int] = frozenset(), generations: int = 1 << 30) -> dict[int, int]:
    """All processes whose chain of parents leads to us, and not through one of the spared; with their start times."""
    parents: dict[int, tuple[int, int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (found := look_at(int(name))):
            parents[int(name)] = found
    below = {os.getpid()}
    while generations:
        new = {pid for pid, (parent, _) in parents.items() if parent in below and pid not in spared} - below
        below |= new
        generations = generations - 1 if new else 0
    return {pid: parents[pid][1] for pid in sorted(below - {os.getpid()})}


def look_at(pid: int) -> tuple[int, int] | None:
    """Parent and start time of a process; None for one that is over and not ours to collect."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            text = file.read()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    parent = int(fields[1])
    return (parent, int(fields[19])) if fields[0] not in {b"Z", b"X"} or parent == os.getpid() else None


def send(pid: int, since: int, number: int) -> None:
    """To the very process that started then: its number may be another's meanwhile, where many come and go."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:  # an old kernel, or a filter of system calls
        fd = -1
    try:
        found = look_at(pid)
        if found is None or found[1] != since:
            return
        try:
            signal_it(fd, pid, number)
        except ProcessLookupError:
            return
        except PermissionError:  # root without CAP_KILL: somebody who has become that user may
            signal_as_owner(fd, pid, number)
    finally:
        if fd >= 0:
            os.close(fd)


def signal_it(fd: int, pid: int, number: int) -> None:
    if fd >= 0:
        signal.pidfd_send_signal(fd, number)
    else:
        os.kill(pid, number)


def signal_as_owner(fd: int, pid: int, number: int) -> None:
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            uid = next(int(line.split()[1]) for line in file if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return
    helper = os.fork()
    if helper == 0:
        try:
            os.setresuid(uid, uid, uid)
            signal_it(fd, pid, number)
        finally:
            os._exit(0)
    os.waitpid(helper, 0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
