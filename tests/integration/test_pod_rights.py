"""The same suites with the rights of a builder pod: what passes for root on a machine must pass with much less.

The profiles are the ones of the engine document, section 4. pytest runs once more for each, as the engine would there.
"""

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.root import needs_root
from tests.support.runtimes import runtime

pytestmark = [pytest.mark.root, needs_root]

_ROOT = Path(__file__).parents[2]
_EXECUTORS = "tests/integration/test_executors.py"
_OVERLAY = "tests/integration/test_overlay_snapshots.py"
_FLAT = "tests/conformance/test_flat_snapshots.py"
_INSIDE = """
import sys
from imagebuild_engine.host.executor import enter_user_namespace, in_own_user_namespace
if not in_own_user_namespace():
    enter_user_namespace([sys.executable, *sys.orig_argv[1:]])
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


@contextmanager
def of_a_pod(processes: int = 1000) -> Iterator[list[str]]:
    """What to put before a command so that a cgroup bounds its processes, as a kubelet sees to it."""
    first = Path("/sys/fs/cgroup")
    version_2 = (first / "cgroup.controllers").exists()
    group = (first if version_2 else first / "pids") / f"imagebuild-tests-{os.getpid()}"
    if version_2:
        (first / "cgroup.subtree_control").write_text("+pids")
    group.mkdir()
    try:
        (group / "pids.max").write_text(str(processes))
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group)]
    finally:
        for _ in range(100):
            if not (group / "cgroup.procs").read_text():
                break
            time.sleep(0.05)
        group.rmdir()


def run(capabilities: str, program: list[str], tests: list[str], without: list[str], folder: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv: apt-get install util-linux")
    rights = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{capabilities}"]
    options = ["-q", "--tb=short", "-p", "no:cacheprovider", f"--basetemp={folder / 'inside'}"]
    leave_out = " and ".join(f"not {name}" for name in without)
    command = [*rights, sys.executable, *program, *options, "-k", leave_out, *tests]
    environment = {**os.environ, "IMAGEBUILD_RUNTIME": str(runtime().path)}
    with of_a_pod() as pod:
        done = subprocess.run(
            [*pod, *command],
            cwd=_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=500,
        )
    assert done.returncode == 0, textwrap.indent(done.stdout[-6000:] + done.stderr[-2000:], "    ")


def test_baseline_with_six_capabilities_is_enough_for_chroot_on_flat_trees(tmp_path: Path) -> None:
    """No process can be killed but by its own user, and no device can be made: /dev/null is a file there."""
    run(
        "+chown,+dac_override,+fowner,+setuid,+setgid,+sys_chroot",
        ["-m", "pytest"],
        [f"{_EXECUTORS}::TestChroot", _FLAT],
        ["dev_null", "no_capability_beyond", "devices_that_the_image_has", "file_capabilities", "fifos_and_devices"],
        tmp_path,
    )


def test_a_user_namespace_and_three_capabilities_are_enough_for_containers_on_overlays(tmp_path: Path) -> None:
    run(
        "+setuid,+setgid,+setfcap",
        ["-c", _INSIDE],
        [f"{_EXECUTORS}::TestOciOnOverlay", f"{_EXECUTORS}::TestOciWithoutFreshProc", f"{_OVERLAY}::TestOverlay"],
        ["fifos_and_devices"],
        tmp_path,
    )
