# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What virt_net_info tells of a network, given back to virt_net, changes nothing, and makes a lost network again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from test_virt_net_handmade import FULL, OTHERS, STARTABLE
from test_virt_net_kit import (
    assert_valid,
    by_hand,
    change,
    definition,
    forget_networks,
    handed_over,
    ip,
    lease,
    meaning,
    nat,
    open_vswitch,
    run,
    running,
    span,
    succeed,
    unchanged,
    virtual_functions,
)
from test_virt_net_options import ALL_MODES, CASES, Case, _is_too_old, _merged, _specification


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


@pytest.fixture(scope="module", autouse=True)
def _devices() -> Iterator[None]:
    """What the networks name."""
    ip("link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
    for device in ("veth-a", "veth-b"):
        ip("link", "set", device, "up")
    ip("link", "add", "br-host", "type", "bridge")
    with virtual_functions("0000:03:10.1", "0000:03:10.3"), open_vswitch("br-ovs"):
        yield
    for device in ("veth-a", "br-host"):
        ip("link", "delete", device)


def told(name: str) -> dict[str, Any]:
    """What there are options for. The module tells it twice; both are the same."""
    found = succeed(run("virt_net_info", name=name))
    (network,), (declaration,) = found["networks"], found["declarations"]
    options = {key: value for key, value in network.items() if key in _specification()}
    assert options == {**declaration, "uuid": network["uuid"]}
    return options


def _given_back(name: str = "lab", *, keeps_uuid: bool = True) -> None:
    """Give back what is told: to the network, to one of its name without it, and to one with another UUID."""
    options = told(name)
    unchanged(**options)
    before, ran = definition(name), running(name)
    anew = dict(options)
    if not keeps_uuid:
        anew.pop("uuid")
    succeed(run(name=name, state="absent"))
    with handed_over() as given:
        change(**anew)
    for document in given:
        assert_valid(document)
    for was, now in ((before, definition(name)), (ran, running(name))):
        if not keeps_uuid:
            assert now != was
            was, now = _without_uuid(was), _without_uuid(now)
        assert meaning(now) == meaning(was)
    assert told(name) == {**options, "uuid": options["uuid"] if keeps_uuid else told(name)["uuid"]}


def _without_uuid(document: str) -> str:
    return re.sub(r"<uuid>.*?</uuid>", "", document)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.option)
def test_every_option(case: Case) -> None:
    base = {**(case.base or nat()), "state": "present"}
    if _is_too_old(case):
        assert f"network 'lab': {case.option}: " in run(**_merged(base, case.set[0]))["msg"]
        return
    for options in (case.set[0], case.changed[0]):
        succeed(run(**_merged(base, options)))
        _given_back()
        forget_networks()


@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("keeps_uuid", [True, False])
def test_every_mode(mode: str, keeps_uuid: bool) -> None:
    succeed(run(**ALL_MODES[mode]))
    _given_back(keeps_uuid=keeps_uuid)


RICH: dict[str, dict[str, Any]] = {
    "a laboratory": nat(
        mtu=1400,
        mac="52:54:00:aa:bb:01",
        ipv6=True,
        trust_guest_rx_filters=True,
        port_isolation=True,
        metadata={"urn:one": "<a:x xmlns:a='urn:one' z='1'>one<a:y/></a:x>", "urn:two": "<b xmlns='urn:two'>two</b>"},
        forward={
            "mode": "nat",
            "dev": "uplink0",
            "nat": {
                "addresses": {"start": "198.51.100.2", "end": "198.51.100.3"},
                "ports": {"start": 2000, "end": 3000},
                "ipv6": True,
            },
        },
        domain={"name": "lab.example", "local_only": True},
        ips=[
            {
                "address": "192.168.50.1/24",
                "local_ptr": True,
                "tftp_root": "/srv",
                "dhcp": {
                    "ranges": [span(100, 149), span(20, 29, lease={"expiry": 2, "unit": "hours"})],
                    "hosts": [lease(11), lease(10, lease={"expiry": 0})],
                    "bootp": {"file": "pxelinux.0", "server": "192.168.50.2"},
                },
            },
            {
                "address": "fd00:50::1/64",
                "local_ptr": True,
                "dhcp": {
                    "ranges": [{"start": "fd00:50::100", "end": "fd00:50::1ff"}],
                    "hosts": [{"id": "00:03:00:01:52:54:00:00:50:09", "name": "nine", "ip": "fd00:50::9"}],
                },
            },
        ],
        routes=[{"address": "10.1.0.0/16", "gateway": "192.168.50.9", "metric": 3}],
        dns={
            "forward_plain_names": False,
            "forwarders": [{"addr": "192.0.2.2"}, {"addr": "192.0.2.1"}, {"domain": "corp.example"}],
            "txts": [{"name": "b.example", "value": "<&> 'b'"}, {"name": "a.example", "value": 'a "quoted"'}],
            "srvs": [
                {"service": "ldap", "protocol": "tcp", "target": "dc.example", "port": 389, "priority": 1, "weight": 9},
                {"service": "sip", "protocol": "udp", "domain": "b.example"},
            ],
            "hosts": [{"ip": "192.168.50.9", "names": ["zeta", "alpha"]}, {"ip": "fd00:50::9", "names": ["nine"]}],
        },
        portgroups=[
            {"name": "slow", "bandwidth": {"inbound": {"average": 1000, "peak": 2000, "burst": 64}}},
            {"name": "fast", "default": True, "trust_guest_rx_filters": False},
        ],
        dnsmasq_options=["dhcp-option=42,0.0.0.0", "cname=www.example,web.example"],
    ),
    "Open vSwitch": {
        "name": "lab",
        "forward": {"mode": "bridge"},
        "bridge": {"name": "br-ovs"},
        "virtualport": {"type": "openvswitch", "profile_id": "menial"},
        "vlan": {"trunk": True, "tags": [{"id": 42, "native_mode": "untagged"}, {"id": 7}]},
        "portgroups": [
            {"name": "office", "vlan": {"tags": [{"id": 10}]}},
            {"name": "all", "vlan": {"trunk": True, "tags": [{"id": 10}]}, "default": True},
        ],
    },
    "functions of a card": {
        "name": "lab",
        "forward": {
            "mode": "hostdev",
            "managed": True,
            "driver": {"name": "vfio"},
            "addresses": ["0000:03:10.1", "0000:03:10.3"],
        },
        "vlan": {"tags": [{"id": 42}]},
        "portgroups": [{"name": "b", "vlan": {"tags": [{"id": 7}]}}],
    },
    "macvtap at a switch": {
        "name": "lab",
        "forward": {"mode": "vepa", "interfaces": ["veth-b", "veth-a"]},
        "virtualport": {
            "type": "802.1Qbg",
            "manager_id": 11,
            "type_id": 1193047,
            "type_id_version": 2,
            "instance_id": "0a0a0a0a-0000-4000-8000-000000000001",
        },
    },
    "IPv6 only, routed": {
        "name": "lab",
        "forward": {"mode": "route"},
        "bridge": {"name": "virbr-six", "stp": False, "delay": 4},
        "ips": [{"address": "fd00:60::1/64"}],
        "dns": {"enable": False},
    },
    "nothing": {"name": "lab"},
}


@pytest.mark.parametrize("what", RICH)
@pytest.mark.parametrize("keeps_uuid", [True, False])
def test_running_networks_of_many_options(what: str, keeps_uuid: bool) -> None:
    change(**RICH[what])
    _given_back(keeps_uuid=keeps_uuid)


@pytest.mark.parametrize("what", ["of everything", "of everything that runs here", *OTHERS])
@pytest.mark.parametrize("keeps_uuid", [True, False])
def test_networks_by_other_hands(what: str, keeps_uuid: bool) -> None:
    # No guest could be on such a port of libvirt's own bridge, and the module makes none.
    documents = {
        what: document.replace("<virtualport><parameters profileid='x'/></virtualport>", "")
        .replace("keep <", "keep<")
        .replace("> me", ">me")
        for what, document in (("of everything", FULL), ("of everything that runs here", STARTABLE))
    }
    by_hand(documents[what] if what in documents else OTHERS[what][0])
    _given_back("hand", keeps_uuid=keeps_uuid)


def test_many_at_once() -> None:
    networks = []
    for number, what in enumerate(("a laboratory", "Open vSwitch", "functions of a card", "IPv6 only, routed")):
        networks.append({**RICH[what], "name": f"net{number}"})
    succeed(run(networks=networks))
    declarations = succeed(run("virt_net_info"))["declarations"]
    assert [each["name"] for each in declarations] == ["net0", "net1", "net2", "net3"]
    unchanged(networks=declarations)
    before = {each["name"]: meaning(definition(each["name"])) for each in declarations}
    forget_networks()
    change(networks=declarations)
    assert {name: meaning(definition(name)) for name in before} == before
