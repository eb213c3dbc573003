"""Executors on real processes: an OCI runtime with and without a /proc of its own, chroot, and what they differ in."""

import asyncio
import os
import stat
import sys
import textwrap
from pathlib import Path

import pytest
from imagebuild_engine.host.executor import (
    ChrootExecutor,
    Executor,
    ExecutorUnavailable,
    Network,
    NotPossibleHere,
    OciExecutor,
    probe,
)
from imagebuild_engine.host.executor.oci_spec import Surroundings
from imagebuild_engine.host.executor.seccomp import seccomp_profile
from imagebuild_engine.host.rootfs import User
from imagebuild_engine.host.rootfs.syscalls import mount, umount

from tests.conformance.executors import ExecutorSuite, Said, sh
from tests.support.root import needs_root
from tests.support.runtimes import runtime

pytestmark = [pytest.mark.root, needs_root]


def oci(directory: Path, *, fresh_proc: bool = True, cgroups: bool | None = None) -> OciExecutor:
    found = runtime()
    may = probe(directory).cgroups if cgroups is None else cgroups
    profile = seccomp_profile() if found.seccomp else None
    surroundings = Surroundings(fresh_proc=fresh_proc, cgroups=may, seccomp=profile)
    return OciExecutor(found, directory, surroundings=surroundings, grace=0.5)


class TestOci(ExecutorSuite):
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


class TestOciWithoutFreshProc(ExecutorSuite):
    """As in a pod whose /proc is masked: process ids are shared, the supervisor ends what is left."""

    def make(self, directory: Path) -> Executor:
        return oci(directory, fresh_proc=False)


class TestOciWithoutCgroups(ExecutorSuite):
    def make(self, directory: Path) -> Executor:
        return oci(directory, cgroups=False)


class TestChroot(ExecutorSuite):
    def make(self, directory: Path) -> Executor:
        directory.mkdir(exist_ok=True)
        return ChrootExecutor(grace=0.5)

    async def test_a_step_without_network_is_refused(self, executor: Executor, root: Path) -> None:
        with pytest.raises(NotPossibleHere, match=r"--network=none.*chroot"):
            await executor.run(root, sh("true", network=Network.NONE), Said())

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

    async def test_a_missing_tree_is_the_executors_fault(self, executor: Executor, tmp_path: Path) -> None:
        with pytest.raises(ExecutorUnavailable):
            await executor.run(tmp_path / "nowhere", sh("true"), Said())


async def test_a_killed_engine_leaves_no_step(tmp_path: Path) -> None:
    """SIGKILL of the engine ends a chroot step: its supervisor sees the control pipe close."""
    from tests.conformance.executors import running

    suite = TestChroot()
    root = suite.root.__wrapped__(suite, tmp_path)  # type: ignore[attr-defined]
    program = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        from imagebuild_engine.host.executor import ChrootExecutor, Process
        process = Process(args=("sleep", "81.0001"), env=("PATH=/bin",))
        asyncio.run(ChrootExecutor().run(Path({str(root)!r}), process, print))
        """
    )
    engine = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    for _ in range(100):
        if any(line.startswith("sleep") for line in running("81.0001")):
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the step never started")
    engine.kill()
    await engine.wait()
    for _ in range(100):
        if not running("81.0001"):
            return
        await asyncio.sleep(0.05)
    pytest.fail("the step outlived the engine")
