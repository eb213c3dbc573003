"""The cluster's network on the host: a bridge, a cable to each node, routes to the nodes' pods."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.cluster.plan import NODES_AT_MOST, Plan


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def links() -> dict[str, dict[str, Any]]:
    """Interfaces of this network namespace by name."""
    shown = subprocess.run(["ip", "-json", "address", "show"], check=True, capture_output=True, text=True).stdout
    return {item["ifname"]: item for item in json.loads(shown)}


def bridge_up(plan: Plan) -> None:
    """Idempotent; also completes a bridge that was left half made."""
    known = links()
    if plan.bridge not in known:
        ip("link", "add", plan.bridge, "type", "bridge", "forward_delay", "0")
    addresses = {entry["local"] for entry in known.get(plan.bridge, {}).get("addr_info", ())}
    if plan.networks.gateway not in addresses:
        ip("address", "add", f"{plan.networks.gateway}/{plan.networks.bridge.prefixlen}", "dev", plan.bridge)
    ip("link", "set", plan.bridge, "up")


def plug_in(plan: Plan, node: int, pid: int) -> None:
    """Connect the network namespace of process `pid` as this node, and tell its routes to everybody."""
    address, cable = plan.networks.node_address(node), plan.veth(node)
    if cable in links():
        ip("link", "delete", cable)
    ip("link", "add", cable, "mtu", "1500", "type", "veth", "peer", "name", "eth0", "mtu", "1500", "netns", str(pid))
    ip("link", "set", cable, "master", plan.bridge, "up")
    ip("route", "replace", str(plan.networks.node_pods(node)), "via", address, "dev", plan.bridge)
    _inside(pid, ["link", "set", "lo", "up"])
    _inside(pid, ["address", "add", f"{address}/{plan.networks.bridge.prefixlen}", "dev", "eth0"])
    _inside(pid, ["link", "set", "eth0", "up"])
    # The host does not forward, so this leads to the host's own addresses and no further.
    _inside(pid, ["route", "add", "default", "via", plan.networks.gateway])
    for other in range(1, NODES_AT_MOST + 1):
        if other != node:
            pods = str(plan.networks.node_pods(other))
            _inside(pid, ["route", "add", pods, "via", plan.networks.node_address(other)])
    forward = ["sysctl", "-qw", "net.ipv4.ip_forward=1"]
    subprocess.run(["nsenter", "-t", str(pid), "-n", *forward], check=True, capture_output=True)


def _inside(pid: int, words: Sequence[str]) -> None:
    subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", *words], check=True, capture_output=True, text=True)


def remove(bridge: str, cables: Sequence[str]) -> None:
    """Take the interfaces away; the kernel takes the routes with them."""
    known = links()
    for name in (*cables, bridge):
        if name in known:
            # A cable goes by itself when its node's namespace does, which may be just now.
            subprocess.run(["ip", "link", "delete", name], check=False, capture_output=True)
    left = [name for name in (*cables, bridge) if name in links()]
    if left:
        raise RuntimeError(f"interfaces {', '.join(left)} cannot be removed")
