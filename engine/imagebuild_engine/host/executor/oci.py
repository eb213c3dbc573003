"""Steps by an OCI runtime: namespaces, fresh /proc and /dev, masked paths, docker's capabilities.

A run is: executable looked up → mount points made in the tree → bundle (config.json, files to bind) → `runtime run` →
container deleted → mount points taken out again. The runtime runs below the supervisor: with a pid namespace the step's
first process takes all others with it when it ends, but without one (no fresh proc here) somebody must see to that, and
if the engine dies the runtime would go on.
"""

import asyncio
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..rootfs import Tree, clean
from .environment import (
    HOSTS,
    MOUNT_POINTS,
    RESOLV_CONF,
    environment,
    find_executable,
    hosts_file,
    make_working_directory,
    resolv_conf,
)
from .errors import (
    ExecutableMissing,
    ExecutorError,
    ExecutorUnavailable,
    NotExecutable,
    NotPossibleHere,
    StartFailed,
)
from .limits import TOO_HIGH
from .mount_points import asked_mounts
from .oci_mounts import Spec, file_mount
from .oci_spec import Surroundings, make_config
from .privileges import own_privileges
from .process import Output, Process, Stream
from .runtime import Runtime
from .stubs import Stubs
from .subprocesses import uninterrupted
from .supervised import as_ourselves, run_supervised, start_supervisor

_NO_LINKS = (b"proc", b"sys")
"""Runtimes refuse to mount these behind a symbolic link."""
_LOG_LIMIT = 1 << 16


class OciExecutor:
    """`directory` holds bundles and the runtime's state. `grace`: seconds between SIGTERM and SIGKILL."""

    name = "oci"
    can_mount = True

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
        self._refuse_what_is_impossible(process)
        self._directory.mkdir(parents=True, exist_ok=True)
        bundle = Path(tempfile.mkdtemp(prefix="run-", dir=self._directory))
        try:
            with Tree(root) as tree, Stubs(tree) as stubs:
                targets = [clean(mount.destination) for mount in process.mounts]
                for path in (RESOLV_CONF, HOSTS, *targets):
                    stubs.note_missing(path)
                # The path that was found goes to the runtime, the name as written stays argument zero where it can.
                executable = find_executable(tree, process)
                make_working_directory(tree, process)
                for path in MOUNT_POINTS:
                    place = stubs.mount_point(path, directory=True)
                    if place is None or (path in _NO_LINKS and place != path):
                        raise StartFailed(executable, f"the image's /{path.decode()} is not a directory")
                name = f"imagebuild-{uuid.uuid4().hex[:16]}"
                mounts = (*self._files(bundle, process, stubs), *asked_mounts(process, stubs))
                self._write_bundle(bundle, name, root, process, mounts)
                stubs.ready()
                return await self._run(bundle, name, process, executable, output)
        finally:
            await asyncio.to_thread(shutil.rmtree, bundle, ignore_errors=True)

    def _refuse_what_is_impossible(self, process: Process) -> None:
        parent = process.cgroup_parent
        if not parent:
            return
        if not self._surroundings.cgroups:
            raise NotPossibleHere(self.name, "a cgroup of the step's own (--cgroup-parent)")
        if ".slice" in parent and parent.endswith(":"):
            raise NotPossibleHere(self.name, "a slice of systemd as --cgroup-parent (give a path)")
        if ".." in parent.split("/") or "\0" in parent:
            raise NotPossibleHere(self.name, f'the cgroup "{parent!r:.100}", which leads out of the builder\'s,')

    def _files(self, bundle: Path, process: Process, stubs: Stubs) -> list[Spec]:
        """Files of ours over those of the tree."""
        mounts = []
        for file, path, content in (
            ("resolv.conf", RESOLV_CONF, resolv_conf()),
            ("hosts", HOSTS, hosts_file(process)),
        ):
            point = stubs.mount_point(path, directory=False)
            if point is not None:
                place = bundle / file
                place.write_bytes(content)
                place.chmod(0o644)
                mounts.append(file_mount(place, point))
        bundle.chmod(0o711)
        return mounts

    def _write_bundle(self, bundle: Path, name: str, root: Path, process: Process, mounts: tuple[Spec, ...]) -> None:
        config = make_config(
            process,
            env=environment(process),
            root=root,
            name=name,
            mounts=mounts,
            surroundings=self._surroundings,
            pids_limit=process.pids_limit or self._pids_limit,
            privileges=own_privileges() if process.insecure else None,
        )
        # Secrets may be in the environment: the file is closed to others from its first byte on.
        fd = os.open(bundle / "config.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(config, file)

    async def _run(self, bundle: Path, name: str, process: Process, executable: str, output: Output) -> int:
        log = bundle / "log.json"
        witness = _Witness(output)
        command = self._runtime.command(self._directory / "state", log, cgroups=self._surroundings.cgroups)
        run = [*command, "run", "--bundle", str(bundle), name]
        delete = [*command, "delete", "--force", name]
        spec = as_ourselves(run, run[0], [f"{key}={value}" for key, value in _RUNTIME_ENV.items()], "/") | {
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


_OF_THE_MOUNTS = ("read-only file system", "not a directory", "is a directory", "too many levels of symbolic links")
"""What a runtime says of mounts that lie in each other and do not fit."""


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
    if "rlimit" in lowered:
        return NotPossibleHere(executor, TOO_HIGH)
    if "mount" in lowered and any(text in lowered for text in _OF_THE_MOUNTS):
        return StartFailed(name, f"a mount of the step cannot be made: {message}")
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
