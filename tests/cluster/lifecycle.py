"""Up and down of a whole cluster.

`up` brings every part to the state it should be in and does nothing where it already is, so it is also the repair of a
cluster that was half started or lost a part. `down` needs nothing but the state folder's path: names of interfaces and
cgroups follow from it, so even a lost or damaged state folder does not keep anything alive.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from tests.cluster import control_plane, debian, images, network, pki, tools
from tests.cluster.api import Api
from tests.cluster.cgroups import Cgroup
from tests.cluster.daemons import ClusterError
from tests.cluster.layout import Registry
from tests.cluster.node import Node, nodes
from tests.cluster.plan import (
    NODES_AT_MOST,
    Plan,
    boot_id,
    exclusive,
    free_port,
    make_plan,
    plan_file,
    read_plan,
    record_plan,
    routed_networks,
    short_hash,
)

PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "runc",
    "userns-seccomp",
    "etcd",
    "helm",
)
PLUGINS = ("bridge", "host-local", "portmap")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_WANTED = 1024
# Everything that `up` makes in the state folder. `down` removes these, cluster.json last, and nothing else.
CONTENTS = (
    "nodes",
    "etcd",
    "registries",
    "run",
    "bin",
    "pki",
    "log",
    "htpasswd",
    "registry.json",
    "registry-private.json",
    "admin.kubeconfig",
    "inotify-before",
)


class Steps:
    """Progress lines with seconds since the start, on stderr."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, line: str) -> None:
        print(f"[{time.monotonic() - self._start:5.1f} s] {line}", file=sys.stderr, flush=True)


def up(state: Path, *, node_count: int = 1) -> Plan:
    """Bring the cluster up, or bring it back to what it should be. Afterwards pods run."""
    if os.geteuid() != 0:
        raise ClusterError("the disposable cluster needs root: namespaces, interfaces, mounts")
    if not 1 <= node_count <= NODES_AT_MOST:
        raise ClusterError(f"1 to {NODES_AT_MOST} nodes, not {node_count}")
    steps = Steps()
    _check_place(state)
    debian.ensure("build", "cluster")
    built = tools.build((*PROGRAMS, *PLUGINS))
    with _one_at_a_time(state):
        plan = _plan(state, steps)
        _link_programs(plan, built)
        pki.issue(plan, range(1, NODES_AT_MOST + 1))
        _write_registry_files(plan)
        network.bridge_up(plan)
        _raise_inotify_limit(plan)
        changed = _start_control_plane(plan, built, steps)
        changed |= _start_nodes(plan, node_count, built, steps)
    steps.say(f"{'up' if changed else 'was up already'}: KUBECONFIG={plan.kubeconfig} registry={plan.registry}")
    return plan


def down(state: Path) -> None:
    """End everything that belongs to this state folder and remove it. Harmless where there is nothing."""
    if os.geteuid() != 0:
        raise ClusterError("the disposable cluster needs root: namespaces, interfaces, mounts")
    identity = short_hash(str(state.resolve()))
    with _one_at_a_time(state):
        _stop_everything(identity)
        _restore_inotify_limit(state)
        _remove_contents(state)
        plan_file(state).unlink(missing_ok=True)
        plan_file(state).with_suffix(".new").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # absent, or it has files that are not ours
            state.rmdir()
            if state.parent.name == "imagebuild":  # made by us for the default place; other copies may be in it
                state.parent.rmdir()


def _check_place(state: Path) -> None:
    for place, what in ((state, "state folder"), (tools.cache_home(), "cache folder"), (tools.ROOT, "checkout")):
        for hidden in ("/var", "/run"):
            if place.resolve().is_relative_to(hidden):
                raise ClusterError(f"the {what} {place} lies below {hidden}, where a node has files of its own")
    if state.exists() and not plan_file(state).exists() and any(state.iterdir()):
        known = {plan_file(state).with_suffix(".new").name, *CONTENTS}
        strange = sorted(child.name for child in state.iterdir() if child.name not in known)
        if strange:
            raise ClusterError(f"{state} is not a state folder of a cluster: it has {strange[0]}")


def _plan(state: Path, steps: Steps) -> Plan:
    plan = read_plan(state)
    if plan is not None and plan.boot_id == boot_id():
        return plan
    identity = short_hash(str(state.resolve()))
    if plan is not None:
        # etcd does not sync to disk, so what a reboot leaves of it is not to be trusted.
        steps.say("the machine was restarted since: starting with an empty cluster")
        _remove_contents(state)
    else:
        _stop_everything(identity)
    with exclusive("addresses"):
        plan = make_plan(state, taken=routed_networks(), free_port=free_port)
        record_plan(plan)
        network.bridge_up(plan)
    return plan


def _link_programs(plan: Plan, built: Mapping[str, Path]) -> None:
    for name, program in built.items():
        link = plan.binaries / ("cni" if name in PLUGINS else "") / name
        if link.is_symlink() and link.readlink() == program:
            continue
        link.parent.mkdir(parents=True, exist_ok=True)
        unfinished = link.with_name(f".{name}.new")
        unfinished.unlink(missing_ok=True)
        unfinished.symlink_to(program)
        unfinished.replace(link)


def _write_registry_files(plan: Plan) -> None:
    for private in (False, True):
        control_plane.registry_file(plan, private=private).write_text(
            control_plane.registry_settings(plan, private=private)
        )
    passwords = plan.state / "htpasswd"
    if not passwords.exists():
        command = ["htpasswd", "-Bbn", plan.private_user, plan.private_password]
        passwords.write_text(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        passwords.chmod(0o600)


def _start_control_plane(plan: Plan, built: Mapping[str, Path], steps: Steps) -> bool:
    (plan.state / "run").mkdir(exist_ok=True)
    daemons = control_plane.daemons(plan, built)
    early = [daemon for daemon in daemons if not daemon.name.startswith("kube-") or daemon.name == "kube-apiserver"]
    late = [daemon for daemon in daemons if daemon not in early]
    started = [daemon.name for daemon in early if daemon.start()]
    api = Api(plan)
    watched = {daemon.name: daemon for daemon in daemons}

    def api_is_ready() -> bool:
        watched["etcd"].check()
        watched["kube-apiserver"].check()
        return api.ready()

    wait_for(api_is_ready, "kube-apiserver is not ready", plan.logs / "kube-apiserver.log", patience=90)
    started += [daemon.name for daemon in late if daemon.start()]
    for name in ("registry", "registry-private"):
        registry = Registry(address=plan.registry if name == "registry" else plan.private_registry)

        def answers(registry: Registry = registry, name: str = name) -> bool:
            watched[name].check()
            with contextlib.suppress(OSError):
                return registry.request("GET", "/v2/")[0] in (200, 401)
            return False

        wait_for(answers, f"{name} does not answer", plan.logs / f"{name}.log", patience=20)
    if started:
        for path, body in control_plane.bindings():
            api.create(path, body)
        steps.say(f"control plane ready: started {', '.join(started)}")
    return bool(started)


def _start_nodes(plan: Plan, count: int, built: Mapping[str, Path], steps: Steps) -> bool:
    profile = subprocess.run([built["userns-seccomp"]], check=True, capture_output=True, text=True).stdout
    begin = datetime.now(UTC)
    # A node that an earlier `up --nodes 2` made is brought back too.
    known = {node.number: node for node in nodes(plan)} | {n: Node(plan, n) for n in range(1, count + 1)}
    fresh = {number for number, node in sorted(known.items()) if node.start(profile)}
    # The kubelets are on their way; making and pushing images fills the time.
    images.publish_all(Registry(address=plan.registry))
    api = Api(plan)
    for number, node in sorted(known.items()):
        since = begin if number in fresh else None
        log = node.folder / "log" / "kubelet.log"

        def is_ready(node: Node = node, since: datetime | None = since) -> bool:
            if node.pid() is None:
                raise ClusterError(f"node {node.name} has ended", node.log)
            return node_ready(api, node.name, since)

        wait_for(is_ready, f"node {node.name} is not Ready", log, patience=90)
        if number in fresh:
            steps.say(f"node {node.name} Ready")
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    log = plan.logs / "kube-controller-manager.log"
    wait_for(lambda: api.get(account) is not None, "no default service account appears", log, patience=30)
    return bool(fresh)


def node_ready(api: Api, name: str, since: datetime | None) -> bool:
    """Ready, and said so by a kubelet that lives: one that comes back still carries its old Ready, but an old Lease."""
    node = api.get(f"/api/v1/nodes/{name}")
    if node is None:
        return False
    conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", ())}
    if conditions.get("Ready") != "True":
        return False
    if since is None:
        return True
    lease = api.get(f"/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/{name}")
    return lease is not None and datetime.fromisoformat(lease["spec"]["renewTime"]) >= since


def wait_for(condition: Callable[[], bool], failure: str, log: Path, *, patience: float) -> None:
    """Poll until it holds; `ClusterError` with the log's end when patience is over."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise ClusterError(f"{failure} after {patience:.0f} s", log)
        time.sleep(0.2)


def _stop_everything(identity: str) -> None:
    """By names alone. Nodes at once, daemons politely (the API server before etcd, which it writes to)."""
    cgroup = Cgroup(f"imagebuild-{identity}")
    for number in range(1, NODES_AT_MOST + 1):
        cgroup.child(f"n{number}").stop(patience=0)
    # The API server would spend its grace period on watchers that are gone.
    for name in ("kube-scheduler", "kube-controller-manager", "registry", "registry-private", "kube-apiserver", "etcd"):
        cgroup.child(name).stop(patience=5)
    cgroup.stop(patience=0)
    cgroup.remove()
    bridge = f"ib{identity}"
    network.remove(bridge, [f"{bridge}n{number}" for number in range(1, NODES_AT_MOST + 1)])


def _remove_contents(state: Path) -> None:
    if not state.exists():
        return
    with contextlib.suppress(FileNotFoundError):
        for mounted in _mounts_below(state):
            subprocess.run(["umount", "--lazy", mounted], check=True)
    for name in CONTENTS:
        child = state / name
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink(missing_ok=True)


def _mounts_below(state: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    places = [line.split()[4].replace("\\040", " ") for line in lines]
    return sorted((place for place in places if Path(place).is_relative_to(state.resolve())), reverse=True)


def _raise_inotify_limit(plan: Plan) -> None:
    """kubelet, containerd and pods of two nodes want more instances than the kernel's 128."""
    before = int(INOTIFY.read_text())
    if before < INOTIFY_WANTED:
        (plan.state / "inotify-before").write_text(f"{before}\n")
        INOTIFY.write_text(f"{INOTIFY_WANTED}\n")


def _restore_inotify_limit(state: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        before = (state / "inotify-before").read_text().strip()
        # Unless somebody has set another value since.
        if before and int(INOTIFY.read_text()) == INOTIFY_WANTED:
            INOTIFY.write_text(f"{before}\n")


@contextlib.contextmanager
def _one_at_a_time(state: Path) -> Iterator[None]:
    with exclusive(short_hash(str(state.resolve())), patience=600):
        yield


def describe(plan: Plan) -> str:
    """What runs, for `status`."""
    lines = [f"state      {plan.state}", f"kubeconfig {plan.kubeconfig}", f"registry   {plan.registry}"]
    lines.append(f"private    {plan.private_registry} (user {plan.private_user}, password in {plan_file(plan.state)})")
    lines.append(f"host       bridge {plan.bridge}, cgroup {plan.cgroup}")
    for daemon in control_plane.daemons(plan, {name: plan.binaries / name for name in PROGRAMS}):
        pids = daemon.cgroup.pids()
        lines.append(f"{daemon.name:24} {f'pid {pids[0]}' if pids else 'down':12} {daemon.log}")
    for node in nodes(plan):
        pid = node.pid()
        lines.append(f"{node.name:24} {f'pid {pid}' if pid else 'down':12} {node.log.parent}")
    lines.append(f"API server {'ready' if plan.pki.exists() and Api(plan).ready() else 'not ready'}")
    return "\n".join(lines)


def pids(plan: Plan) -> Mapping[str, tuple[int, ...]]:
    """Process ids of every part, as the kernel has them now. An `up` that has nothing to do changes none."""
    daemons = control_plane.daemons(plan, {name: plan.binaries / name for name in PROGRAMS})
    found = {daemon.name: daemon.cgroup.pids() for daemon in daemons}
    return found | {node.name: tuple(filter(None, [node.pid()])) for node in nodes(plan)}


def plan_json(plan: Plan) -> str:
    """For `status --json`."""
    shown = json.loads(plan.to_json())
    return json.dumps({**shown, "pids": pids(plan)}, indent=2)
