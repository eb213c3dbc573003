"""A process that has imported `imagebuild` and forks for every build: python -m tests.interop.forge SOCKET.

A client connects, sends one JSON line (arguments, environment, the file for what is printed) and gets the exit code as
a line. If it leaves before, the build is killed.
"""

import json
import os
import select
import signal
import socket
import sys
from importlib import import_module
from typing import Any

_IMPORTED = ("imagebuild_engine.cli", "imagebuild_engine.build", "imagebuild_engine.build.progress")


def serve(path: str) -> None:
    for name in _IMPORTED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _build(connection)
            connection.close()


def _build(connection: socket.socket) -> None:
    """One build, waited for; never returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with connection.makefile("rb") as file:
        order = json.loads(file.readline())
    worker = os.fork()
    if worker == 0:
        connection.close()
        _work(order)
    ended = os.pidfd_open(worker)
    ready, _, _ = select.select([ended, connection], [], [])
    if ended not in ready:
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _work(order: dict[str, Any]) -> None:
    """Become the program; never returns."""
    os.setsid()
    os.environ.clear()
    os.environ.update(order["environment"])
    printed = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(printed, descriptor)
    sys.argv = ["imagebuild", *order["arguments"]]
    code = 1
    try:
        from imagebuild_engine.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
