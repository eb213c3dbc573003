"""The engine in a user namespace of its own, with the rights of a pod of profile UserNamespace (three capabilities)."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from imagebuild_engine.host.executor import VARIABLE, ExecutorKind, SnapshotterKind, choose, probe

from tests.support.root import busybox, needs_root
from tests.support.runtimes import runtime

pytestmark = [pytest.mark.root, needs_root]

_RIGHTS = ["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all,+setuid,+setgid,+setfcap"]

_ENGINE = """
import asyncio, json, os, sys
from pathlib import Path
from imagebuild_engine.host.executor import *
from imagebuild_engine.host.rootfs import User
from imagebuild_engine.host.snapshots import OverlaySnapshotter

state, tree = Path(sys.argv[1]), Path(sys.argv[2])
found = probe(state)
choice = choose(found)
if choice.own_user_namespace:
    outside = {"caps": found.mounts, "chroot": found.chroot, "why": choice.why}
    enter_user_namespace([sys.executable, *sys.orig_argv[1:]], {**os.environ, "OUTSIDE": json.dumps(outside)})
snapshots = OverlaySnapshotter(state / "snapshots")
executor = make_executor(choice, found, state / "executor")
root = snapshots.prepare("base", None)
os.system(f"cp -a {tree}/. {root}/")
snapshots.commit("base", "base")
root = snapshots.prepare("step", "base")
lines = []
script = "id -u; cat /proc/1/comm; touch /tmp/f; chown 1234:65535 /tmp/f; rm -r /gone; mkdir /gone; ls /proc | head -1"
process = Process(args=("sh", "-c", script), env=("PATH=/bin",), user=User(0, 0))
code = asyncio.run(executor.run(root, process, lambda stream, line: lines.append(line.decode())))
owner = os.stat(root / "tmp/f")
snapshots.commit("result", "step")
with snapshots.changes("result") as changes:
    changed = [(type(change).__name__, change.path.decode()) for change in changes.items]
snapshots.close()
print(json.dumps({
    "outside": json.loads(os.environ["OUTSIDE"]), "executor": choice.executor, "own": in_own_user_namespace(),
    "code": code, "lines": lines, "owner": [owner.st_uid, owner.st_gid], "changed": changed,
}))
sys.exit(7)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    shutil.copy(busybox(), tree / "bin/busybox")
    for name in ("sh", "id", "cat", "touch", "chown", "rm", "mkdir", "ls", "head", "sleep"):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "tmp").mkdir()
    (tree / "gone").mkdir()
    (tree / "gone/old").touch()
    return tree


def command(*arguments: str) -> list[str]:
    program = shutil.which("setpriv")
    if program is None:
        pytest.skip("needs setpriv: apt-get install util-linux")
    return [program, *_RIGHTS, sys.executable, *arguments]


def test_three_capabilities_are_enough_for_containers_on_overlays(tmp_path: Path, tree: Path) -> None:
    env = {"PATH": os.environ["PATH"], VARIABLE: str(runtime().path)}
    (tmp_path / "state").mkdir()
    arguments = command("-c", _ENGINE, str(tmp_path / "state"), str(tree))
    done = subprocess.run(arguments, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 7, done.stderr
    said = json.loads(done.stdout)
    assert said["outside"]["caps"] is False
    assert said["outside"]["chroot"] is False
    assert "user namespace with 65,536 ids" in said["outside"]["why"]
    assert said["own"] is True
    assert said["executor"] == "oci"
    assert said["lines"] == ["0", "sh", "1"]
    assert said["code"] == 0
    assert said["owner"] == [1234, 65535]
    assert said["changed"] == [
        ["Added", "dev"],
        ["Modified", "gone"],
        ["Deleted", "gone/old"],
        ["Added", "proc"],
        ["Added", "sys"],
        ["Modified", "tmp"],
        ["Added", "tmp/f"],
    ]
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert not list((tmp_path / "state").glob("probe-*"))


async def test_signals_pass_into_the_namespace(tmp_path: Path) -> None:
    program = """
import signal, sys, time
from imagebuild_engine.host.executor import enter_user_namespace, in_own_user_namespace
if not in_own_user_namespace():
    enter_user_namespace([sys.executable, *sys.orig_argv[1:]])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))
print("ready", flush=True)
time.sleep(60)
"""
    engine = await asyncio.create_subprocess_exec(
        *command("-c", program), stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    assert engine.stdout is not None
    assert await asyncio.wait_for(engine.stdout.readline(), 20) == b"ready\n"
    engine.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(engine.wait(), 20) == 42


def test_root_on_this_machine_gets_containers_on_overlays(tmp_path: Path) -> None:
    found = probe(tmp_path, {**os.environ, VARIABLE: str(runtime().path)})
    choice = choose(found)
    assert (choice.executor, choice.snapshotter) == (ExecutorKind.OCI, SnapshotterKind.OVERLAY)
    assert not choice.own_user_namespace
    assert runtime().version in choice.why


def test_the_probe_leaves_nothing(tmp_path: Path) -> None:
    probe(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
