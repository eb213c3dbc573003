"""Runs one command and writes down what it used: `python -I -S stopwatch.py REPORT LOG COMMAND…`.

A process of its own because Linux counts the memory of whoever starts a process as the process's first peak: started
from the benchmark itself, which has held whole images, everything would look large. So nothing heavy is imported here.
The time ends with the command. What it leaves running (the supervisor of its steps ends after it) is waited for all the
same, so that its processor time counts.
"""

import ctypes
import os
import resource
import sys
import time

_SUBREAPER = 36
_LATE_SECONDS = 10.0


def main() -> int:
    report, log, *command = sys.argv[1:]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    empty = os.open(os.devnull, os.O_RDONLY)
    redirect = [(os.POSIX_SPAWN_DUP2, own, standard) for own, standard in ((empty, 0), (output, 1), (output, 2))]
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=redirect)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    usages = [usage, *late(time.monotonic() + _LATE_SECONDS)]
    cpu = sum(item.ru_utime + item.ru_stime for item in usages)
    peak = max(item.ru_maxrss for item in usages) * 1024
    with open(report, "w") as file:
        file.write(f"{seconds:.6f} {cpu:.6f} {peak} {os.waitstatus_to_exitcode(status)}\n")
    return 0


def late(deadline: float) -> list[resource.struct_rusage]:
    """What became ours because its parent has ended, as far as it ends in time."""
    found = []
    while time.monotonic() < deadline:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid:
            found.append(usage)
        else:
            time.sleep(0.01)
    return found


if __name__ == "__main__":
    sys.exit(main())
