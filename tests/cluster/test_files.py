"""The files and command lines that the parts are started with."""

from __future__ import annotations

import json
import tomllib
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.cluster import control_plane, node_files
from tests.cluster.access import to_disposable, to_foreign, wants_foreign
from tests.cluster.daemons import ClusterError
from tests.cluster.lifecycle import CONTENTS, PLUGINS, PROGRAMS
from tests.cluster.pki import certificates
from tests.cluster.plan import Plan, make_plan
from tests.cluster.tools import TOOLS


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path / "cluster", taken=(), free_port=lambda _address, preferred: preferred)


def test_containerd_pulls_over_plain_http_from_both_registries(plan: Plan) -> None:
    files = node_files.files(plan, 1)
    config = tomllib.loads(files[plan.node_state(1) / "etc" / "containerd.toml"])
    certs = Path(config["plugins"]["io.containerd.cri.v1.images"]["registry"]["config_path"])
    for address in (plan.registry, plan.private_registry):
        assert tomllib.loads(files[certs / address / "hosts.toml"])["server"] == f"http://{address}"


def test_sandbox_image_comes_from_the_clusters_own_registry(plan: Plan) -> None:
    config = tomllib.loads(node_files.containerd(plan, 1))
    sandbox = config["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"]
    assert sandbox == f"{plan.registry}/library/pause:1"


def test_each_node_gives_its_pods_addresses_of_its_own(plan: Plan) -> None:
    subnets = [json.loads(node_files.cni(plan, n))["plugins"][0]["ipam"]["ranges"][0][0]["subnet"] for n in (1, 2)]
    assert not IPv4Network(subnets[0]).overlaps(IPv4Network(subnets[1]))


def test_kubelet_accepts_cgroup_version_1_and_stays_in_the_nodes_cgroup(plan: Plan) -> None:
    settings = json.loads(node_files.kubelet(plan, 2))
    assert settings["failCgroupV1"] is False
    assert settings["cgroupRoot"] == f"/{plan.cgroup}/n2"


def test_files_of_a_node_lie_in_its_folder(plan: Plan) -> None:
    assert all(file.is_relative_to(plan.node_state(1)) for file in node_files.files(plan, 1))


def test_only_the_private_registry_asks_who_one_is(plan: Plan) -> None:
    assert "auth" not in json.loads(control_plane.registry_settings(plan, private=False))
    assert "htpasswd" in json.loads(control_plane.registry_settings(plan, private=True))["auth"]


def test_registries_allow_deletion_and_log_every_request(plan: Plan) -> None:
    settings = json.loads(control_plane.registry_settings(plan, private=False))
    assert settings["storage"]["delete"]["enabled"] is True
    assert settings["log"]["accesslog"]["disabled"] is False


def test_nothing_of_the_control_plane_listens_on_all_addresses(plan: Plan) -> None:
    programs = {name: Path(name) for name in PROGRAMS}
    words = [word for daemon in control_plane.daemons(plan, programs) for word in daemon.command]
    assert not [word for word in words if "0.0.0.0" in word]
    assert "--bind-address=127.99." in " ".join(words)


def test_daemons_write_only_what_down_removes(plan: Plan) -> None:
    programs = {name: Path("/cache") / name for name in PROGRAMS}
    words = " ".join(word for daemon in control_plane.daemons(plan, programs) for word in daemon.command)
    named = {part.split("/")[0].split()[0] for part in words.split(f"{plan.state}/")[1:]}
    assert named
    assert named <= set(CONTENTS)


def test_api_server_is_certified_for_every_name_it_is_called_by(plan: Plan) -> None:
    (api,) = [certificate for certificate in certificates(plan, (1,)) if certificate.name == "apiserver"]
    wanted = {f"IP:{plan.networks.gateway}", f"IP:{plan.networks.services[1]}", "DNS:kubernetes.default.svc"}
    assert wanted <= set(api.alternative_names)


def test_every_program_of_the_cluster_is_a_tool() -> None:
    assert {*PROGRAMS, *PLUGINS} <= set(TOOLS)


def test_environment_of_the_disposable_cluster_survives_a_shell(plan: Plan) -> None:
    access = to_disposable(plan)
    exports = access.exports()
    assert f"export KUBECONFIG={plan.kubeconfig}" in exports
    assert f"export IMAGEBUILD_TEST_REGISTRY={plan.registry}" in exports
    assert access.environment()["PATH"].startswith(f"{plan.binaries}:")
    assert access.disposable


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("", False)])
def test_foreign_cluster_is_used_only_when_asked_for(value: str, wanted: bool) -> None:
    assert wants_foreign({"IMAGEBUILD_USE_CLUSTER": value}) is wanted


def test_foreign_cluster_without_a_registry_is_refused_by_name() -> None:
    with pytest.raises(ClusterError, match="needs IMAGEBUILD_TEST_REGISTRY"):
        to_foreign({"IMAGEBUILD_USE_CLUSTER": "1", "KUBECONFIG": "/k"})
