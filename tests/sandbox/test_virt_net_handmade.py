# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net on networks made by hand: what it has no option for survives every change, with the uuid and the mac."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import pytest
from harness import virsh
from test_virt_net_kit import (
    assert_valid,
    by_hand,
    change,
    definition,
    forget_networks,
    handed_over,
    open_vswitch,
    run,
    running,
    succeed,
    unchanged,
    xpath,
)

UUID = "a0a0a0a0-0000-4000-8000-000000000001"
MAC = "52:54:00:aa:bb:01"

# {more} is what this kernel may not be able to start a network with.
HAND = """
<network ipv6='yes' trustGuestRxFilters='no' xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>hand</name>
  <uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid>
  <metadata><app:x xmlns:app='http://app.example/1'>keep <app:y z='1'/> me</app:x></metadata>
  <forward mode='nat'>
    <nat><address start='198.51.100.2' end='198.51.100.2'/><port start='2000' end='3000'/></nat>
  </forward>
  <bridge name='virbr-hand' stp='on' delay='0' {manager}/>
  <mac address='52:54:00:AA:bb:01'/>
  {bandwidth}
  <port isolated='yes'/>
  <domain name='hand.example' localOnly='yes'/>
  <dns forwardPlainNames='no'>
    <forwarder addr='192.0.2.1'/>
    <txt name='txt.example' value='some text'/>
    <srv service='ldap' protocol='tcp' domain='hand.example' target='x.hand.example' port='389' priority='1'/>
    <host ip='192.168.50.5'><hostname>zeta</hostname><hostname>alpha</hostname></host>
  </dns>
  <ip address='192.168.50.1' netmask='255.255.255.0' localPtr='yes'>
    <tftp root='/srv'/>
    <dhcp>
      <range start='192.168.50.100' end='192.168.50.150'><lease expiry='2' unit='hours'/></range>
      <host mac='52:54:00:AA:BB:02' name='two' ip='192.168.50.12'><lease expiry='3' unit='hours'/></host>
      <bootp file='pxelinux.0' server='192.168.50.2'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='fd00:50:0:0::1' prefix='64'/>
  <route family='ipv4' address='10.9.0.0' netmask='255.255.0.0' gateway='192.168.50.9' metric='4'/>
  <portgroup name='eng' default='yes'>
    <virtualport><parameters profileid='x'/></virtualport><bandwidth><inbound average='100'/></bandwidth>
  </portgroup>
  <dnsmasq:options><dnsmasq:option value='log-queries'/></dnsmasq:options>
</network>
"""
BANDWIDTH = "<bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='1000'/></bandwidth>"
FULL = HAND.format(manager="macTableManager='libvirt'", bandwidth=BANDWIDTH)
STARTABLE = HAND.format(manager="", bandwidth="")


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def _first(**options: Any) -> dict[str, Any]:
    """The network's two addresses, the first one with options."""
    return {"ips": [{"address": "192.168.50.1/24", **options}, {"address": "fd00:50::1/64"}]}


def _dhcp(**options: Any) -> dict[str, Any]:
    return _first(dhcp=options)


_BRIDGE = "<bridge name='virbr-hand' stp='on' delay='0' macTableManager='libvirt'/>"
_NAT = [
    "<forward mode='nat'>",
    "<nat>",
    "<address start='198.51.100.2' end='198.51.100.2'/>",
    "<port start='2000' end='3000'/>",
    "</nat>",
    "</forward>",
]
_HOST = ["<host mac='52:54:00:AA:BB:02' name='two' ip='192.168.50.12'>", "<lease expiry='3' unit='hours'/>", "</host>"]
_RANGE = ["<range start='192.168.50.100' end='192.168.50.150'>", "<lease expiry='2' unit='hours'/>", "</range>"]
_BOOTP = "<bootp file='pxelinux.0' server='192.168.50.2'/>"
_SIX = ["<ip family='ipv6' address='fd00:50::1' prefix='64'>", "</ip>"]
_ROUTE = "<route family='ipv4' address='10.9.0.0' netmask='255.255.0.0' gateway='192.168.50.9' metric='4'/>"
_DNS_HOST = ["<host ip='192.168.50.5'>", "<hostname>zeta</hostname>", "<hostname>alpha</hostname>", "</host>"]

# What is declared, and the only lines of libvirt's document that may go and come.
CHANGES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    ({"mtu": 1400}, [], ["<mtu size='1400'/>"]),
    ({"mac": "52:54:00:aa:bb:09"}, ["<mac address='52:54:00:aa:bb:01'/>"], ["<mac address='52:54:00:aa:bb:09'/>"]),
    ({"forward": {"mode": "route"}}, _NAT, ["<forward mode='route'/>"]),
    ({"forward": {"mode": "open"}}, _NAT, ["<forward mode='open'/>"]),
    ({"forward": {"mode": "isolated"}}, _NAT, []),
    ({"forward": {"dev": "uplink0"}}, _NAT[:1], ["<forward dev='uplink0' mode='nat'>", "<interface dev='uplink0'/>"]),
    ({"forward": {"nat": {"ports": {"start": 5000, "end": 6000}}}}, [_NAT[3]], ["<port start='5000' end='6000'/>"]),
    (
        {"forward": {"nat": {"addresses": {"start": "198.51.100.2", "end": "198.51.100.9"}}}},
        [_NAT[2]],
        ["<address start='198.51.100.2' end='198.51.100.9'/>"],
    ),
    ({"forward": {"nat": {"ipv6": True}}}, ["<nat>"], ["<nat ipv6='yes'>"]),
    ({"bridge": {"name": "virbr-h2"}}, [_BRIDGE], [_BRIDGE.replace("virbr-hand", "virbr-h2")]),
    ({"bridge": {"stp": False}}, [_BRIDGE], [_BRIDGE.replace("on", "off", 1)]),
    ({"bridge": {"delay": 3}}, [_BRIDGE], [_BRIDGE.replace("'0'", "'3'")]),
    ({"bridge": {"zone": "x"}}, [_BRIDGE], [_BRIDGE.replace(" stp", " zone='x' stp")]),
    (
        {"domain": {"name": "n.example"}},
        ["<domain name='hand.example' localOnly='yes'/>"],
        ["<domain name='n.example' localOnly='yes'/>"],
    ),
    (
        {"domain": {"local_only": False}},
        ["<domain name='hand.example' localOnly='yes'/>"],
        ["<domain name='hand.example' localOnly='no'/>"],
    ),
    ({"ips": [{"address": "192.168.50.1/24"}]}, _SIX, []),
    (_dhcp(ranges=[]), _RANGE, []),
    (_dhcp(hosts=[]), _HOST, []),
    (_dhcp(ranges=[], hosts=[]), ["<dhcp>", *_RANGE, *_HOST, _BOOTP, "</dhcp>"], []),
    (_dhcp(hosts=[{"mac": "52-54-00-aa-bb-02", "ip": "192.168.50.13"}]), [_HOST[0]], [_HOST[0].replace("12'", "13'")]),
    (
        _dhcp(hosts=[{"mac": "52:54:00:aa:bb:02", "ip": "192.168.50.12", "lease": {"expiry": 4}}]),
        [_HOST[1]],
        [_HOST[1].replace("3", "4")],
    ),
    (
        _dhcp(
            ranges=[
                {"start": "192.168.50.100", "end": "192.168.50.150"},
                {"start": "192.168.50.160", "end": "192.168.50.170"},
            ]
        ),
        [],
        ["<range start='192.168.50.160' end='192.168.50.170'/>"],
    ),
    (_first(tftp_root=""), ["<tftp root='/srv'/>"], []),
    (_first(tftp_root="/srv/x"), ["<tftp root='/srv'/>"], ["<tftp root='/srv/x'/>"]),
    (
        {
            "ips": [
                {"address": "192.168.50.1/24"},
                {"address": "fd00:50::1/64", "dhcp": {"ranges": [{"start": "fd00:50::10", "end": "fd00:50::20"}]}},
            ]
        },
        [],
        ["<dhcp>", "<range start='fd00:50::10' end='fd00:50::20'/>", "</dhcp>"],
    ),
    ({"routes": []}, [_ROUTE], []),
    (
        {"routes": [{"address": "10.9.0.0/16", "gateway": "192.168.50.9", "metric": 5}]},
        [_ROUTE],
        [_ROUTE.replace("'4'", "'5'")],
    ),
    (
        {"routes": [{"address": "10.8.0.0/16", "gateway": "192.168.50.9"}]},
        [_ROUTE],
        ["<route address='10.8.0.0' prefix='16' gateway='192.168.50.9'/>"],
    ),
    ({"dns": {"enable": True}}, ["<dns forwardPlainNames='no'>"], ["<dns enable='yes' forwardPlainNames='no'>"]),
    ({"dns": {"forwarders": []}}, ["<forwarder addr='192.0.2.1'/>"], []),
    ({"dns": {"forwarders": [{"addr": "192.0.2.3"}, {"addr": "192.0.2.1"}]}}, [], ["<forwarder addr='192.0.2.3'/>"]),
    ({"dns": {"hosts": []}}, _DNS_HOST, []),
    ({"dns": {"hosts": [{"ip": "192.168.50.5", "names": ["zeta", "alpha", "new"]}]}}, [], ["<hostname>new</hostname>"]),
    ({"dns": {"hosts": [{"ip": "192.168.50.5", "names": ["zeta"]}]}}, ["<hostname>alpha</hostname>"], []),
    ({"autostart": True}, [], []),
]


def _name(case: Any) -> str | None:
    return str(case).replace(" ", "")[:60] if isinstance(case, dict) else None


@pytest.mark.parametrize(("options", "gone", "come"), CHANGES, ids=_name)
def test_one_option_changes_and_all_else_stays(options: dict[str, Any], gone: list[str], come: list[str]) -> None:
    by_hand(FULL)
    before = definition("hand")
    with handed_over() as given:
        change(name="hand", state="present", **options)
    _differs(before, definition("hand"), gone, come)
    for document in (*given, definition("hand")):
        assert_valid(document)


def _differs(before: str, after: str, gone: list[str], come: list[str]) -> None:
    def lines(document: str) -> list[str]:
        return [line.strip() for line in document.splitlines() if line.strip()]

    found = list(difflib.ndiff(lines(before), lines(after)))
    assert sorted(line[2:] for line in found if line.startswith("- ")) == sorted(gone)
    assert sorted(line[2:] for line in found if line.startswith("+ ")) == sorted(come)
    assert xpath(after, "uuid") == [UUID]


LIVE: list[dict[str, Any]] = [
    _dhcp(hosts=[{"mac": "52:54:00:aa:bb:03", "name": "three", "ip": "192.168.50.13"}]),
    _dhcp(hosts=[{"mac": "52:54:00:aa:bb:02", "ip": "192.168.50.14"}]),
    _dhcp(ranges=[{"start": "192.168.50.200", "end": "192.168.50.210"}]),
    {"dns": {"hosts": [{"ip": "192.168.50.5", "names": ["beta"]}]}},
]


@pytest.mark.parametrize("options", LIVE, ids=_name)
def test_a_live_change_keeps_the_rest_in_both_documents(options: dict[str, Any]) -> None:
    by_hand(STARTABLE.replace("<tftp root='/srv'/>", ""), start=True)
    live, kept = running("hand"), definition("hand")
    result = change(name="hand", **options)
    assert not any("restart" in step or "stop" in step for step in result["steps"])
    for before, after in ((live, running("hand")), (kept, definition("hand"))):
        for path in (
            "metadata//text()",
            "//@localPtr",
            "//bootp/@file",
            "//txt/@value",
            "//srv/@target",
            "//@isolated",
            "portgroup//@profileid",
            "//@forwardPlainNames",
            "mac/@address",
            "uuid",
            "//*[local-name()='option']/@value",
            "@ipv6",
            "ip/@netmask",
            "route/@metric",
        ):
            assert xpath(before, path)
            assert xpath(after, path) == xpath(before, path)


@pytest.mark.parametrize("how", ["restart", "defer"])
def test_a_restart_keeps_the_rest(how: str) -> None:
    by_hand(STARTABLE.replace("<tftp root='/srv'/>", ""), start=True)
    before = definition("hand")
    change(name="hand", mtu=1400, autostart=False, if_restart_needed=how)
    _differs(before, definition("hand"), [], ["<mtu size='1400'/>"])
    assert xpath(running("hand"), "mac/@address") == [MAC]
    assert virsh("net-uuid", "hand").strip() == UUID


# Kinds of networks there is no mode for here, or little more than the mode.
OTHERS: dict[str, tuple[str, dict[str, Any], list[str], list[str]]] = {
    "Open vSwitch": (
        """<network><name>hand</name><uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid><forward mode='bridge'/>
        <bridge name='br-ovs'/><virtualport type='openvswitch'/>
        <vlan trunk='yes'><tag id='42' nativeMode='untagged'/><tag id='47'/></vlan>
        <portgroup name='a'><vlan><tag id='4'/></vlan></portgroup></network>""",
        {"bridge": {"name": "br-ovs2"}},
        ["<bridge name='br-ovs'/>"],
        ["<bridge name='br-ovs2'/>"],
    ),
    "802.1Qbg": (
        """<network><name>hand</name><uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid><forward mode='private'>
        <interface dev='uplink0'/></forward><virtualport type='802.1Qbh'><parameters profileid='x'/></virtualport>
        <portgroup name='b' default='yes'/></network>""",
        {"forward": {"mode": "vepa"}},
        ["<forward dev='uplink0' mode='private'>"],
        ["<forward dev='uplink0' mode='vepa'>"],
    ),
    "hostdev": (
        """<network><name>hand</name><uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid>
        <forward mode='hostdev' managed='yes'><driver name='vfio'/><pf dev='uplink0'/></forward></network>""",
        {"autostart": True},
        [],
        [],
    ),
    "an uplink named twice": (
        """<network><name>hand</name><uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid><forward mode='nat' dev='uplink0'>
        <nat><port start='1024' end='65535'/></nat><interface dev='uplink0'/></forward><bridge name='vb0'/>
        <ip address='192.168.50.1' netmask='255.255.255.0'/></network>""",
        {"forward": {"dev": ""}},
        ["<forward dev='uplink0' mode='nat'>", "<interface dev='uplink0'/>"],
        ["<forward mode='nat'>"],
    ),
    "an address of an old class": (
        """<network><name>hand</name><uuid>a0a0a0a0-0000-4000-8000-000000000001</uuid>
        <bridge name='vb0' stp='on' delay='0'/><mac address='52:54:00:aa:bb:01'/>
        <ip address='10.50.0.1'/><ip address='fd00:50::1' family='ipv6'/></network>""",
        {"ips": [{"address": "10.50.0.1/8"}, {"address": "fd00:50::1/64"}], "mtu": 1400},
        [],
        ["<mtu size='1400'/>"],
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_kinds_of_networks(what: str) -> None:
    document, options, gone, come = OTHERS[what]
    with open_vswitch("br-ovs", "br-ovs2"):
        by_hand(document)
        before = definition("hand")
        # What there is no option for is not mistaken for another option's value.
        unchanged(name="hand", state="present")
        change(name="hand", state="present", **options)
        _differs(before, definition("hand"), gone, come)
        forget_networks()


def test_entries_twice_are_left_alone_and_can_be_made_one() -> None:
    """libvirt lets such a definition pass; a declared list is exact all the same."""
    by_hand(
        "<network><name>hand</name><bridge name='vb0'/>"
        "<dns><host ip='192.168.50.5'><hostname>a</hostname></host>"
        "<host ip='192.168.50.5'><hostname>b</hostname></host></dns>"
        "<ip address='192.168.50.1' netmask='255.255.255.0'><dhcp>"
        "<host mac='52:54:00:00:00:01' ip='192.168.50.10'/><host mac='52:54:00:00:00:01' ip='192.168.50.11'/>"
        "</dhcp></ip></network>"
    )
    before = definition("hand")
    change(name="hand", mtu=1400, state="present")
    _differs_only_by_mtu = [line for line in definition("hand").splitlines() if "mtu" not in line]
    assert _differs_only_by_mtu == before.splitlines()
    change(
        name="hand",
        state="present",
        ips=[{"address": "192.168.50.1/24", "dhcp": {"hosts": [{"mac": "52:54:00:00:00:01", "ip": "192.168.50.11"}]}}],
        dns={"hosts": [{"ip": "192.168.50.5", "names": ["b"]}]},
    )
    assert xpath(definition("hand"), "ip/dhcp/host/@ip") == ["192.168.50.11"]
    assert xpath(definition("hand"), "dns/host/hostname") == ["b"]


def test_order_of_addresses_in_the_two_documents_does_not_matter() -> None:
    """An administrator edited the definition while the network runs; a live change then goes to the right address."""
    four = (
        "<ip address='192.168.50.1' prefix='24'><dhcp><range start='192.168.50.100' end='192.168.50.110'/></dhcp></ip>"
    )
    six = (
        "<ip family='ipv6' address='fd00:50::1' prefix='64'><dhcp><range start='fd00:50::10' end='fd00:50::20'/>"
        "</dhcp></ip>"
    )
    head = f"<network><name>hand</name><uuid>{UUID}</uuid><bridge name='vb0'/><mac address='{MAC}'/>"
    by_hand(f"{head}{four}{six}</network>", start=True)
    by_hand(f"{head}{six}{four}</network>")
    host = {"mac": "52:54:00:00:00:01", "ip": "192.168.50.9"}
    change(name="hand", ips=[{"address": "192.168.50.1/24", "dhcp": {"hosts": [host]}}, {"address": "fd00:50::1/64"}])
    for document in (running("hand"), definition("hand")):
        assert xpath(document, "ip[@address='192.168.50.1']/dhcp/host/@ip") == ["192.168.50.9"]


def test_info_gives_it_back_unchanged() -> None:
    by_hand(FULL)
    (network,) = succeed(run("virt_net_info", name="hand"))["networks"]
    options = {name: value for name, value in network.items() if name not in READ_ONLY}
    unchanged(**options)


READ_ONLY = {"uuid", "persistent", "leases", "guests", "pending"}
