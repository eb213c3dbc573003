"""Steps by an OCI runtime: namespaces, fresh /proc and /dev, masked paths, docker's capabilities.

A run is: executable looked up → mount points made in the tree → bundle (config.json, files to bind) → `runtime run` →
container deleted → mount points taken out again. The runtime runs below the supervisor: with a pid namespace the step's
first process takes all others with it when it ends, but without one (no fresh proc here) somebody must see to that, and
if the engine dies the runtime would go on.
"""

import asyncio
import json
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..rootfs import Tree
from .environment import (
    HOSTS,
    RESOLV_CONF,
    environment,
    find_executable,
    hosts_file,
    make_working_directory,
    resolv_conf,
)
from .errors import ExecutableMissing, ExecutorError, ExecutorUnavailable, NotExecutable, StartFailed
from .oci_spec import Surroundings, make_config
from .process import Output, Process, Stream
from .runtime import Runtime
from .stubs import Stubs
from .subprocesses import uninterrupted
from .supervised import run_supervised, start_supervisor

_MOUNT_POINTS = (b"proc", b"dev", b"sys")
_NO_LINKS = (b"proc", b"sys")
"""Runtimes refuse to mount these behind a symbolic link."""
_LOG_LIMIT = 1 << 16


class OciExecutor:
    """`directory` holds bundles and the runtime's state. `grace`: seconds between SIGTERM and SIGKILL."""

    name = "oci"

    def __init__(
        self,
        runtime: Runtime,
        directory: Path | str,
        *,
        surroundings: Surroundings,
        grace: float = 3.0,
        pids_limit: int = 8192,
    ) -> None:
        self._runtime = runtime
        self._directory = Path(directory)
        self._surroundings = surroundings
        self._grace = grace
        self._pids_limit = pids_limit
        start_supervisor()

    def __repr__(self) -> str:
        return f"<OciExecutor {self._runtime.kind} {self._runtime.version}>"

    async def run(self, root: Path, process: Process, output: Output) -> int:
        self._directory.mkdir(parents=True, exist_ok=True)
        bundle = Path(tempfile.mkdtemp(prefix="run-", dir=self._directory))
        try:
            with Tree(root) as tree:
                # The path that was found goes to the runtime, the name as written stays argument zero where it can.
                executable = find_executable(tree, process)
                make_working_directory(tree, process)
                with Stubs(tree) as stubs:
                    for path in _MOUNT_POINTS:
                        place = stubs.mount_point(path, directory=True)
                        if place is None or (path in _NO_LINKS and place != path):
                            raise StartFailed(executable, f"the image's /{path.decode()} is not a directory")
                    name = f"imagebuild-{uuid.uuid4().hex[:16]}"
                    self._write_bundle(bundle, name, root, process, stubs)
                    stubs.ready()
                    return await self._run(bundle, name, process, executable, output)
        finally:
            await asyncio.to_thread(shutil.rmtree, bundle, ignore_errors=True)

    def _write_bundle(self, bundle: Path, name: str, root: Path, process: Process, stubs: Stubs) -> None:
        files = []
        for file, path, content in (
            ("resolv.conf", RESOLV_CONF, resolv_conf()),
            ("hosts", HOSTS, hosts_file(process)),
        ):
            point = stubs.mount_point(path, directory=False)
            if point is not None:
                place = bundle / file
                place.write_bytes(content)
                place.chmod(0o644)
                files.append((place, point))
        bundle.chmod(0o711)
        config = make_config(
            process,
            env=environment(process),
            root=root,
            name=name,
            files=tuple(files),
            surroundings=self._surroundings,
            pids_limit=process.pids_limit or self._pids_limit,
        )
        (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")

    async def _run(self, bundle: Path, name: str, process: Process, executable: str, output: Output) -> int:
        log = bundle / "log.json"
        witness = _Witness(output)
        command = self._runtime.command(self._directory / "state", log, cgroups=self._surroundings.cgroups)
        run = [*command, "run", "--bundle", str(bundle), name]
        delete = [*command, "delete", "--force", name]
        spec = {
            "args": run,
            "executable": run[0],
            "env": [f"{key}={value}" for key, value in _RUNTIME_ENV.items()],
            "cwd": "/",
            "root": None,
            "uid": None,
            "gid": None,
            "groups": None,
            "capabilities": None,
            "processes": 0,
            # Where there is no cgroup to count them; the runtime's own come on top.
            "at_most": 0 if self._surroundings.cgroups else (process.pids_limit or self._pids_limit) + 16,
            "afterwards": delete,
        }
        try:
            code = await run_supervised(self.name, spec, witness, timeout=process.timeout, grace=self._grace)
        finally:
            # `run` deletes the container when it ends; not if it was killed.
            if (self._directory / "state" / name).exists():
                await uninterrupted(_call(delete))
        if code and (message := _last_error(log) or (witness.exec_error(executable) if code == 255 else "")):
            raise _translate(self.name, message, process.args[0], executable)
        return code


_RUNTIME_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class _Witness:
    """Hands output on and remembers a first and only line: runc's last word when exec itself fails is said there."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._count = 0
        self._line = b""

    def __call__(self, stream: Stream, line: bytes) -> None:
        self._count += 1
        if self._count == 1 and stream is Stream.STDERR:
            self._line = line[:4096]
        self._output(stream, line)

    def exec_error(self, executable: str) -> str:
        line = self._line.decode(errors="replace")
        return line if self._count == 1 and line.startswith(f"exec {executable}: ") else ""


def _last_error(log: Path) -> str:
    """The runtime's own errors are in its log; a step that merely fails writes none there."""
    try:
        with log.open("rb") as file:
            lines = file.read(_LOG_LIMIT).splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("level") in {"error", "fatal"}:
            return str(entry.get("msg", ""))
    return ""


def _translate(executor: str, message: str, name: str, executable: str) -> ExecutorError:
    lowered = message.lower()
    if "exec format error" in lowered:
        return NotExecutable(name, "exec format error (another architecture, or a script without #!)")
    if "executable file" in lowered and "not found" in lowered:
        return ExecutableMissing(name)
    if "exec" in lowered and executable.lower() in lowered and "no such file" in lowered:
        return NotExecutable(name, "its interpreter is not in the image")
    if "exec" in lowered and "permission denied" in lowered and name.lower() in lowered:
        return NotExecutable(name, "permission denied")
    if "argument list too long" in lowered:
        return StartFailed(name, "arguments and environment are too long")
    return ExecutorUnavailable(executor, message)


async def _call(command: Sequence[str]) -> None:
    """A call of the runtime whose failure means that there was nothing to do."""
    with suppress(OSError, TimeoutError):
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=_RUNTIME_ENV,
        )
        try:
            await asyncio.wait_for(child.wait(), 20)
        except TimeoutError:
            child.kill()
            await child.wait()


def surroundings_with(base: Surroundings, runtime: Runtime, profile: dict[str, object]) -> Surroundings:
    """The filter is set only where the runtime can: one built without seccomp refuses to start with it."""
    return replace(base, seccomp=profile) if runtime.seccomp else base
