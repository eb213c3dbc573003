"""The disposable cluster itself: what `up` promises, what pods may do in it, and that `down` leaves nothing."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import ready
from tests.cluster.access import Access, wants_foreign
from tests.cluster.cgroups import Cgroup, all_roots
from tests.cluster.images import busybox, publish
from tests.cluster.layout import MANIFEST, Registry
from tests.cluster.lifecycle import INOTIFY, down, pids, up
from tests.cluster.network import links
from tests.cluster.node import nodes
from tests.cluster.plan import default_state, plan_file, read_plan, short_hash

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="the disposable cluster needs root: run the tests as root"),
    pytest.mark.skipif(
        wants_foreign(os.environ), reason="IMAGEBUILD_USE_CLUSTER=1: tests of the disposable cluster only"
    ),
]

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def cluster() -> Access:
    return ready()


def kubectl_for(access: Access) -> Kubectl:
    def kubectl(*words: str, stdin: str | None = None) -> str:
        environment = {**os.environ, **access.environment()}
        command = [str(access.binaries / "kubectl") if access.binaries else "kubectl", *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True, input=stdin, env=environment)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    return kubectl


@pytest.fixture
def kubectl(cluster: Access) -> Kubectl:
    return kubectl_for(cluster)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"cluster-test-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=baseline")
    wait_for_account(kubectl, name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def wait_for_account(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")


def run_pod(kubectl: Kubectl, namespace: str, spec: dict[str, Any], patience: float = 60) -> dict[str, Any]:
    """Run one pod to its end, and give it as the API server has it then."""
    name = f"pod-{uuid.uuid4().hex[:6]}"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"restartPolicy": "Never", **spec}}
    kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(pod))
    deadline = time.monotonic() + patience
    while True:
        seen: dict[str, Any] = json.loads(kubectl("-n", namespace, "get", "pod", name, "-o", "json"))
        if seen["status"]["phase"] in ("Succeeded", "Failed"):
            return seen
        if time.monotonic() > deadline:
            pytest.fail(f"{name} does not end: {kubectl('-n', namespace, 'describe', 'pod', name)}")
        time.sleep(0.3)


def termination_message(pod: dict[str, Any]) -> str:
    message: str = pod["status"]["containerStatuses"][0]["state"]["terminated"].get("message", "")
    return message


def shell(cluster: Access, script: str, **container: Any) -> dict[str, Any]:
    command = ["/bin/sh", "-c", script]
    return {"name": "main", "image": f"{cluster.registry}/library/busybox:1", "command": command, **container}


def test_second_up_starts_nothing(cluster: Access) -> None:
    plan = read_plan(default_state())
    assert plan is not None
    before = pids(plan)
    assert all(before.values()), f"something does not run: {before}"
    assert up(plan.state) == plan
    assert pids(plan) == before


def test_pod_succeeds_and_leaves_its_termination_message(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    pod = run_pod(kubectl, namespace, {"containers": [shell(cluster, "echo -n well done >/dev/termination-log")]})
    assert pod["status"]["phase"] == "Succeeded"
    assert termination_message(pod) == "well done"


def test_failing_pod_fails(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    pod = run_pod(kubectl, namespace, {"containers": [shell(cluster, "exit 3")]})
    assert pod["status"]["phase"] == "Failed"
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


# Of two dollar signs in a command, Kubernetes leaves one.
NAMESPACES = """
set -e
unshare -m -p -f -u -n -i sh -c '
  mount -t proc proc /proc
  mkdir -p /work/lower /work/upper /work/work /work/merged
  echo from-below >/work/lower/file
  mount -t overlay overlay -o lowerdir=/work/lower,upperdir=/work/upper,workdir=/work/work /work/merged
  echo "pid $$$$ reads $(cat /work/merged/file)"
' >/dev/termination-log
"""


def userns_pod(cluster: Access, script: str, capabilities: list[str]) -> dict[str, Any]:
    """The profile with which builders run: see `UserNamespace` in the engine's design."""
    security = {
        "runAsUser": 0,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"], "add": capabilities},
        "procMount": "Unmasked",
        "seccompProfile": {"type": "Localhost", "localhostProfile": "userns.json"},
    }
    mounts = [{"name": "work", "mountPath": "/work"}]
    return {
        "hostUsers": False,
        "containers": [shell(cluster, script, securityContext=security, volumeMounts=mounts)],
        "volumes": [{"name": "work", "emptyDir": {}}],
    }


def test_pod_in_a_user_namespace_may_make_namespaces_and_mounts(
    cluster: Access, kubectl: Kubectl, namespace: str
) -> None:
    # -U -r first: the pod's own root has no capability to mount, the root of a nested user namespace has.
    script = NAMESPACES.replace("unshare -m", "unshare -U -r -m")
    pod = run_pod(kubectl, namespace, userns_pod(cluster, script, ["SETUID", "SETGID", "SETFCAP"]))
    assert pod["status"]["phase"] == "Succeeded", termination_message(pod)
    assert termination_message(pod) == "pid 1 reads from-below\n"


def test_user_namespace_is_not_the_hosts(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    pod = run_pod(kubectl, namespace, userns_pod(cluster, "cat /proc/self/uid_map >/dev/termination-log", []))
    inside, outside, size = map(int, termination_message(pod).split())
    assert inside == 0
    assert outside >= 65536
    assert size == 65536


def test_pod_without_the_profile_may_not_unshare(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    spec = userns_pod(cluster, "unshare -U true", [])
    spec["containers"][0]["securityContext"]["seccompProfile"] = {"type": "RuntimeDefault"}
    assert run_pod(kubectl, namespace, spec)["status"]["phase"] == "Failed"


def test_base_image_has_python_git_and_certificates(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    script = (
        "import ssl, ctypes, subprocess, sys; assert len(ssl.create_default_context().get_ca_certs()) > 50; "
        "ctypes.CDLL('libseccomp.so.2'); subprocess.run(['git', 'init', '-q', '/tmp/x'], check=True); "
        "open('/dev/termination-log', 'w').write('%d.%d' % sys.version_info[:2])"
    )
    container = {
        "name": "main",
        "image": f"{cluster.registry}/library/debian-python:12",
        "command": ["python3", "-c", script],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    assert termination_message(run_pod(kubectl, namespace, {"containers": [container]}, patience=120)) == "3.11"


def test_pod_reaches_the_api_server_by_its_service(cluster: Access, kubectl: Kubectl, namespace: str) -> None:
    script = (
        "import os, ssl, urllib.request; folder = '/var/run/secrets/kubernetes.io/serviceaccount/'; "
        "url = 'https://' + os.environ['KUBERNETES_SERVICE_HOST'] + ':' + os.environ['KUBERNETES_SERVICE_PORT']; "
        "request = urllib.request.Request(url + '/version'); "
        "request.add_header('Authorization', 'Bearer ' + open(folder + 'token').read()); "
        "answer = urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + 'ca.crt')); "
        "open('/dev/termination-log', 'w').write(str(answer.status))"
    )
    image = f"{cluster.registry}/library/debian-python:12"
    container = {"name": "main", "image": image, "command": ["python3", "-c", script]}
    assert termination_message(run_pod(kubectl, namespace, {"containers": [container]}, patience=120)) == "200"


def test_registry_log_tells_of_every_blob_that_is_read(cluster: Access) -> None:
    registry = Registry(address=cluster.registry)
    accept = {"Accept": MANIFEST}
    status, _, manifest = registry.request("GET", "/v2/library/busybox/manifests/1", headers=accept)
    assert status == 200
    digest = json.loads(manifest)["layers"][0]["digest"]
    log = cluster.registry_log
    assert log is not None
    line = f'"GET /v2/library/busybox/blobs/{digest} HTTP/1.1" 200 '
    before = log.read_text().count(line)
    assert registry.request("GET", f"/v2/library/busybox/blobs/{digest}")[0] == 200
    # The line is written when the answer has been sent.
    deadline = time.monotonic() + 5
    while log.read_text().count(line) == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert log.read_text().count(line) == before + 1


def test_private_registry_wants_its_password(cluster: Access, kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    address = cluster.private_registry
    assert Registry(address=address).request("GET", "/v2/")[0] == 401
    assert Registry(address=address, user=cluster.private_user, password="wrong").request("GET", "/v2/")[0] == 401
    known = Registry(address=address, user=cluster.private_user, password=cluster.private_password)
    assert known.request("GET", "/v2/")[0] == 200
    image = publish(known, busybox().make(), "closed/busybox", "1")
    login = base64.b64encode(f"{cluster.private_user}:{cluster.private_password}".encode()).decode()
    config = json.dumps({"auths": {address: {"auth": login}}})
    secret_file = tmp_path / "config.json"
    secret_file.write_text(config)
    kind = ("secret", "generic", "pull", "--type=kubernetes.io/dockerconfigjson")
    kubectl("-n", namespace, "create", *kind, f"--from-file=.dockerconfigjson={secret_file}")
    container = {"name": "main", "image": image, "imagePullPolicy": "Always", "command": ["/bin/true"]}
    spec = {"containers": [container], "imagePullSecrets": [{"name": "pull"}]}
    assert run_pod(kubectl, namespace, spec)["status"]["phase"] == "Succeeded"


def host_picture(identity: str) -> dict[str, Any]:
    """What a cluster of this identity has on the host, and what it could have changed there."""

    def shown(*command: str) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return {
        "interfaces": sorted(name for name in links() if identity in name),
        "routes": [line for line in shown("ip", "route", "show", "table", "all").splitlines() if identity in line],
        "rules": shown("nft", "list", "ruleset"),
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if identity in line],
        "cgroups": [root for root in all_roots() if (root / f"imagebuild-{identity}").exists()],
        "inotify": INOTIFY.read_text(),
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
    }


def processes_of(state: Path) -> list[str]:
    """Processes that were given a path in the state folder, wherever they are registered."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes()
        except OSError:  # it has just ended
            continue
        if f"{state}/".encode() in words:
            found.append(f"{file.parent.name}: {words.decode(errors='replace')}")
    return found


def test_second_copy_with_two_nodes_comes_up_repairs_itself_and_goes_without_a_trace(
    cluster: Access, tmp_path_factory: pytest.TempPathFactory
) -> None:
    parent = tmp_path_factory.mktemp("copy").resolve()
    state = parent / "cluster"
    identity = short_hash(str(state))
    before = host_picture(identity)
    try:
        plan = up(state, node_count=2)
        assert plan.registry != cluster.registry
        assert [node.name for node in nodes(plan)] == ["n1", "n2"]
        kubectl = kubectl_for(ready(state, nodes=2))

        running = pids(plan)
        assert all(running.values())
        assert processes_of(state)

        # A lost daemon and a lost node are started again, the others are left alone.
        Cgroup(plan.cgroup).child("kube-scheduler").stop(patience=0)
        nodes(plan)[1].kill()
        up(state, node_count=1)
        repaired = pids(plan)
        assert {name for name in running if running[name] != repaired[name]} == {"kube-scheduler", "n2"}
        names = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")
        assert names.split() == ["n1", "n2"]
    finally:
        down(state)
    assert host_picture(identity) == before
    assert not processes_of(state)
    assert not state.exists()
    assert list(parent.iterdir()) == []
    down(state)  # once more: harmless


def test_up_that_was_killed_half_way_is_completed_by_the_next_and_ended_by_down(tmp_path: Path) -> None:
    state = tmp_path.resolve() / "cluster"
    identity = short_hash(str(state))
    inotify = INOTIFY.read_text()
    command = ["python3", "-m", "tests.cluster", "--state", str(state), "up"]
    root = Path(__file__).resolve().parents[2]
    try:
        # Once as soon as the record is there, once when the first daemon runs.
        for landmark in (plan_file(state), state / "log" / "etcd.log"):
            first = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while not landmark.exists() and first.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            first.kill()
            first.wait()
            assert landmark.exists()
        plan = up(state)
        assert all(pids(plan).values())
    finally:
        down(state)
    assert not state.exists()
    assert not [name for name in links() if identity in name]
    assert not [root for root in all_roots() if (root / f"imagebuild-{identity}").exists()]
    assert INOTIFY.read_text() == inotify


def test_down_finds_everything_although_the_state_folder_was_lost(tmp_path: Path) -> None:
    state = tmp_path.resolve() / "cluster"
    plan = up(state)
    everything = Cgroup(plan.cgroup)
    assert everything.pids()
    plan_file(state).unlink()
    down(state)
    assert not everything.pids()
    assert plan.bridge not in links()
