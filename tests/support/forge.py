"""A process that has imported `imagebuild` and becomes the program as often as asked, by forking: see `forked.py`.

    python -m tests.support.forge CONTROL

CONTROL is the number of a socket. Each message on it carries four descriptors: a connection, and what is standard
input, output and error of one run. On the connection comes one JSON line (arguments, environment, directory) and goes
the exit code as a line; if its other end closes before, the run is killed. The forge ends when CONTROL does.
"""

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
from importlib import import_module
from typing import Any

from tests.support.program import PROGRAM

_MESSAGE = 1
_DESCRIPTORS = 4


def serve(control: socket.socket) -> None:
    _import_all()
    waiting: set[int] = set()
    while True:
        _, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        waiting -= {process for process in waiting if os.waitpid(process, os.WNOHANG if descriptors else 0)[0]}
        if not descriptors:
            return
        process = os.fork()
        if process == 0:
            control.close()
            _wait_for(socket.socket(fileno=descriptors[0]), descriptors[1:])
        waiting.add(process)
        for descriptor in descriptors:
            os.close(descriptor)


def _import_all() -> None:
    """What a run would import on its way; the memory of it is shared by all runs."""
    import imagebuild_engine

    for module in pkgutil.walk_packages(imagebuild_engine.__path__, "imagebuild_engine."):
        import_module(module.name)
    import_module("httpx")
    gc.freeze()


def _wait_for(connection: socket.socket, standard: list[int]) -> None:
    """One run, as long as somebody waits for it; never returns."""
    with connection.makefile("rb") as file:
        order = json.loads(file.readline())
    worker = os.fork()
    if worker == 0:
        connection.close()
        _become_the_program(order, standard)
    ended = os.pidfd_open(worker)
    ready, _, _ = select.select([ended, connection], [], [])
    if ended not in ready:
        os.kill(worker, signal.SIGKILL)
    _, status = os.waitpid(worker, 0)
    if ended in ready:
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become_the_program(order: dict[str, Any], standard: list[int]) -> None:
    """Never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(order["directory"])
        os.environ.clear()
        os.environ.update(order["environment"])
        tempfile.tempdir = None
        for number, descriptor in enumerate(standard):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.argv = [PROGRAM, *order["arguments"]]
        from imagebuild_engine.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
