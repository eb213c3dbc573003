"""What every executor must do. A kind of executor is tested by a subclass that says how it is made."""

import asyncio
import os
import shutil
import socket
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from imagebuild_engine.host.executor import (
    BindMount,
    ExecutableMissing,
    Executor,
    ExecutorUnavailable,
    NotExecutable,
    NotPossibleHere,
    Process,
    ResourceLimit,
    StartFailed,
    StepTimedOut,
    Stream,
    TmpfsMount,
)
from imagebuild_engine.host.rootfs import User, scan

from tests.support.root import busybox

PATH = "PATH=/usr/local/bin:/bin"
_APPLETS = (
    "sh",
    "ls",
    "cat",
    "id",
    "kill",
    "mkdir",
    "mv",
    "sleep",
    "touch",
    "rm",
    "env",
    "pwd",
    "grep",
    "setsid",
    "head",
    "yes",
    "stat",
    "tr",
    "tty",
)


def sh(script: str, **options: object) -> Process:
    return Process(args=("sh", "-c", script), env=(PATH,), **options)  # type: ignore[arg-type]


class Said:
    """Collects output."""

    def __init__(self) -> None:
        self.lines: list[tuple[Stream, bytes]] = []

    def __call__(self, stream: Stream, line: bytes) -> None:
        self.lines.append((stream, line))

    @property
    def out(self) -> list[str]:
        return [line.decode() for stream, line in self.lines if stream is Stream.STDOUT]

    @property
    def err(self) -> list[str]:
        return [line.decode() for stream, line in self.lines if stream is Stream.STDERR]


def pids(marker: str) -> list[int]:
    """Living processes with the marker in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_bytes().rpartition(b")")[2].split()[0]
            except OSError:
                continue
            if marker.encode() in command and state != b"Z":
                found.append(int(entry.name))
    return found


def running(marker: str) -> list[str]:
    """Their command lines."""
    found = []
    for pid in pids(marker):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class ExecutorSuite:
    def make(self, directory: Path) -> Executor:
        raise NotImplementedError

    @pytest.fixture
    def executor(self, tmp_path: Path) -> Iterator[Executor]:
        yield self.make(tmp_path / "executor")
        assert str(tmp_path) not in Path("/proc/self/mounts").read_text(), "something is still mounted"
        left = [path for path in (tmp_path / "executor").rglob("*") if path.name not in {"state"}]
        assert left == [], "the executor left files"

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        root = tmp_path / "tree" / "1"
        root.mkdir(parents=True)
        self.furnish(root)
        return root

    @staticmethod
    def furnish(root: Path) -> None:
        """A small system with a shell."""
        (root / "bin").mkdir()
        shutil.copy(busybox(), root / "bin/busybox")
        for name in _APPLETS:
            (root / "bin" / name).symlink_to("busybox")
        (root / "etc").mkdir()
        (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n")
        (root / "tmp").mkdir()
        (root / "tmp").chmod(0o1777)

    same_inodes = True
    """Are the image's own files the very same ones after a step, and not only equal?"""

    async def output_of(self, executor: Executor, root: Path, process: Process) -> list[str]:
        said = Said()
        code = await executor.run(root, process, said)
        assert code == 0, said.lines
        return said.out

    # --- ends --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("code", [0, 1, 42, 127, 255])
    async def test_the_exit_code_is_the_steps(self, executor: Executor, root: Path, code: int) -> None:
        assert await executor.run(root, sh(f"exit {code}"), Said()) == code

    async def test_death_by_a_signal_is_128_and_its_number(self, executor: Executor, root: Path) -> None:
        assert await executor.run(root, sh("sh -c 'kill -9 $$'; exit $?"), Said()) == 137

    # --- what it finds -----------------------------------------------------------------------------------------

    async def test_the_environment_is_exactly_what_was_said(
        self, executor: Executor, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGEBUILD_SECRET_OF_THE_ENGINE", "must not leak")
        process = Process(args=("env",), env=(PATH, "A=1", "B=x = y", "A=2", "EMPTY="))
        assert sorted(await self.output_of(executor, root, process)) == sorted(
            [PATH, "A=2", "B=x = y", "EMPTY=", "HOME=/root"]
        )

    async def test_home_is_the_users_unless_it_was_said(self, executor: Executor, root: Path) -> None:
        app = User(1000, 1000, (), "/home/app")
        assert await self.output_of(executor, root, sh("echo $HOME", user=app)) == ["/home/app"]
        process = Process(args=("sh", "-c", "echo $HOME"), env=(PATH, "HOME=/other"), user=app)
        assert await self.output_of(executor, root, process) == ["/other"]

    async def test_no_descriptor_but_the_three(self, executor: Executor, root: Path, tmp_path: Path) -> None:
        leaked = os.open(tmp_path, os.O_RDONLY)
        os.set_inheritable(leaked, True)
        try:
            script = "for fd in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do"
            script += " if (: >&$fd) 2>/dev/null; then echo $fd; fi; done"
            assert set(await self.output_of(executor, root, sh(script))) <= {"0", "1", "2"}
        finally:
            os.close(leaked)

    async def test_stdin_is_empty_and_no_terminal(self, executor: Executor, root: Path) -> None:
        assert await self.output_of(executor, root, sh("cat; tty || true; echo end")) == ["not a tty", "end"]

    async def test_the_working_directory_is_made_if_it_is_missing(self, executor: Executor, root: Path) -> None:
        assert await self.output_of(executor, root, sh("pwd; touch here", cwd="/new/deep")) == ["/new/deep"]
        assert (root / "new/deep/here").exists()

    async def test_the_user_has_the_working_directory_that_was_made(self, executor: Executor, root: Path) -> None:
        process = sh("touch here; stat -c '%u %g %a' /new /new/deep", cwd="/new/deep", user=User(1000, 1001))
        assert await self.output_of(executor, root, process) == ["1000 1001 755", "1000 1001 755"]
        process = sh("stat -c '%u %g' /way /end", cwd="/way/../end", user=User(1000, 1001))
        assert await self.output_of(executor, root, process) == ["0 0", "1000 1001"]

    @pytest.mark.parametrize("cwd", ["/etc/passwd", "/etc/passwd/below", "/loop/below"])
    async def test_what_cannot_be_a_working_directory_is_the_images_fault(
        self, executor: Executor, root: Path, cwd: str
    ) -> None:
        (root / "loop").symlink_to("loop")
        with pytest.raises(StartFailed, match="working directory"):
            await executor.run(root, sh("true", cwd=cwd), Said())

    async def test_it_runs_as_the_user_with_the_groups(self, executor: Executor, root: Path) -> None:
        user = User(1000, 1001, (27, 100), "/home/app")
        said = await self.output_of(executor, root, sh("id -u; id -g; id -G; touch /tmp/mine", user=user))
        assert said[:2] == ["1000", "1001"]
        assert set(said[2].split()) == {"1001", "27", "100"}
        found = (root / "tmp/mine").stat()
        assert (found.st_uid, found.st_gid) == (1000, 1001)

    async def test_files_are_made_with_the_usual_umask(self, executor: Executor, root: Path) -> None:
        old = os.umask(0o077)
        try:
            await executor.run(root, sh("touch /f"), Said())
        finally:
            os.umask(old)
        assert (root / "f").stat().st_mode & 0o777 == 0o644

    async def test_dns_works_as_outside_and_hosts_has_localhost(self, executor: Executor, root: Path) -> None:
        script = "cat /etc/resolv.conf; echo ---; cat /etc/hosts"
        said = await self.output_of(executor, root, sh(script, extra_hosts=(("registry.test", "10.0.0.7"),)))
        split = said.index("---")
        assert said[:split] == Path("/etc/resolv.conf").read_text().splitlines()
        assert "127.0.0.1\tlocalhost" in said[split:]
        assert "10.0.0.7\tregistry.test" in said[split:]

    async def test_dev_null_swallows(self, executor: Executor, root: Path) -> None:
        assert await self.output_of(executor, root, sh("echo lost > /dev/null; cat < /dev/null; echo end")) == ["end"]

    # --- what it leaves ----------------------------------------------------------------------------------------

    async def test_nothing_of_the_executors_stays_in_the_tree(self, executor: Executor, root: Path) -> None:
        for name in ("proc", "dev", "sys"):
            (root / name).mkdir()
        before = {entry.path: (entry.mode, entry.mtime_ns) for entry in scan(root)}
        assert await executor.run(root, sh("true"), Said()) == 0
        assert {entry.path: (entry.mode, entry.mtime_ns) for entry in scan(root)} == before

    async def test_the_steps_own_changes_keep_their_times(self, executor: Executor, root: Path) -> None:
        before = (root / "etc").stat().st_mtime_ns
        assert await executor.run(root, sh("touch /etc/made-by-the-step; mkdir -p /proc/x /dev/y || true"), Said()) == 0
        assert (root / "etc").stat().st_mtime_ns > before
        assert (root / "etc/made-by-the-step").exists()

    async def test_the_images_own_resolv_conf_comes_back(self, executor: Executor, root: Path) -> None:
        (root / "etc/resolv.conf").write_text("# the image's own\n")
        (root / "etc/hosts").symlink_to("../run/hosts")
        before = (root / "etc/resolv.conf").stat()
        times = (root / "etc").stat().st_mtime_ns
        await executor.run(root, sh("cat /etc/resolv.conf /etc/hosts; true"), Said())
        after = (root / "etc/resolv.conf").stat()
        assert (root / "etc/resolv.conf").read_text() == "# the image's own\n"
        assert after.st_mtime_ns == before.st_mtime_ns
        assert after.st_ino == before.st_ino or not self.same_inodes
        assert os.readlink(root / "etc/hosts") == "../run/hosts"
        assert not (root / "run").exists()
        assert (root / "etc").stat().st_mtime_ns == times

    async def test_a_tree_without_etc_keeps_none(self, executor: Executor, root: Path) -> None:
        shutil.rmtree(root / "etc")
        await executor.run(root, sh("true"), Said())
        assert sorted(path.name for path in root.iterdir()) == ["bin", "dev", "proc", "sys", "tmp"]

    async def test_proc_dev_and_sys_are_left_empty_as_by_other_builders(self, executor: Executor, root: Path) -> None:
        await executor.run(root, sh("true"), Said())
        for name in ("proc", "dev", "sys"):
            assert list((root / name).iterdir()) == []
            assert stat.S_IMODE((root / name).stat().st_mode) == 0o755

    async def test_a_step_may_take_away_the_directories_in_which_files_were_put(
        self, executor: Executor, root: Path
    ) -> None:
        (root / "etc/hosts").write_text("# the image's own\n")
        await executor.run(root, sh("rm -rf /etc; mv /tmp /etc; true"), Said())
        await executor.run(root, sh("rm -rf /etc; touch /etc; true"), Said())
        assert await executor.run(root, sh("true"), Said()) == 0

    @pytest.mark.parametrize("kind", ["a directory", "a fifo", "a link to itself", "below a file"])
    async def test_odd_things_in_the_place_of_resolv_conf_stay_as_they_are(
        self, executor: Executor, root: Path, kind: str
    ) -> None:
        place = root / "etc/resolv.conf"
        match kind:
            case "a directory":
                (place / "inside").mkdir(parents=True)
            case "a fifo":
                os.mkfifo(place)
            case "a link to itself":
                place.symlink_to("resolv.conf")
            case _:
                shutil.rmtree(root / "etc")
                (root / "etc").touch()
        for name in ("proc", "dev", "sys"):
            (root / name).mkdir()
        before = {entry.path: (entry.kind, entry.mode, entry.mtime_ns) for entry in scan(root)}
        assert await executor.run(root, sh("true"), Said()) == 0
        assert {entry.path: (entry.kind, entry.mode, entry.mtime_ns) for entry in scan(root)} == before

    async def test_links_of_the_tree_do_not_lead_the_executor_out(
        self, executor: Executor, root: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        shutil.rmtree(root / "etc")
        (root / "etc").symlink_to(outside)
        (root / "work").symlink_to(outside)
        await executor.run(root, sh("touch /work/x; true", cwd="/work/deeper"), Said())
        assert list(outside.iterdir()) == []

    # --- starting ----------------------------------------------------------------------------------------------

    async def test_a_missing_executable_is_named(self, executor: Executor, root: Path) -> None:
        with pytest.raises(ExecutableMissing, match=r'"nonesuch".*not found in PATH'):
            await executor.run(root, Process(args=("nonesuch",), env=(PATH,)), Said())
        with pytest.raises(ExecutableMissing, match="/bin/nonesuch"):
            await executor.run(root, Process(args=("/bin/nonesuch",), env=(PATH,)), Said())

    async def test_path_is_searched_inside_the_tree_in_order(self, executor: Executor, root: Path) -> None:
        (root / "usr/local/bin").mkdir(parents=True)
        program = root / "usr/local/bin/tool"
        program.write_text("#!/bin/sh\necho local $0\n")
        program.chmod(0o755)
        (root / "bin/tool").write_text("#!/bin/sh\necho bin\n")
        (root / "bin/tool").chmod(0o755)
        process = Process(args=("tool",), env=(PATH,))
        assert await self.output_of(executor, root, process) == ["local /usr/local/bin/tool"]
        program.chmod(0o644)
        assert await self.output_of(executor, root, process) == ["bin"]

    async def test_an_executable_may_be_given_relative_to_the_working_directory(
        self, executor: Executor, root: Path
    ) -> None:
        process = Process(args=("./sh", "-c", "pwd"), env=(PATH,), cwd="/bin")
        assert await self.output_of(executor, root, process) == ["/bin"]

    async def test_what_the_kernel_will_not_run_says_why(self, executor: Executor, root: Path) -> None:
        (root / "bin/garbage").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
        (root / "bin/garbage").chmod(0o755)
        (root / "bin/orphan").write_text("#!/no/such/interpreter\n")
        (root / "bin/orphan").chmod(0o755)
        (root / "bin/plain").write_text("text")
        with pytest.raises(NotExecutable, match="exec format error"):
            await executor.run(root, Process(args=("garbage",), env=(PATH,)), Said())
        with pytest.raises(NotExecutable, match="interpreter"):
            await executor.run(root, Process(args=("orphan",), env=(PATH,)), Said())
        with pytest.raises(NotExecutable, match="permission denied"):
            await executor.run(root, Process(args=("/bin/plain",), env=(PATH,)), Said())

    async def test_a_null_byte_is_the_users_mistake(self, executor: Executor, root: Path) -> None:
        with pytest.raises(StartFailed, match="null byte"):
            await executor.run(root, sh("echo a\0b"), Said())

    async def test_signals_mean_to_the_step_what_they_always_mean(self, executor: Executor, root: Path) -> None:
        """Python ignores SIGPIPE; a step that inherited that would print complaints for ever."""
        said = Said()
        await executor.run(root, sh("{ yes; echo $? >&2; } | head -n 1"), said)
        assert said.err == ["141"]

    async def test_a_step_runs_with_ordinary_priority(self, executor: Executor, root: Path) -> None:
        task = asyncio.create_task(executor.run(root, sh("exec sleep 76.0001", timeout=3), Said()))
        found: list[int] = []
        while not found and not task.done():
            await asyncio.sleep(0.02)
            found = [pid for pid in pids("76.0001") if Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]
        assert os.sched_getscheduler(found[0]) == os.SCHED_OTHER
        assert os.getpriority(os.PRIO_PROCESS, found[0]) == os.getpriority(os.PRIO_PROCESS, 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_long_arguments_pass(self, executor: Executor, root: Path) -> None:
        process = Process(args=("sh", "-c", "echo ${#1}", "sh", "x" * 100_000), env=(PATH, "BIG=" + "y" * 100_000))
        assert await self.output_of(executor, root, process) == ["100000"]

    # --- limits ------------------------------------------------------------------------------------------------

    async def test_resource_limits_are_the_steps(self, executor: Executor, root: Path) -> None:
        limits = (
            ResourceLimit(name="nofile", soft=123, hard=456),
            ResourceLimit(name="core", soft=0, hard=0),
            ResourceLimit(name="cpu", soft=-1, hard=-1),
        )
        script = "ulimit -n; ulimit -Hn; ulimit -c; ulimit -t"
        assert await self.output_of(executor, root, sh(script, limits=limits)) == ["123", "456", "0", "unlimited"]

    async def test_a_limit_that_nobody_may_have_is_refused(self, executor: Executor, root: Path) -> None:
        limits = (ResourceLimit(name="nofile", soft=1 << 40, hard=1 << 40),)
        with pytest.raises(NotPossibleHere, match="--ulimit"):
            await executor.run(root, sh("true", limits=limits), Said())

    # --- output ------------------------------------------------------------------------------------------------

    async def test_lines_come_in_order_on_their_streams_while_the_step_runs(
        self, executor: Executor, root: Path
    ) -> None:
        arrived: list[tuple[float, Stream, bytes]] = []
        script = "echo one; sleep 0.4; echo two >&2; sleep 0.4; printf three"
        started = time.monotonic()
        await executor.run(root, sh(script), lambda *line: arrived.append((time.monotonic() - started, *line)))
        assert [line for _, *line in arrived] == [
            [Stream.STDOUT, b"one"],
            [Stream.STDERR, b"two"],
            [Stream.STDOUT, b"three"],
        ]
        assert arrived[1][0] - arrived[0][0] > 0.2

    async def test_bytes_that_are_no_text_pass(self, executor: Executor, root: Path) -> None:
        said = Said()
        await executor.run(root, sh(r"printf '\377\n\r\n\nend'"), said)
        assert [line for _, line in said.lines] == [b"\xff", b"", b"", b"end"]

    async def test_much_output_takes_little_memory(self, executor: Executor, root: Path) -> None:
        import tracemalloc

        count = Counter[str]()

        def add(stream: Stream, line: bytes) -> None:
            count["bytes"] += len(line) + 1
            count["longest"] = max(count["longest"], len(line))

        tracemalloc.start()
        script = "yes 0123456789012345678901234567890123456789 | head -c 9000000; yes '' | head -c 4000000 | tr '\\n' -"
        assert await executor.run(root, sh(script), add) == 0
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count["bytes"] >= 13_000_000
        assert count["longest"] <= 1 << 16
        assert peak < 3_000_000

    async def test_a_failing_callback_ends_the_step(self, executor: Executor, root: Path) -> None:
        def fail(stream: Stream, line: bytes) -> None:
            raise ValueError("nobody listens")

        with pytest.raises(ValueError, match="nobody listens"):
            await executor.run(root, sh("echo x; exec sleep 31.0071"), fail)
        assert running("31.0071") == []

    # --- killing -----------------------------------------------------------------------------------------------

    async def test_a_daemon_does_not_survive_its_step(self, executor: Executor, root: Path) -> None:
        script = "setsid sh -c 'sleep 77.0001 & sleep 77.0002' >/dev/null 2>&1 & (setsid sleep 77.0003 &) ; sleep 0.1"
        assert await executor.run(root, sh(script), Said()) == 0
        assert running("77.000") == []

    async def test_a_daemon_that_holds_the_output_does_not_hold_the_step(self, executor: Executor, root: Path) -> None:
        async with asyncio.timeout(60):
            assert await executor.run(root, sh("sleep 78.0001 & echo started"), Said()) == 0
        assert running("78.000") == []

    async def test_a_step_that_is_too_slow_is_killed_with_all_its_children(
        self, executor: Executor, root: Path
    ) -> None:
        script = "trap '' TERM; (trap '' TERM; setsid sleep 79.0001) & sleep 79.0002; sleep 79.0003; echo never"
        said = Said()
        with pytest.raises(StepTimedOut, match=r"0\.5 s"):
            await executor.run(root, sh(script, timeout=0.5), said)
        assert "never" not in said.out
        assert running("79.000") == []

    async def test_cancelling_gives_time_for_sigterm(self, executor: Executor, root: Path) -> None:
        said = Said()
        script = "trap 'echo tidied; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
        task = asyncio.create_task(executor.run(root, sh(script), said))
        while "ready" not in said.out and not task.done():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "tidied" in said.out

    async def test_a_second_cancel_does_not_cut_the_first_short(self, executor: Executor, root: Path) -> None:
        """A terminal's Ctrl-C comes twice where a parent passes it on."""
        said = Said()
        script = "trap '' TERM; sleep 83.0001 & echo ready; sleep 83.0002; sleep 83.0003"
        task = asyncio.create_task(executor.run(root, sh(script), said))
        while "ready" not in said.out and not task.done():
            await asyncio.sleep(0.02)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert running("83.000") == []

    async def test_a_step_that_starts_processes_for_ever_is_ended(self, executor: Executor, root: Path) -> None:
        """One after the other: what doubles each time would take the machine with it where the kernel counts nobody."""
        script = "while true; do sleep 80.0001 & done"
        with suppress(StepTimedOut):
            assert await executor.run(root, sh(script, timeout=0.3, pids_limit=200), Said()) != 0
        assert running("80.000") == []

    async def test_a_step_cannot_get_away_by_killing_who_watches_over_it(self, executor: Executor, root: Path) -> None:
        script = "(setsid sleep 82.0001 &); kill -9 $PPID; sleep 82.0002; sleep 82.0003"
        with suppress(StepTimedOut, ExecutorUnavailable):
            assert await executor.run(root, sh(script, timeout=1), Said()) != 0
        assert running("82.000") == []
        assert await executor.run(root, sh("exit 3"), Said()) == 3

    async def test_steps_run_side_by_side(self, executor: Executor, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "tree" / "2"
        shutil.copytree(root, other, symlinks=True)
        said: list[bytes] = []
        script = "echo begun; sleep 2; echo ended; exit"
        codes = await asyncio.gather(
            *(
                executor.run(tree, sh(f"{script} {code}"), lambda _stream, line: said.append(line))
                for code, tree in ((1, root), (2, other))
            )
        )
        assert codes == [1, 2]
        assert said == [b"begun", b"begun", b"ended", b"ended"]


class MountingSuite(ExecutorSuite):
    """For executors that can mount."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        """A directory with a file, which is no part of the tree."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "file").write_text("from outside\n")
        return outside

    def names(self, root: Path) -> list[bytes]:
        return [entry.path for entry in scan(root)]

    async def test_directories_files_and_sockets_are_bound(self, executor: Executor, root: Path, outside: Path) -> None:
        listening = socket.socket(socket.AF_UNIX)
        # By a short name: a socket's may have 107 bytes, and temporary directories can lie deep.
        directory = os.open(outside, os.O_PATH)
        listening.bind(f"/proc/self/fd/{directory}/s")
        os.close(directory)
        mounts = (
            BindMount(source=outside, destination="/new/dir", readonly=False),
            BindMount(source=outside / "file", destination="/etc/passwd"),
            BindMount(source=outside / "s", destination="/run/s"),
        )
        script = "cat /new/dir/file /etc/passwd; test -S /run/s && echo socket; touch /new/dir/made"
        with listening:
            said = await self.output_of(executor, root, sh(script, mounts=mounts))
        assert said == ["from outside", "from outside", "socket"]
        assert (outside / "made").exists()
        assert not (root / "new").exists()
        assert not (root / "run").exists()
        assert "root:x" in (root / "etc/passwd").read_text()

    async def test_what_is_read_only_cannot_be_changed(self, executor: Executor, root: Path, outside: Path) -> None:
        mounts = (
            BindMount(source=outside, destination="/d"),
            BindMount(source=outside / "file", destination="/f"),
            TmpfsMount(destination="/t", readonly=True),
        )
        script = "for f in /d/x /d/file /f /t/x; do ! (echo x > $f) 2>/dev/null && echo refused; done"
        assert await self.output_of(executor, root, sh(script, mounts=mounts)) == ["refused"] * 4
        assert (outside / "file").read_text() == "from outside\n"

    async def test_a_tmpfs_has_its_size_and_the_mode_of_what_it_covers(self, executor: Executor, root: Path) -> None:
        (root / "var").mkdir(mode=0o750)
        (root / "var/file").touch()
        mounts = (
            TmpfsMount(destination="/var", size=1 << 20),
            TmpfsMount(destination="/new"),
            TmpfsMount(destination="/dev/shm", size=2 << 20),
        )
        script = "stat -c %a /var /new /dev/shm; ls -A /var; grep -E '(/var|/dev/shm) ' /proc/mounts"
        said = await self.output_of(executor, root, sh(script, mounts=mounts))
        assert said[:3] == ["750", "1777", "1777"]
        assert len(said) == 5, "one /dev/shm only"
        sizes = {line.split()[1]: line for line in said[3:]}
        assert "size=1024k" in sizes["/var"]
        assert "size=2048k" in sizes["/dev/shm"]
        assert (root / "var/file").exists()

    async def test_mounts_come_one_on_the_other(self, executor: Executor, root: Path, outside: Path) -> None:
        mounts = (
            TmpfsMount(destination="/a"),
            BindMount(source=outside, destination="/a/b/c"),
            TmpfsMount(destination="/dev/own"),
            BindMount(source=outside / "file", destination="/etc/hosts"),
        )
        script = "cat /a/b/c/file /etc/hosts; test -d /dev/own && echo own"
        said = await self.output_of(executor, root, sh(script, mounts=mounts))
        assert said == ["from outside", "from outside", "own"]
        assert not (root / "a").exists()
        assert not (root / "etc/hosts").exists()

    async def test_links_of_the_tree_do_not_lead_a_mount_out(
        self, executor: Executor, root: Path, outside: Path, tmp_path: Path
    ) -> None:
        victim = tmp_path / "victim"
        victim.mkdir()
        (root / "absolute").symlink_to(victim)
        (root / "relative").symlink_to("../" * 20 + str(victim)[1:])
        (root / "proc-link").symlink_to("/proc/self/root")
        mounts = tuple(
            BindMount(source=outside, destination=f"/{name}/m", readonly=False) for name in ("absolute", "relative")
        )
        assert await self.output_of(executor, root, sh("ls /absolute/m /relative/m | grep -c file", mounts=mounts)) == [
            "2"
        ]
        assert list(victim.iterdir()) == []
        assert not (root / str(victim)[1:]).exists()

    async def test_names_that_the_step_has_filled_stay(self, executor: Executor, root: Path) -> None:
        mounts = (TmpfsMount(destination="/a/b/c"), TmpfsMount(destination="/x/y"))
        await executor.run(root, sh("touch /a/f /a/b/c/lost", mounts=mounts), Said())
        assert [path.name for path in (root / "a").iterdir()] == ["f"]
        assert not (root / "x").exists()

    async def test_a_name_that_the_step_left_empty_goes_and_one_with_content_stays(
        self, executor: Executor, root: Path, outside: Path
    ) -> None:
        """The same, whoever made it: as BuildKit has it."""
        mounts = (BindMount(source=outside / "file", destination="/a/f"), TmpfsMount(destination="/b/d"))
        script = "mv /a /moved; mkdir /a; echo own > /a/f; mv /b /c; mkdir -p /b/d"
        await executor.run(root, sh(script, mounts=mounts), Said())
        assert (root / "a/f").read_text() == "own\n"
        assert (root / "moved/f").exists()
        assert (root / "c/d").exists()
        assert not (root / "b").exists()

    async def test_times_are_as_if_nothing_had_been_mounted(self, executor: Executor, root: Path) -> None:
        (root / "etc/deep").mkdir()
        for name in ("proc", "dev", "sys"):
            (root / name).mkdir()
        before = {entry.path: entry.mtime_ns for entry in scan(root)}
        mounts = (TmpfsMount(destination="/etc/deep/new/a"), TmpfsMount(destination="/top"))
        await executor.run(root, sh("true", mounts=mounts), Said())
        assert {entry.path: entry.mtime_ns for entry in scan(root)} == before

    async def test_a_directory_does_not_go_on_a_file(self, executor: Executor, root: Path, outside: Path) -> None:
        for destination in ("/etc/passwd", "/etc/passwd/below"):
            mounts = (BindMount(source=outside, destination=destination),)
            with pytest.raises(StartFailed, match=destination):
                await executor.run(root, sh("true", mounts=mounts), Said())

    async def test_a_mount_that_does_not_fit_into_another_is_the_steps_fault(
        self, executor: Executor, root: Path, outside: Path
    ) -> None:
        mounts = (BindMount(source=outside, destination="/d"), TmpfsMount(destination="/d/missing"))
        with pytest.raises(StartFailed, match="cannot be made"):
            await executor.run(root, sh("true", mounts=mounts), Said())
        assert [path.name for path in outside.iterdir()] == ["file"]

    async def test_the_program_may_be_in_a_mount(self, executor: Executor, root: Path, tmp_path: Path) -> None:
        tools = tmp_path / "tools"
        tools.mkdir()
        (tools / "tool").write_text("#!/bin/sh\necho from a mount\n")
        (tools / "tool").chmod(0o755)
        mounts = (BindMount(source=tools, destination="/tools"),)
        for args in (("/tools/tool",), ("tool",)):
            process = Process(args=args, env=("PATH=/bin:/tools",), mounts=mounts)
            assert await self.output_of(executor, root, process) == ["from a mount"]
        with pytest.raises(ExecutableMissing):
            await executor.run(root, Process(args=("nonesuch",), env=(PATH,), mounts=mounts), Said())
        with pytest.raises(StartFailed):
            await executor.run(root, Process(args=("/tools/nonesuch",), env=(PATH,), mounts=mounts), Said())

    async def test_the_environment_is_on_no_disk_that_others_can_read(
        self, executor: Executor, root: Path, tmp_path: Path
    ) -> None:
        task = asyncio.create_task(executor.run(root, sh("exec sleep 83.0001", timeout=20), Said()))
        try:
            while not running("sleep\x0083.0001"):
                assert not task.done()
                await asyncio.sleep(0.02)
            (config,) = (tmp_path / "executor").glob("run-*/config.json")
            assert stat.S_IMODE(config.stat().st_mode) == 0o600
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
