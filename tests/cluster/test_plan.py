"""Names and addresses of a cluster: apart from other copies, apart from what the machine routes, the same next time."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.plan import (
    NODES_AT_MOST,
    Networks,
    NoAddressLeft,
    Plan,
    choose_networks,
    default_state,
    exclusive,
    free_port,
    make_plan,
    read_plan,
    record_plan,
)

numbers = st.integers(min_value=0, max_value=255)


def all_networks(number: int) -> tuple[IPv4Network, ...]:
    networks = Networks(number=number)
    return (networks.bridge, networks.services, networks.pods)


def plan_in(state: Path, taken: tuple[IPv4Network, ...] = ()) -> Plan:
    return make_plan(state, taken=taken, free_port=lambda _address, preferred: preferred)


@given(numbers, numbers)
def test_two_numbers_share_no_address(one: int, other: int) -> None:
    meets = any(mine.overlaps(theirs) for mine in all_networks(one) for theirs in all_networks(other))
    assert meets == (one == other)


@given(numbers)
def test_nodes_and_their_pods_lie_in_the_clusters_networks_and_apart(number: int) -> None:
    networks = Networks(number=number)
    pods = [networks.node_pods(node) for node in range(1, NODES_AT_MOST + 1)]
    assert all(mine.subnet_of(networks.pods) for mine in pods)
    assert len({str(mine) for mine in pods}) == NODES_AT_MOST
    addresses = {networks.node_address(node) for node in range(1, NODES_AT_MOST + 1)} | {networks.gateway}
    assert len(addresses) == NODES_AT_MOST + 1


@given(numbers, st.sets(numbers, max_size=40))
def test_chosen_networks_meet_nothing_that_is_taken(preferred: int, running: set[int]) -> None:
    taken = [network for number in running for network in all_networks(number)]
    assert choose_networks(preferred, taken).number not in running


def test_preferred_networks_are_taken_when_free_and_a_default_route_is_no_obstacle() -> None:
    elsewhere = (IPv4Network("0.0.0.0/0"), IPv4Network("192.168.0.0/16"))
    assert choose_networks(77, elsewhere).number == 77


def test_search_goes_round_past_255() -> None:
    assert choose_networks(255, all_networks(255)).number == 0


def test_a_machine_that_routes_all_of_ten_has_no_room() -> None:
    with pytest.raises(NoAddressLeft):
        choose_networks(0, [IPv4Network("10.0.0.0/8")])


def test_recorded_plan_is_read_back_equal_and_kept_from_other_users(tmp_path: Path) -> None:
    plan = plan_in(tmp_path / "cluster")
    record_plan(plan)
    assert read_plan(plan.state) == plan
    assert (plan.state / "cluster.json").stat().st_mode & 0o077 == 0


def test_without_a_record_there_is_no_plan(tmp_path: Path) -> None:
    assert read_plan(tmp_path / "nowhere") is None


def test_copies_in_two_folders_differ_in_every_name_on_the_host(tmp_path: Path) -> None:
    one, other = plan_in(tmp_path / "a"), plan_in(tmp_path / "b")
    assert one.bridge != other.bridge
    assert one.cgroup != other.cgroup
    assert one.veth(1) != other.veth(1)


def test_interface_names_fit_the_kernel(tmp_path: Path) -> None:
    plan = plan_in(tmp_path)
    assert len(plan.veth(NODES_AT_MOST)) <= 15


def test_default_state_follows_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one, other = default_state(Path("/src/one")), default_state(Path("/src/other"))
    assert one.parent == other.parent == tmp_path / "imagebuild"
    assert one != other


def test_port_in_use_is_passed_over() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        assert free_port("127.0.0.1", taken) != taken


def test_port_can_be_asked_for_on_an_address_that_does_not_exist_yet() -> None:
    assert free_port("10.99.255.1", 5000) == 5000


def test_second_holder_of_a_lock_waits_in_vain_and_then_gets_it() -> None:
    with exclusive("a-test"), pytest.raises(OSError, match="in use"), exclusive("a-test", patience=0.1):
        pass
    with exclusive("a-test", patience=0):
        pass
