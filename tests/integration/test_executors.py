"""Executors on real processes: an OCI runtime with and without a /proc of its own, chroot, and what they differ in."""

import asyncio
import os
import stat
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from imagebuild_engine.host.executor import (
    ChrootExecutor,
    Executor,
    ExecutorUnavailable,
    Network,
    NotPossibleHere,
    OciExecutor,
    StartFailed,
    StepTimedOut,
    TmpfsMount,
    probe,
)
from imagebuild_engine.host.executor.oci_spec import Surroundings
from imagebuild_engine.host.executor.seccomp import seccomp_profile
from imagebuild_engine.host.rootfs import User, scan
from imagebuild_engine.host.rootfs.namespace import in_user_namespace
from imagebuild_engine.host.rootfs.syscalls import mount, umount
from imagebuild_engine.host.snapshots import OverlaySnapshotter

from tests.conformance.executors import PATH, ExecutorSuite, MountingSuite, Said, running, sh
from tests.support.root import needs_root
from tests.support.runtimes import runtime

pytestmark = [pytest.mark.root, needs_root]


def oci(directory: Path, *, fresh_proc: bool = True, cgroups: bool | None = None) -> OciExecutor:
    found = runtime()
    may = probe(directory).cgroups if cgroups is None else cgroups
    profile = seccomp_profile() if found.seccomp else None
    surroundings = Surroundings(user_namespace=in_user_namespace(), fresh_proc=fresh_proc, cgroups=may, seccomp=profile)
    return OciExecutor(found, directory, surroundings=surroundings, grace=0.5)


class OnOverlay(ExecutorSuite):
    """The tree is what builds on overlayfs have: a mount of its own, with the image in its lower layer."""

    same_inodes = False

    @pytest.fixture
    def root(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        snapshots = OverlaySnapshotter(tmp_path_factory.mktemp("snapshots"))
        self.furnish(snapshots.prepare("base", None))
        snapshots.commit("base", "base")
        yield snapshots.prepare("step", "base")
        snapshots.close()


class TestOci(MountingSuite):
    def make(self, directory: Path) -> Executor:
        return oci(directory)

    async def test_it_sees_only_its_own_processes(self, executor: Executor, root: Path) -> None:
        said = await self.output_of(executor, root, sh("cat /proc/1/cmdline | head -c 2; echo; ls -d /proc/[0-9]*"))
        assert said[0] == "sh"
        assert len(said) < 6

    async def test_it_has_dockers_capabilities(self, executor: Executor, root: Path) -> None:
        said = await self.output_of(executor, root, sh("grep -E 'Cap(Eff|Bnd|Prm|Inh|Amb)' /proc/self/status"))
        values = {line.split(":")[0]: line.split()[1] for line in said}
        assert values["CapEff"] == values["CapBnd"] == values["CapPrm"] == "00000000a80425fb"
        assert values["CapInh"] == values["CapAmb"] == "0" * 16

    async def test_a_user_has_no_capabilities(self, executor: Executor, root: Path) -> None:
        process = sh("grep CapEff /proc/self/status", user=User(1000, 1000))
        assert await self.output_of(executor, root, process) == ["CapEff:\t0000000000000000"]

    async def test_secrets_of_the_kernel_are_masked(self, executor: Executor, root: Path) -> None:
        said = Said()
        script = "cat /proc/kcore | head -c 1; echo x > /proc/sys/kernel/hostname; echo y > /sys/kernel/uevent_helper"
        assert await executor.run(root, sh(script), said) != 0
        assert "Read-only" in " ".join(said.err)
        assert said.out == []

    async def test_a_step_without_network_has_only_loopback(self, executor: Executor, root: Path) -> None:
        process = sh("ls /sys/class/net", network=Network.NONE)
        assert await self.output_of(executor, root, process) == ["lo"]

    async def test_its_host_name_is_its_own(self, executor: Executor, root: Path) -> None:
        said = await self.output_of(executor, root, sh("cat /proc/sys/kernel/hostname", hostname="builder"))
        assert said == ["builder"]

    async def test_what_is_dangerous_is_refused(self, executor: Executor, root: Path) -> None:
        (root / "bin/unshare").symlink_to("busybox")
        (root / "bin/mount").symlink_to("busybox")
        said = Said()
        assert await executor.run(root, sh("unshare -U true || mount -t tmpfs x /tmp"), said) != 0
        assert "not permitted" in " ".join(said.err)

    async def test_with_all_privileges_it_has_what_the_engine_has(self, executor: Executor, root: Path) -> None:
        (root / "bin/mount").symlink_to("busybox")
        own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff"))
        script = "grep CapEff /proc/self/status; mount -t tmpfs x /tmp && echo mounted; test -w /proc/sys && echo open"
        for user in (User(), User(1000, 1000)):
            said = Said()
            await executor.run(root, sh(script, insecure=True, user=user), said)
            assert said.out[:2] == [own, "mounted"]
        assert str(root) not in Path("/proc/self/mounts").read_text()

    async def test_its_cgroup_lies_where_it_was_asked_for(self, executor: Executor, root: Path) -> None:
        if not probe(root.parent).cgroups:
            pytest.skip("needs the right to make cgroups")
        said = await self.output_of(executor, root, sh("cat /proc/self/cgroup", cgroup_parent="/tests/of-a-parent"))
        assert any("/tests/of-a-parent/imagebuild/imagebuild-" in line for line in said)
        for part in ("tests/of-a-parent/imagebuild", "tests/of-a-parent", "tests"):
            for place in [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]:
                with suppress(OSError):
                    (place / part).rmdir()

    @pytest.mark.parametrize("parent", ["../up", "a/../../b", "system.slice:"])
    async def test_a_cgroup_that_is_none_below_ours_is_refused(
        self, executor: Executor, root: Path, parent: str
    ) -> None:
        with pytest.raises(NotPossibleHere):
            await executor.run(root, sh("true", cgroup_parent=parent), Said())

    async def test_what_is_no_directory_where_proc_belongs_is_the_images_fault(
        self, executor: Executor, root: Path
    ) -> None:
        (root / "proc").symlink_to("etc")
        with pytest.raises(StartFailed, match="the image's /proc is not a directory"):
            await executor.run(root, sh("true"), Said())

    async def test_a_fork_bomb_does_not_outgrow_its_cgroup(self, executor: Executor, root: Path) -> None:
        if not probe(root.parent).cgroups:
            pytest.skip("needs the right to make cgroups")
        script = "f() { sleep 80.0004 & f | f & }; f; sleep 80.0005"
        with pytest.raises(StepTimedOut):
            await executor.run(root, sh(script, timeout=0.5, pids_limit=200), Said())
        assert running("80.000") == []

    async def test_the_kernels_log_and_the_hypervisor_are_out_of_reach(self, executor: Executor, root: Path) -> None:
        (root / "bin/dmesg").symlink_to("busybox")
        said = Said()
        assert await executor.run(root, sh("dmesg"), said) != 0
        assert said.out == []


class TestOciOnOverlay(OnOverlay, MountingSuite):
    def make(self, directory: Path) -> Executor:
        return oci(directory)

    async def test_the_surroundings_cgroups_are_out_of_reach(self, executor: Executor, root: Path) -> None:
        assert await self.output_of(executor, root, sh("ls -A /sys/fs/cgroup")) == []


class TestOciWithoutFreshProc(MountingSuite):
    """As in a pod whose /proc is masked: process ids are shared, the supervisor ends what is left."""

    def make(self, directory: Path) -> Executor:
        return oci(directory, fresh_proc=False)


class TestOciWithoutCgroups(MountingSuite):
    def make(self, directory: Path) -> Executor:
        return oci(directory, cgroups=False)


class TestChroot(ExecutorSuite):
    def make(self, directory: Path) -> Executor:
        directory.mkdir(exist_ok=True)
        return ChrootExecutor(grace=0.5)

    async def test_a_step_without_network_is_refused(self, executor: Executor, root: Path) -> None:
        with pytest.raises(NotPossibleHere, match=r"--network=none.*chroot"):
            await executor.run(root, sh("true", network=Network.NONE), Said())

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({"mounts": (TmpfsMount(destination="/t"),)}, "RUN --mount is"),
            ({"mounts": (TmpfsMount(destination="/dev/shm", size=9),)}, "--shm-size"),
            ({"insecure": True}, "--security=insecure"),
            ({"cgroup_parent": "a"}, "--cgroup-parent"),
        ],
    )
    async def test_what_takes_mounts_or_cgroups_is_refused_by_its_name(
        self, executor: Executor, root: Path, asked: dict[str, object], words: str
    ) -> None:
        before = [entry.path for entry in scan(root)]
        with pytest.raises(NotPossibleHere, match=words):
            await executor.run(root, sh("true", **asked), Said())
        assert [entry.path for entry in scan(root)] == before

    async def test_it_has_no_capability_beyond_dockers(self, executor: Executor, root: Path) -> None:
        (root / "proc").mkdir()
        mount("proc", str(root / "proc"), "proc")
        try:
            said = await self.output_of(executor, root, sh("grep -E 'Cap(Eff|Bnd)' /proc/self/status"))
        finally:
            umount(str(root / "proc"))
        assert {line.split()[1] for line in said} == {"00000000a80425fb"}

    async def test_devices_that_the_image_has_are_left_alone(self, executor: Executor, root: Path) -> None:
        (root / "dev").mkdir()
        os.mknod(root / "dev/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        await executor.run(root, sh("echo x > /dev/null"), Said())
        assert [path.name for path in (root / "dev").iterdir()] == ["null"]
        assert (root / "dev/null").stat().st_mode & 0o777 == 0o600

    async def test_too_many_processes_are_ended_though_the_kernel_does_not_count_roots(
        self, executor: Executor, root: Path
    ) -> None:
        said = Said()
        code = await executor.run(root, sh("while true; do sleep 80.0003 & done", pids_limit=100), said)
        assert code == 137
        assert said.err[-1] == "imagebuild: the step had more than 100 processes and was killed"
        assert running("80.000") == []

    async def test_a_missing_tree_is_the_executors_fault(self, executor: Executor, tmp_path: Path) -> None:
        with pytest.raises(ExecutorUnavailable):
            await executor.run(tmp_path / "nowhere", sh("true"), Said())


class TestChrootOnOverlay(OnOverlay):
    def make(self, directory: Path) -> Executor:
        directory.mkdir(exist_ok=True)
        return ChrootExecutor(grace=0.5)


async def test_many_steps_share_one_supervisor_and_it_comes_back_if_it_is_killed(tmp_path: Path) -> None:
    from imagebuild_engine.host.executor.supervised import _PROGRAM

    def supervisors() -> list[int]:
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        return [int(pid) for pid in children if str(_PROGRAM).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]

    ExecutorSuite.furnish(tmp_path)
    executor = ChrootExecutor(grace=0.5)
    assert await executor.run(tmp_path, sh("exit 3"), Said()) == 3
    assert await executor.run(tmp_path, sh("exit 4"), Said()) == 4
    (supervisor,) = supervisors()
    os.kill(supervisor, 9)
    os.waitpid(supervisor, 0)
    assert await executor.run(tmp_path, sh("exit 5"), Said()) == 5
    assert len(supervisors()) == 1


@pytest.mark.parametrize("kind", ["oci", "chroot"])
async def test_a_killed_engine_leaves_no_step_no_mount_and_no_file(tmp_path: Path, kind: str) -> None:
    """SIGKILL of the engine: its supervisor sees their socket close."""
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    ExecutorSuite.furnish(tree)
    program = textwrap.dedent(
        f"""
        import asyncio, shutil
        from pathlib import Path
        from imagebuild_engine.host.executor import ChrootExecutor, Process, look_after
        from imagebuild_engine.host.snapshots import OverlaySnapshotter
        from tests.integration.test_executors import oci
        state = Path({str(state)!r})
        look_after(state)
        snapshots = OverlaySnapshotter(state / "snapshots")
        shutil.copytree({str(tree)!r}, snapshots.prepare("a", None), symlinks=True, dirs_exist_ok=True)
        snapshots.commit("a", "a")
        root = snapshots.prepare("b", "a")
        executor = oci(state / "executor") if {kind == "oci"} else ChrootExecutor()
        process = Process(args=("sh", "-c", "setsid sleep 81.0001 & sleep 81.0002"), env=({PATH!r},))
        asyncio.run(executor.run(root, process, print))
        """
    )
    groups = cgroups()
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    await eventually(lambda: len([line for line in running("81.000") if line.startswith("sleep")]) == 2)
    assert str(state) in Path("/proc/self/mounts").read_text()
    engine.kill()
    await engine.wait()
    await eventually(lambda: not running("81.000"))
    await eventually(lambda: str(state) not in Path("/proc/self/mounts").read_text())
    await eventually(lambda: not state.exists())
    assert cgroups() == groups


def cgroups() -> list[str]:
    """Of steps."""
    return sorted(str(path) for path in Path("/sys/fs/cgroup").rglob("imagebuild/imagebuild-*"))


async def eventually(good: Callable[[], bool]) -> None:
    for _ in range(400):
        if good():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"did not happen: {good.__code__.co_names}")
