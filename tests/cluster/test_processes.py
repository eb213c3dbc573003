"""Which process is what: told from the kernel's own files, never from a remembered number."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.cgroups import Cgroup, all_roots, hierarchies, is_v2, is_zombie, process_state
from tests.cluster.daemons import ClusterError, Daemon, tail
from tests.cluster.node import is_first_of_inner_namespace


def hybrid(mount: Path) -> Path:
    for name in ("cpu", "memory", "unified"):
        (mount / name).mkdir(parents=True)
        (mount / name / "cgroup.procs").touch()
    (mount / "unified" / "cgroup.controllers").touch()
    return mount


def version_2(mount: Path) -> Path:
    mount.mkdir(parents=True, exist_ok=True)
    (mount / "cgroup.procs").touch()
    (mount / "cgroup.controllers").write_text("cpu memory\n")
    (mount / "cgroup.subtree_control").touch()
    return mount


def test_hybrid_machine_registers_in_version_1_and_cleans_up_in_both(tmp_path: Path) -> None:
    mount = hybrid(tmp_path)
    assert not is_v2(mount)
    assert [root.name for root in hierarchies(mount)] == ["cpu", "memory"]
    assert [root.name for root in all_roots(mount)] == ["cpu", "memory", "unified"]


def test_version_2_is_one_hierarchy(tmp_path: Path) -> None:
    mount = version_2(tmp_path)
    assert is_v2(mount)
    assert hierarchies(mount) == all_roots(mount) == (mount,)


def test_link_to_a_hierarchy_is_not_a_second_one(tmp_path: Path) -> None:
    mount = hybrid(tmp_path)
    (mount / "cpuacct").symlink_to("cpu")
    assert [root.name for root in hierarchies(mount)] == ["cpu", "memory"]


def test_new_cpuset_gets_the_cpus_of_its_parent(tmp_path: Path) -> None:
    root = tmp_path / "cpuset"
    root.mkdir()
    (root / "cgroup.procs").touch()
    (root / "cpuset.cpus").write_text("0-1\n")
    group = root / "group"
    group.mkdir()
    (group / "cpuset.cpus").write_text("\n")  # as the kernel makes it
    Cgroup("group", tmp_path).create()
    assert (group / "cpuset.cpus").read_text() == "0-1\n"


def test_removal_takes_what_runc_made_below_and_where_there_is_nothing_it_is_content(tmp_path: Path) -> None:
    mount = hybrid(tmp_path)
    (mount / "cpu" / "mine" / "n1" / "kubepods" / "pod").mkdir(parents=True)
    (mount / "unified" / "mine" / "n1").mkdir(parents=True)
    (mount / "cpu" / "other").mkdir()
    Cgroup("mine", mount).remove()
    assert not (mount / "cpu" / "mine").exists()
    assert not (mount / "unified" / "mine").exists()
    assert (mount / "cpu" / "other").exists()
    Cgroup("mine", mount).remove()


def test_pids_below_count_and_dead_ones_do_not(tmp_path: Path) -> None:
    mount = hybrid(tmp_path)
    below = mount / "cpu" / "mine" / "below"
    below.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        (below / "cgroup.procs").write_text(f"{process.pid}\n")
        group = Cgroup("mine", mount)
        assert group.pids() == (process.pid,)
        assert group.own_pids() == ()
        process.communicate(b"\n")
        assert group.pids() == ()


def test_process_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read()
        while not is_zombie(process.pid):
            pass
        assert Path(f"/proc/{process.pid}").exists()
    assert is_zombie(process.pid)


@pytest.mark.parametrize(
    ("stat", "state"),
    [
        ("12 (etcd) S 1 12 12", "S"),
        ("12 (a (b) Z) R 1 12 12", "R"),
        ("12 (x y) Z 1 12", "Z"),
    ],
)
def test_state_stands_behind_the_last_bracket(stat: str, state: str) -> None:
    assert process_state(stat) == state


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("NSpid:\t812\t1", True),
        ("NSpid:\t812", False),
        ("NSpid:\t812\t7", False),
        ("NSpid:\t812\t31\t1", False),  # of a pod inside
        ("Pid:\t1", False),
    ],
)
def test_process_1_of_a_node_is_known_by_its_number_inside(line: str, first: bool) -> None:
    assert is_first_of_inner_namespace(f"Name:\tbash\n{line}\nThreads:\t1\n") is first


def test_ended_daemon_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    cgroup = Cgroup("mine", hybrid(tmp_path / "cgroup"))
    daemon = Daemon(name="etcd", command=("etcd",), cgroup=cgroup, log=log, environment={})
    with pytest.raises(ClusterError, match="etcd has ended") as caught:
        daemon.check()
    assert str(log) in str(caught.value)
    assert "line 99" in str(caught.value)
    assert "line 50" not in str(caught.value)


def test_missing_log_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "no such file" in tail(tmp_path / "absent.log")
