# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""virt_net's task from end to end, with libvirt's own test driver as the hypervisor (test:///default).

The driver parses, validates and updates definitions with the code of the real one, but has one copy of each network
where the real one has two. What needs two copies, or devices, is tested in the sandbox.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

import libvirt
import pytest
from hypothesis import assume, given
from lxml import etree

from ansible_collections.virtnet.hypervisor.plugins.module_utils import _run
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import (
    ApplyFailed,
    InvalidDeclaration,
    Unreachable,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_info import networks_info
from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task import network_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import Define, Update
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Plan
from ansible_collections.virtnet.hypervisor.tests.unit.plugins.module_utils import strategies

URI = "test:///default"
LAB: dict[str, Any] = {
    "name": "lab",
    "forward": {"mode": "nat"},
    "bridge": {"name": "virbr-lab"},
    "ips": [
        {
            "address": "192.168.50.1/24",
            "dhcp": {
                "ranges": [{"start": "192.168.50.100", "end": "192.168.50.149"}],
                "hosts": [
                    {"mac": "52:54:00:00:50:10", "name": "web", "ip": "192.168.50.10"},
                    {"mac": "52:54:00:00:50:11", "name": "db", "ip": "192.168.50.11"},
                ],
            },
        },
    ],
}


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    """Keeps the driver's state from one task to the next: it is shared by the connections of one process."""
    opened = libvirt.open(URI)
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _empty(connection: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No lock of the machine is taken, and the networks of a test go with it."""
    monkeypatch.setattr(_run, "host_lock", contextlib.nullcontext)
    yield
    wipe(connection)


def wipe(connection: Any) -> None:
    for network in connection.listAllNetworks():
        if network.name() != "default":
            if network.isActive():
                network.destroy()
            if network.isPersistent():
                network.undefine()


def task(*objects: Mapping[str, Any], check_mode: bool = False) -> Plan:
    with network_task(URI, objects) as opened:
        return _run.converge(opened, check_mode=check_mode)


def lab(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(LAB), **changes}


def with_hosts(*hosts: tuple[str, str, str]) -> dict[str, Any]:
    return {"name": "lab", "ips": [{"address": "192.168.50.1/24", "dhcp": {"hosts": [fixed(*host) for host in hosts]}}]}


def fixed(last: str, name: str, ip: str) -> dict[str, str]:
    return {"mac": f"52:54:00:00:50:{last}", "name": name, "ip": f"192.168.50.{ip}"}


def described(connection: Any) -> Any:
    """The document of the network, as libvirt writes it."""
    return etree.fromstring(connection.networkLookupByName("lab").XMLDesc(0))


def hosts(connection: Any) -> set[tuple[str, ...]]:
    return {(each.get("mac"), each.get("name"), each.get("ip")) for each in described(connection).iter("host")}


def state(connection: Any) -> dict[str, tuple[Any, ...]]:
    return {
        network.name(): (network.XMLDesc(0), network.isActive(), network.isPersistent(), network.autostart())
        for network in connection.listAllNetworks()
    }


def test_create_then_nothing_to_do(connection: Any) -> None:
    plan = task(lab())
    assert [step.words for step in plan.steps] == [
        "define network lab",
        "start network lab",
        "start network lab with the host",
    ]
    network = connection.networkLookupByName("lab")
    assert (network.isActive(), network.isPersistent(), network.autostart()) == (1, 1, 1)
    root = described(connection)
    assert root.find("forward").get("mode") == "nat"
    assert root.find("bridge").get("name") == "virbr-lab"
    assert len(hosts(connection)) == 2
    assert task(lab()).steps == []


def test_a_running_network_changes_without_a_restart(connection: Any) -> None:
    task(lab())
    uuid = connection.networkLookupByName("lab").UUIDString()
    swapped = with_hosts(("10", "web", "11"), ("11", "db", "10"), ("12", "mail", "12"))
    assert task(swapped).steps
    assert hosts(connection) == {
        ("52:54:00:00:50:10", "web", "192.168.50.11"),
        ("52:54:00:00:50:11", "db", "192.168.50.10"),
        ("52:54:00:00:50:12", "mail", "192.168.50.12"),
    }
    assert connection.networkLookupByName("lab").UUIDString() == uuid
    assert task(swapped).steps == []
    assert described(connection).find("ip/dhcp/range") is not None, "what was not declared is gone"


def test_a_name_with_two_addresses_comes_and_goes(connection: Any) -> None:
    entries = [{"ip": "192.168.50.1", "names": ["gateway"]}, {"ip": "fd00:50::1", "names": ["gateway"]}]
    task(lab(state="present"))
    task({"name": "lab", "state": "present", "dns": {"hosts": entries}})
    assert {each.get("ip") for each in described(connection).iterfind("dns/host")} == {"192.168.50.1", "fd00:50::1"}
    task({"name": "lab"})
    if connection.getLibVersion() < 10_004_000:  # From then on it takes a restart, and the driver has but one copy.
        task({"name": "lab", "dns": {"hosts": entries[:1]}})
        assert [each.get("ip") for each in described(connection).iterfind("dns/host")] == ["192.168.50.1"]


def test_remove_then_nothing_to_do(connection: Any) -> None:
    task(lab())
    plan = task({"name": "lab", "state": "absent"})
    assert [step.words for step in plan.steps] == ["stop network lab", "undefine network lab"]
    assert "lab" not in state(connection)
    assert task({"name": "lab", "state": "absent"}).steps == []


def test_stop_and_autostart(connection: Any) -> None:
    task(lab())
    task({"name": "lab", "state": "inactive", "autostart": False})
    network = connection.networkLookupByName("lab")
    assert (network.isActive(), network.autostart()) == (0, 0)
    task({"name": "lab"})
    assert (network.isActive(), network.autostart()) == (1, 1)


def test_what_there_is_no_option_for_stays(connection: Any) -> None:
    connection.networkDefineXML(
        "<network><name>lab</name><uuid>4f9d2e8e-1d62-4bd5-8f1c-3f7d5f6f5a01</uuid><forward mode='nat'/>"
        "<bridge name='virbr-lab' macTableManager='libvirt'/><mac address='52:54:00:11:22:33'/>"
        "<dns><txt name='a' value='b'/></dns><ip address='192.168.50.1' netmask='255.255.255.0'/>"
        "<portgroup name='staff'/></network>"
    )
    task({"name": "lab", "state": "present", "domain": {"name": "lab.example"}})
    root = described(connection)
    assert root.find("domain").get("name") == "lab.example"
    assert root.findtext("uuid") == "4f9d2e8e-1d62-4bd5-8f1c-3f7d5f6f5a01"
    assert root.find("mac").get("address") == "52:54:00:11:22:33"
    assert root.find("bridge").get("macTableManager") == "libvirt"
    assert root.find("dns/txt").get("value") == "b"
    assert root.find("portgroup").get("name") == "staff"
    assert root.find("ip").get("netmask") == "255.255.255.0"


def test_devices_of_a_hostdev_network_stay(connection: Any) -> None:
    connection.networkDefineXML(
        "<network><name>lab</name><forward mode='hostdev' managed='yes'><driver name='vfio'/><pf dev='eth4'/></forward>"
        "</network>"
    )
    task({"name": "lab", "state": "present", "trust_guest_rx_filters": True})
    root = described(connection)
    assert root.find("forward/pf").get("dev") == "eth4"
    assert root.find("forward/driver").get("name") == "vfio"
    assert root.find("forward").get("managed") == "yes"


@pytest.mark.parametrize(
    "declared",
    [
        lab(name="new"),
        lab(bridge={"name": "virbr-new"}, state="inactive"),
        with_hosts(("10", "web", "20")),
        {"name": "lab", "state": "absent"},
        {"name": "lab", "state": "inactive"},
        {"name": "lab", "autostart": False},
        {"name": "lab", "mtu": 9000, "state": "inactive"},
    ],
)
def test_check_mode_changes_nothing_and_says_what_would_be(connection: Any, declared: dict[str, Any]) -> None:
    task(lab(), {"name": "other", "state": "present"})
    if declared["name"] == "new":
        declared = {**declared, "bridge": {"name": "virbr-new"}, "ips": [{"address": "192.168.51.1/24"}]}
    before = state(connection)
    assert task(declared, check_mode=True).steps
    assert state(connection) == before


def test_definition_that_the_driver_does_not_show_is_not_changed(connection: Any) -> None:
    """The test driver shows of a running network what runs, so what it would be defined as cannot be verified."""
    task(lab())
    before = state(connection)
    with pytest.raises(InvalidDeclaration, match="'lab': state: this driver shows no definition of a running network"):
        task({"name": "lab", "mtu": 9000, "if_restart_needed": "restart"})
    assert state(connection) == before


def test_one_wrong_of_many_and_none_is_made(connection: Any) -> None:
    before = state(connection)
    many = [{"name": f"lab{n}", "bridge": {"name": f"virbr-lab{n}"}} for n in range(19)]
    with pytest.raises(InvalidDeclaration) as refused:
        task(*many, {"name": "last", "bridge": {"name": "virbr-lab7"}})
    assert refused.value.problems == [
        "network 'last': bridge.name: 'virbr-lab7' is the bridge of network 'lab7'. Choose another name"
    ]
    assert state(connection) == before


def test_what_libvirt_refuses_is_told_with_the_step(connection: Any) -> None:
    with network_task(URI, [lab()]) as opened:
        plan = opened.plan()
        opened.apply(plan.steps[0])
        connection.networkLookupByName("lab").create()
        with pytest.raises(ApplyFailed, match=r"libvirt refuses to start network lab: .*already"):
            opened.apply(plan.steps[1])


@pytest.mark.parametrize(
    "uri", ["test:///no/such/file.xml", "nonsense:///system", "qemu+unix:///system?socket=/nowhere"]
)
def test_a_hypervisor_that_does_not_answer(uri: str) -> None:
    with pytest.raises(Unreachable) as failed, network_task(uri, [lab()]):
        pass
    assert uri in str(failed.value)


def test_what_can_be_refused_without_the_hypervisor_is() -> None:
    with pytest.raises(InvalidDeclaration), network_task("nonsense:///", [{"name": "a/b"}]):
        pass
    with pytest.raises(InvalidDeclaration), network_task("nonsense:///", [{"name": "lab", "xml": "<domain/>"}]):
        pass


def test_info_has_the_options_the_state_and_the_guests(connection: Any) -> None:
    task(lab(autostart=False))
    default, found = networks_info(URI, None)["networks"]
    assert default["guests"] == [{"name": "test", "mac": "aa:bb:cc:dd:ee:ff", "device": "testnet0"}]
    assert (found["name"], found["state"], found["autostart"], found["persistent"]) == ("lab", "active", False, True)
    assert found["uuid"] == connection.networkLookupByName("lab").UUIDString()
    assert found["ips"] == LAB["ips"]
    assert found["leases"] == []
    assert networks_info(URI, "lab")["networks"] == [found]
    assert networks_info(URI, "none") == {"networks": [], "declarations": []}


# Generated networks: libvirt takes what the plan lets pass, and has afterwards what was declared.
# The driver runs no dnsmasq, and drops the options for it.
driver_options = strategies.options.map(
    lambda options: {name: value for name, value in options.items() if name != "dnsmasq_options"}
)


@given(driver_options)
def test_what_the_plan_accepts_libvirt_defines(connection: Any, options: strategies.Options) -> None:
    wipe(connection)
    declared = {"name": "lab", "state": "present", **options}
    with contextlib.suppress(InvalidDeclaration):
        task(declared)
        assert task(declared).steps == []


@given(driver_options, driver_options)
def test_a_definition_changes_into_every_other(
    connection: Any, first: strategies.Options, second: strategies.Options
) -> None:
    wipe(connection)
    with contextlib.suppress(InvalidDeclaration):
        task({"name": "lab", "state": "present", **first})
        task({"name": "lab", "state": "present", **second})
        assert task({"name": "lab", "state": "present", **second}).steps == []


@given(strategies.v4_dhcp, strategies.v4_dhcp, strategies.dns, strategies.dns)
def test_a_running_network_takes_every_update(
    connection: Any, dhcp: Any, new_dhcp: Any, dns: strategies.Options, new_dns: strategies.Options
) -> None:
    wipe(connection)
    addresses = [{"address": "10.5.0.1/16"}, {"address": "fd00:50::1/64"}]
    with contextlib.suppress(InvalidDeclaration):
        task(lab(ips=[*addresses, {"address": "192.168.50.1/24", "dhcp": dhcp}], dns=dns))
        declared: dict[str, Any] = {"name": "lab", "dns": {"hosts": new_dns.get("hosts", [])}}
        declared["ips"] = [*addresses, {"address": "192.168.50.1/24", "dhcp": new_dhcp}]
        plan = task(declared, check_mode=True)
        # Defining what runs does not show here: the driver has but one copy.
        assume(not any(isinstance(step, Define) for step in plan.steps))
        assert all(isinstance(step, Update) for step in plan.steps)
        task(declared)
