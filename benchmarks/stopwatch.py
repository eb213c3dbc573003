"""Runs one command and writes down what it used: `python -I -S stopwatch.py REPORT LOG COMMAND…`.

A process of its own because Linux counts the memory of whoever starts a process as the process's first peak: started
from the benchmark itself, which has held whole images, everything would look large. So nothing heavy is imported here.
"""

import os
import sys
import time


def main() -> int:
    report, log, *command = sys.argv[1:]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    empty = os.open(os.devnull, os.O_RDONLY)
    redirect = [(os.POSIX_SPAWN_DUP2, own, standard) for own, standard in ((empty, 0), (output, 1), (output, 2))]
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=redirect)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    cpu = usage.ru_utime + usage.ru_stime
    with open(report, "w") as file:
        file.write(f"{seconds:.6f} {cpu:.6f} {usage.ru_maxrss * 1024} {os.waitstatus_to_exitcode(status)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
