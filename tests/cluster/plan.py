"""Every name and address of one cluster, chosen once and recorded in `cluster.json` of its state folder.

A cluster's number (0 to 255) gives all its networks, so that two copies on one machine never meet:

    10.99.N.0/24          the bridge: .1 is the host (kube-apiserver, registries), .11 and .12 are the nodes
    10.98.N.0/24          services; .1 is `kubernetes.default`
    10.100.0.0/14         pods: a /22 per cluster, of it a /24 per node
    127.99.N.1            what only the control plane itself talks to (etcd, scheduler, controller manager)

Interfaces and cgroups are named by a hash of the state folder's path. Names of interfaces have 15 characters at most.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODES_AT_MOST = 3


class NoAddressLeft(RuntimeError):
    """All 256 networks overlap with something that the machine already routes."""


def default_state(checkout: Path = ROOT) -> Path:
    """The state folder of this checkout's own cluster."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "imagebuild" / f"cluster-{short_hash(str(checkout.resolve()))}"


def short_hash(text: str) -> str:
    """Eight hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The networks of cluster number `number`."""

    number: int

    @property
    def bridge(self) -> IPv4Network:
        return IPv4Network(f"10.99.{self.number}.0/24")

    @property
    def services(self) -> IPv4Network:
        return IPv4Network(f"10.98.{self.number}.0/24")

    @property
    def pods(self) -> IPv4Network:
        return tuple(IPv4Network("10.100.0.0/14").subnets(new_prefix=22))[self.number]

    def node_pods(self, node: int) -> IPv4Network:
        """Pod addresses of node 1, 2 or 3."""
        return tuple(self.pods.subnets(new_prefix=24))[node]

    @property
    def gateway(self) -> str:
        """The host's address on the bridge."""
        return str(self.bridge[1])

    @property
    def loopback(self) -> str:
        return f"127.99.{self.number}.1"

    def node_address(self, node: int) -> str:
        return str(self.bridge[10 + node])

    def overlaps(self, taken: Iterable[IPv4Network]) -> bool:
        """Whether any of ours meets any of those; a default route meets nothing."""
        return any(
            mine.overlaps(other)
            for other in taken
            if other.prefixlen > 0
            for mine in (self.bridge, self.services, self.pods)
        )


def choose_networks(preferred: int, taken: Iterable[IPv4Network]) -> Networks:
    """The first free ones, looking from `preferred` on."""
    known = tuple(taken)
    for step in range(256):
        networks = Networks(number=(preferred + step) % 256)
        if not networks.overlaps(known):
            return networks
    raise NoAddressLeft("10.98.0.0/16, 10.99.0.0/16 and 10.100.0.0/14 leave no free network for another cluster")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One cluster: where it lives, what its parts are called, where they listen."""

    state: Path
    identity: str
    boot_id: str
    number: int
    etcd_port: int
    etcd_peer_port: int
    apiserver_port: int
    controller_manager_port: int
    scheduler_port: int
    registry_port: int
    private_registry_port: int
    private_user: str
    private_password: str

    @property
    def networks(self) -> Networks:
        return Networks(number=self.number)

    @property
    def bridge(self) -> str:
        return f"ib{self.identity}"

    def veth(self, node: int) -> str:
        """The host's end of a node's cable."""
        return f"ib{self.identity}n{node}"

    @property
    def cgroup(self) -> str:
        """Directory below the root of every cgroup hierarchy."""
        return f"imagebuild-{self.identity}"

    @property
    def apiserver(self) -> str:
        return f"https://{self.networks.gateway}:{self.apiserver_port}"

    @property
    def etcd(self) -> str:
        return f"http://{self.networks.loopback}:{self.etcd_port}"

    @property
    def registry(self) -> str:
        """`IP:PORT` of the open registry: the same name from pods and host, plain HTTP."""
        return f"{self.networks.gateway}:{self.registry_port}"

    @property
    def private_registry(self) -> str:
        """`IP:PORT` of the registry that asks for `private_user` and `private_password`."""
        return f"{self.networks.gateway}:{self.private_registry_port}"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "admin.kubeconfig"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pki(self) -> Path:
        return self.state / "pki"

    @property
    def binaries(self) -> Path:
        """Links to the programs of this cluster, for PATH."""
        return self.state / "bin"

    def node_state(self, node: int) -> Path:
        return self.state / "nodes" / f"n{node}"

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "state": str(self.state)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        values = json.loads(text)
        return cls(**{**values, "state": Path(values["state"])})


def plan_file(state: Path) -> Path:
    return state / "cluster.json"


def read_plan(state: Path) -> Plan | None:
    """What an earlier `up` recorded, if it came so far."""
    try:
        return Plan.from_json(plan_file(state).read_text())
    except FileNotFoundError:
        return None


def boot_id() -> str:
    """Differs after every boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def make_plan(state: Path, *, taken: Iterable[IPv4Network], free_port: Callable[[str, int], int]) -> Plan:
    """Choose names and addresses for a new cluster in this state folder."""
    identity = short_hash(str(state.resolve()))
    networks = choose_networks(int(identity[:2], 16), taken)
    outside, inside = networks.gateway, networks.loopback
    return Plan(
        state=state.resolve(),
        identity=identity,
        boot_id=boot_id(),
        number=networks.number,
        etcd_port=free_port(inside, 2379),
        etcd_peer_port=free_port(inside, 2380),
        controller_manager_port=free_port(inside, 10257),
        scheduler_port=free_port(inside, 10259),
        apiserver_port=free_port(outside, 6443),
        registry_port=free_port(outside, 5000),
        private_registry_port=free_port(outside, 5001),
        private_user="builder",
        private_password=secrets.token_hex(12),
    )


def record_plan(plan: Plan) -> None:
    """Written whole or not at all: a half-killed `up` must leave a file that `down` can read."""
    plan.state.mkdir(parents=True, exist_ok=True)
    unfinished = plan_file(plan.state).with_suffix(".new")
    unfinished.write_text(plan.to_json())
    unfinished.chmod(0o600)  # it has the private registry's password
    unfinished.replace(plan_file(plan.state))


def routed_networks() -> tuple[IPv4Network, ...]:
    """Everything that this network namespace routes, and everything it has an address in."""
    found: list[IPv4Network] = []
    for words in (["-json", "-4", "route", "show", "table", "all"], ["-json", "-4", "address", "show"]):
        shown = subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout
        for item in json.loads(shown or "[]"):
            if "dst" in item and item["dst"] != "default":
                found.append(_network(item["dst"]))
            found.extend(_network(f"{a['local']}/{a['prefixlen']}") for a in item.get("addr_info", ()) if "local" in a)
    return tuple(network for network in found if not network.is_loopback)


def _network(text: str) -> IPv4Network:
    network = ip_network(text, strict=False)
    assert isinstance(network, IPv4Network)
    return network


def free_port(address: str, preferred: int) -> int:
    """`preferred` if nothing listens there, else one that the kernel picks. The address need not exist yet."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND, which the socket module does not name
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise NoAddressLeft(f"no free port on {address}")


@contextlib.contextmanager
def exclusive(subject: str, patience: float = 60) -> Iterator[None]:
    """One holder at a time in this network namespace. An abstract socket: the kernel frees it, and no file stays."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        deadline = time.monotonic() + patience
        while True:
            try:
                lock.bind(f"\0imagebuild-cluster-{subject}")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield
