# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net: every option is set, changed and unset, and what libvirt then has is what was asked for.

The table is complete: a test fails when an option of the argument specification is in no line of it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from harness import virsh
from harness.places import COLLECTIONS
from test_virt_net_kit import (
    assert_valid,
    change,
    definition,
    forget_networks,
    handed_over,
    ip,
    leaves,
    nat,
    open_vswitch,
    refuse,
    run,
    running,
    span,
    states,
    succeed,
    unchanged,
    virtual_functions,
    xpath,
)

# No value of the option asks for its removal.
NEVER = object()


@dataclass(frozen=True)
class Case:
    """An option by its dotted name, and the XPath in libvirt's document where it shows.

    ``set`` and ``changed`` are (options that declare it, what is found there). ``unset`` are options after which
    nothing is found, NEVER where there are none; then ``because`` says why. ``base`` are options declared before and
    beside it.
    """

    option: str
    path: str
    set: tuple[dict[str, Any], list[str]]
    changed: tuple[dict[str, Any], list[str]]
    unset: Any
    because: str = ""
    base: Any = None
    also: tuple[str, ...] = ()
    libvirt: int = 0


def _ip(**options: Any) -> dict[str, Any]:
    return {"ips": [{"address": "192.168.50.1/24", **options}]}


def _six(**options: Any) -> dict[str, Any]:
    return {"ips": [{"address": "fd00:50::1/64", **options}]}


def _dhcp(**options: Any) -> dict[str, Any]:
    return _ip(dhcp=options)


def _booted(bootp: dict[str, Any]) -> dict[str, Any]:
    return _dhcp(ranges=[span(100, 199)], bootp=bootp)


def _host(**options: Any) -> dict[str, Any]:
    return _dhcp(hosts=[{"mac": "52:54:00:00:50:09", "ip": "192.168.50.9", **options}])


def _nat(**options: Any) -> dict[str, Any]:
    return {"forward": {"nat": options}}


def _lease(expiry: int, **unit: str) -> dict[str, Any]:
    return {"lease": {"expiry": expiry, **unit}}


def _route(**options: Any) -> dict[str, Any]:
    return {"routes": [{"address": "10.1.0.0/16", "gateway": "192.168.50.9", **options}]}


def _group(options: dict[str, Any]) -> dict[str, Any]:
    return {"portgroups": [{"name": "a", **options}]}


def _dns(kind: str, **options: Any) -> dict[str, Any]:
    return {"dns": {kind: [options]}}


def _srv(**options: Any) -> dict[str, Any]:
    return _dns("srvs", service="ldap", protocol="tcp", **options)


def _metadata(text: str) -> dict[str, Any]:
    return {"metadata": {"urn:app": text and f"<a:x xmlns:a='urn:app'>{text}</a:x>"}}


_ADDRESSES = {"start": "198.51.100.2", "end": "198.51.100.3"}
_MACVTAP: dict[str, Any] = {"name": "lab", "forward": {"mode": "bridge", "interfaces": ["uplink0"]}}
_ON_BRIDGE: dict[str, Any] = {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}}
_OPEN_VSWITCH: dict[str, Any] = {**_ON_BRIDGE, "bridge": {"name": "br-ovs"}, "virtualport": {"type": "openvswitch"}}
_FUNCTIONS = ("0000:03:10.1", "0000:03:10.3")
_HOSTDEV: dict[str, Any] = {"name": "lab", "forward": {"mode": "hostdev", "addresses": [_FUNCTIONS[0]]}}
_UUIDS = ("0a0a0a0a-0000-4000-8000-000000000001", "0a0a0a0a-0000-4000-8000-000000000002")
_SIX = nat(ips=[{"address": "fd00:50::1/64"}])
_RANGE = "ip/dhcp/range"

Options = Callable[[dict[str, Any]], dict[str, Any]]


def _rates(prefix: str, path: str, of: Options) -> Iterator[Case]:
    """Bandwidth, of the network and of a portgroup."""
    for direction in ("inbound", "outbound"):
        for value, first, second in (("average", 1000, 2000), ("peak", 5000, 6000), ("burst", 1024, 64)):

            def rate(number: int, direction: str = direction, value: str = value) -> dict[str, Any]:
                return of({"bandwidth": {direction: {"average": 1000, value: number}}})

            yield Case(
                f"{prefix}bandwidth.{direction}.{value}",
                f"{path}bandwidth/{direction}/@{value}",
                (rate(first), [str(first)]),
                (rate(second), [str(second)]),
                rate(0),
            )


def _tags(prefix: str, path: str, of: Options) -> Iterator[Case]:
    """VLAN tags, of the network and of a portgroup."""

    def vlan(*tags: dict[str, Any], **options: Any) -> dict[str, Any]:
        return of({"vlan": {"tags": list(tags), **options}})

    five = {"id": 5}
    yield Case(
        f"{prefix}vlan.trunk",
        f"{path}vlan/@trunk",
        (vlan(five, trunk=True), ["yes"]),
        (vlan(five, trunk=False), []),
        vlan(five, trunk=False),
        base=_OPEN_VSWITCH,
    )
    yield Case(
        f"{prefix}vlan.tags.id",
        f"{path}vlan/tag/@id",
        (vlan(five), ["5"]),
        (vlan({"id": 6}, five), ["5", "6"]),
        vlan(),
        base=_OPEN_VSWITCH,
    )
    yield Case(
        f"{prefix}vlan.tags.native_mode",
        f"{path}vlan/tag/@nativeMode",
        (vlan({**five, "native_mode": "untagged"}), ["untagged"]),
        (vlan({**five, "native_mode": "none"}, {"id": 7, "native_mode": "tagged"}), ["tagged"]),
        vlan({**five, "native_mode": "none"}),
        base=_OPEN_VSWITCH,
    )


def _switchports(prefix: str, path: str, of: Options) -> Iterator[Case]:
    """Parameters of switches, of the network and of a portgroup."""

    def port(**options: Any) -> dict[str, Any]:
        return of({"virtualport": options})

    yield Case(
        f"{prefix}virtualport.type",
        f"{path}virtualport/@type",
        (port(type="openvswitch"), ["openvswitch"]),
        (port(type="midonet", interface_id=_UUIDS[0]), ["midonet"]),
        # The network's own can go with the switch only.
        port(type="none") if prefix else {**port(type="none", interface_id=""), "bridge": {"name": "br-host"}},
        base={**_OPEN_VSWITCH, "virtualport": {"type": "midonet", "interface_id": _UUIDS[1]}},
    )
    for option, attribute, kind, first, second, none in (
        ("manager_id", "managerid", "802.1Qbg", 11, 0, None),
        ("type_id", "typeid", "802.1Qbg", 1193047, 0, None),
        ("type_id_version", "typeidversion", "802.1Qbg", 2, 0, None),
        ("instance_id", "instanceid", "802.1Qbg", *_UUIDS, ""),
        ("interface_id", "interfaceid", "openvswitch", *_UUIDS, ""),
        ("profile_id", "profileid", "802.1Qbh", "finance", "x" * 39, ""),
    ):
        yield Case(
            f"{prefix}virtualport.{option}",
            f"{path}virtualport/parameters/@{attribute}",
            (port(type=kind, **{option: first}), [str(first)]),
            (port(type=kind, **{option: second}), [str(second)]),
            port(type="none") if none is None else port(type=kind, **{option: none}),
            base=_OPEN_VSWITCH if kind == "openvswitch" else _MACVTAP,
        )


CASES = (
    Case(
        "title",
        "title",
        ({"title": "a & <b>"}, ["a & <b>"]),
        ({"title": "Büro"}, ["Büro"]),
        {"title": ""},
        libvirt=9_007_000,
    ),
    Case(
        "description",
        "description",
        ({"description": "a & <b>"}, ["a & <b>"]),
        ({"description": "two\nlines"}, ["two\nlines"]),
        {"description": ""},
        libvirt=9_007_000,
    ),
    Case("metadata", "metadata/*", (_metadata("one"), ["one"]), (_metadata("two"), ["two"]), _metadata("")),
    Case("ipv6", "@ipv6", ({"ipv6": True}, ["yes"]), ({"ipv6": False}, []), {"ipv6": False}),
    Case(
        "trust_guest_rx_filters",
        "@trustGuestRxFilters",
        ({"trust_guest_rx_filters": True}, ["yes"]),
        ({"trust_guest_rx_filters": False}, ["no"]),
        NEVER,
        "false is written as such",
    ),
    Case("mtu", "mtu/@size", ({"mtu": 1400}, ["1400"]), ({"mtu": 9000}, ["9000"]), {"mtu": 0}),
    Case(
        "mac",
        "mac/@address",
        ({"mac": "52-54-00-AA-BB-01"}, ["52:54:00:aa:bb:01"]),
        ({"mac": "52:54:00:aa:bb:02"}, ["52:54:00:aa:bb:02"]),
        NEVER,
        "libvirt gives every such network a MAC",
    ),
    Case(
        "forward.mode",
        "forward/@mode",
        ({"forward": {"mode": "route"}}, ["route"]),
        ({"forward": {"mode": "open"}}, ["open"]),
        {"forward": {"mode": "isolated"}},
    ),
    Case(
        "forward.managed",
        "forward/@managed",
        ({"forward": {"managed": True}}, ["yes"]),
        ({"forward": {"managed": False}}, ["no"]),
        NEVER,
        "libvirt always writes it",
        base=_HOSTDEV,
    ),
    Case(
        "forward.driver.name",
        "forward/driver/@name",
        ({"forward": {"driver": {"name": "vfio"}}}, ["vfio"]),
        ({"forward": {"driver": {"name": "kvm"}}}, ["kvm"]),
        {"forward": {"driver": {"name": "none"}}},
        base=_HOSTDEV,
    ),
    Case(
        "forward.driver.model",
        "forward/driver/@model",
        ({"forward": {"driver": {"model": "mlx5_vfio_pci"}}}, ["mlx5_vfio_pci"]),
        ({"forward": {"driver": {"model": "other_vfio"}}}, ["other_vfio"]),
        {"forward": {"driver": {"model": ""}}},
        base=_HOSTDEV,
        libvirt=10_000_000,
    ),
    Case(
        "forward.addresses",
        "forward/address/@*",
        ({"forward": {"addresses": ["0000:03:10.3"]}}, ["pci", "0x0000", "0x03", "0x10", "0x3"]),
        ({"forward": {"addresses": ["03:10.1"]}}, ["pci", "0x0000", "0x03", "0x10", "0x1"]),
        {"forward": {"addresses": [], "pf": "uplink0"}},
        base=_HOSTDEV,
    ),
    Case(
        "forward.pf",
        "forward/pf/@dev",
        ({"forward": {"pf": "uplink0"}}, ["uplink0"]),
        ({"forward": {"pf": "veth-a"}}, ["veth-a"]),
        {"forward": {"pf": "", "addresses": [_FUNCTIONS[0]]}},
        base={"name": "lab", "forward": {"mode": "hostdev", "pf": "veth-b"}},
    ),
    Case(
        "forward.dev",
        "forward/@dev | forward/interface/@dev",
        ({"forward": {"dev": "uplink0"}}, ["uplink0"] * 2),
        ({"forward": {"dev": "veth-a"}}, ["veth-a"] * 2),
        {"forward": {"dev": ""}},
    ),
    Case(
        "forward.interfaces",
        "forward/interface/@dev",
        ({"forward": {"interfaces": ["veth-a"]}}, ["veth-a"]),
        ({"forward": {"interfaces": ["veth-b", "veth-a"]}}, ["veth-a", "veth-b"]),
        NEVER,
        "a macvtap network has at least one",
        base=_MACVTAP,
    ),
    Case(
        "forward.nat.addresses.start",
        "forward/nat/address/@start",
        (_nat(addresses=_ADDRESSES), ["198.51.100.2"]),
        (_nat(addresses={**_ADDRESSES, "start": "198.51.100.3"}), ["198.51.100.3"]),
        _nat(addresses={"start": "", "end": ""}),
    ),
    Case(
        "forward.nat.addresses.end",
        "forward/nat/address/@end",
        (_nat(addresses=_ADDRESSES), ["198.51.100.3"]),
        (_nat(addresses={**_ADDRESSES, "end": "198.51.100.4"}), ["198.51.100.4"]),
        _nat(addresses={"start": "", "end": ""}),
    ),
    Case(
        "forward.nat.ports.start",
        "forward/nat/port/@start",
        (_nat(ports={"start": 2000, "end": 3000}), ["2000"]),
        (_nat(ports={"start": 2500, "end": 3000}), ["2500"]),
        NEVER,
        "libvirt gives every NAT network a port range",
    ),
    Case(
        "forward.nat.ports.end",
        "forward/nat/port/@end",
        (_nat(ports={"start": 2000, "end": 3000}), ["3000"]),
        (_nat(ports={"start": 2000, "end": 3500}), ["3500"]),
        NEVER,
        "libvirt gives every NAT network a port range",
    ),
    Case(
        "forward.nat.ipv6",
        "forward/nat/@ipv6",
        (_nat(ipv6=True), ["yes"]),
        (_nat(ipv6=False), ["no"]),
        NEVER,
        "false is written as such",
    ),
    Case(
        "bridge.name",
        "bridge/@name",
        ({"bridge": {"name": "virbr-one"}}, ["virbr-one"]),
        ({"bridge": {"name": "a23456789012345"}}, ["a23456789012345"]),
        NEVER,
        "such a network has a bridge",
    ),
    Case(
        "bridge.stp",
        "bridge/@stp",
        ({"bridge": {"stp": False}}, ["off"]),
        ({"bridge": {"stp": True}}, ["on"]),
        NEVER,
        "libvirt always writes it",
    ),
    Case(
        "bridge.delay",
        "bridge/@delay",
        ({"bridge": {"delay": 4}}, ["4"]),
        ({"bridge": {"delay": 30}}, ["30"]),
        NEVER,
        "libvirt always writes it",
    ),
    Case(
        "bridge.zone",
        "bridge/@zone",
        ({"bridge": {"zone": "libvirt"}}, ["libvirt"]),
        ({"bridge": {"zone": "trusted"}}, ["trusted"]),
        {"bridge": {"zone": ""}},
    ),
    Case(
        "bridge.mac_table_manager",
        "bridge/@macTableManager",
        ({"bridge": {"mac_table_manager": "libvirt"}}, ["libvirt"]),
        ({"bridge": {"mac_table_manager": "kernel"}}, ["kernel"]),
        {"bridge": {"mac_table_manager": "none"}},
    ),
    Case(
        "domain.name",
        "domain/@name",
        ({"domain": {"name": "a.example"}}, ["a.example"]),
        ({"domain": {"name": "b.example"}}, ["b.example"]),
        {"domain": {"name": ""}},
    ),
    Case(
        "domain.local_only",
        "domain/@localOnly",
        ({"domain": {"local_only": True}}, ["yes"]),
        ({"domain": {"local_only": False}}, ["no"]),
        NEVER,
        "false is written as such",
        base=nat(domain={"name": "lab.example"}),
    ),
    Case(
        "domain.register",
        "domain/@register",
        ({"domain": {"register": True}}, ["yes"]),
        ({"domain": {"register": False}}, ["no"]),
        NEVER,
        "false is written as such",
        base=nat(domain={"name": "lab.example", "local_only": True}),
        libvirt=10_001_000,
    ),
    *_rates("", "", dict),
    *_tags("", "", dict),
    Case(
        "port_isolation",
        "port/@isolated",
        ({"port_isolation": True}, ["yes"]),
        ({"port_isolation": False}, ["no"]),
        NEVER,
        "false is written as such",
    ),
    Case(
        "ips.address",
        "ip/@address | ip/@prefix",
        (_ip(), ["192.168.50.1", "24"]),
        ({"ips": [{"address": "192.168.50.2/25"}]}, ["192.168.50.2", "25"]),
        {"ips": []},
        base={"name": "lab"},
    ),
    Case(
        "ips.local_ptr",
        "ip/@localPtr",
        (_ip(local_ptr=True), ["yes"]),
        (_ip(local_ptr=False), ["no"]),
        NEVER,
        "false is written as such",
    ),
    Case(
        "ips.tftp_root",
        "ip/tftp/@root",
        (_ip(tftp_root="/srv"), ["/srv"]),
        (_ip(tftp_root="/srv/a b"), ["/srv/a b"]),
        _ip(tftp_root=""),
    ),
    Case(
        "ips.dhcp.ranges.start",
        f"{_RANGE}/@start",
        (_dhcp(ranges=[span(100, 199)]), ["192.168.50.100"]),
        (_dhcp(ranges=[span(110, 199)]), ["192.168.50.110"]),
        _dhcp(ranges=[]),
    ),
    Case(
        "ips.dhcp.ranges.end",
        f"{_RANGE}/@end",
        (_dhcp(ranges=[span(100, 199)]), ["192.168.50.199"]),
        (_dhcp(ranges=[span(100, 149), span(160, 169)]), ["192.168.50.149", "192.168.50.169"]),
        _dhcp(ranges=[]),
    ),
    Case(
        "ips.dhcp.ranges.lease.expiry",
        f"{_RANGE}/lease/@expiry",
        (_dhcp(ranges=[span(100, 199, **_lease(5))]), ["5"]),
        (_dhcp(ranges=[span(100, 199, **_lease(0))]), ["0"]),
        _dhcp(ranges=[]),
    ),
    Case(
        "ips.dhcp.ranges.lease.unit",
        f"{_RANGE}/lease/@unit",
        (_dhcp(ranges=[span(100, 199, **_lease(600, unit="seconds"))]), ["seconds"]),
        (
            _dhcp(ranges=[span(100, 149, **_lease(600, unit="hours")), span(150, 199, **_lease(600, unit="minutes"))]),
            ["hours", "minutes"],
        ),
        _dhcp(ranges=[]),
    ),
    Case(
        "ips.dhcp.hosts.mac",
        "ip/dhcp/host/@mac",
        (_host(), ["52:54:00:00:50:09"]),
        (_host(mac="52:54:00:00:50:0A", name="a"), ["52:54:00:00:50:0a"]),
        _host(mac="", name="a"),
    ),
    Case(
        "ips.dhcp.hosts.id",
        "ip/dhcp/host/@id",
        (
            _six(dhcp={"hosts": [{"id": "00:03:00:01:52:54:00:00:50:09", "name": "a", "ip": "fd00:50::9"}]}),
            ["00:03:00:01:52:54:00:00:50:09"],
        ),
        (
            _six(dhcp={"hosts": [{"id": "00:03:00:01:52:54:00:00:50:0a", "name": "a", "ip": "fd00:50::9"}]}),
            ["00:03:00:01:52:54:00:00:50:0a"],
        ),
        _six(dhcp={"hosts": [{"name": "a", "ip": "fd00:50::9"}]}),
        base=_SIX,
    ),
    Case(
        "ips.dhcp.hosts.name",
        "ip/dhcp/host/@name",
        (_host(name="web"), ["web"]),
        (_host(name="db"), ["db"]),
        _host(name=""),
    ),
    Case(
        "ips.dhcp.hosts.ip",
        "ip/dhcp/host/@ip",
        (_host(), ["192.168.50.9"]),
        (_host(ip="192.168.50.8"), ["192.168.50.8"]),
        _dhcp(hosts=[]),
    ),
    Case(
        "ips.dhcp.hosts.lease.expiry",
        "ip/dhcp/host/lease/@expiry",
        (_host(**_lease(5)), ["5"]),
        (_host(**_lease(0)), ["0"]),
        _dhcp(hosts=[]),
    ),
    Case(
        "ips.dhcp.hosts.lease.unit",
        "ip/dhcp/host/lease/@unit",
        (_host(**_lease(600, unit="seconds")), ["seconds"]),
        (
            _dhcp(
                hosts=[
                    {"mac": "52:54:00:00:50:08", "ip": "192.168.50.8", **_lease(600, unit="hours")},
                    {"mac": "52:54:00:00:50:09", "ip": "192.168.50.9", **_lease(600, unit="minutes")},
                ]
            ),
            ["minutes", "hours"],
        ),
        _dhcp(hosts=[]),
    ),
    Case(
        "ips.dhcp.bootp.file",
        "ip/dhcp/bootp/@file",
        (_booted({"file": "pxelinux.0"}), ["pxelinux.0"]),
        (_booted({"file": "http://boot.example/a?b&c"}), ["http://boot.example/a?b&c"]),
        _booted({"file": "", "server": ""}),
        base=nat(dhcp={"ranges": [span(100, 199)]}),
    ),
    Case(
        "ips.dhcp.bootp.server",
        "ip/dhcp/bootp/@server",
        (_booted({"file": "pxelinux.0", "server": "192.168.50.2"}), ["192.168.50.2"]),
        (_booted({"file": "pxelinux.0", "server": "192.0.2.9"}), ["192.0.2.9"]),
        _booted({"file": "pxelinux.0", "server": ""}),
        base=nat(dhcp={"ranges": [span(100, 199)]}),
    ),
    Case(
        "routes.address",
        "route/@address | route/@prefix",
        (_route(), ["10.1.0.0", "16"]),
        (_route(address="10.2.0.0/17"), ["10.2.0.0", "17"]),
        {"routes": []},
    ),
    Case(
        "routes.gateway",
        "route/@gateway",
        (_route(), ["192.168.50.9"]),
        (_route(gateway="192.168.50.8"), ["192.168.50.8"]),
        {"routes": []},
    ),
    Case(
        "routes.metric",
        "route/@metric",
        (_route(metric=5), ["5"]),
        (_route(metric=4294967295), ["4294967295"]),
        _route(metric=0),
    ),
    Case(
        "dns.enable",
        "dns/@enable",
        ({"dns": {"enable": False}}, ["no"]),
        ({"dns": {"enable": True}}, ["yes"]),
        NEVER,
        "true is written as such",
    ),
    Case(
        "dns.forward_plain_names",
        "dns/@forwardPlainNames",
        ({"dns": {"forward_plain_names": False}}, ["no"]),
        ({"dns": {"forward_plain_names": True}}, ["yes"]),
        NEVER,
        "true is written as such",
    ),
    Case(
        "dns.forwarders.addr",
        "dns/forwarder/@addr",
        ({"dns": {"forwarders": [{"addr": "192.0.2.1"}]}}, ["192.0.2.1"]),
        ({"dns": {"forwarders": [{"addr": "192.0.2.2"}, {"addr": "2001:DB8::1"}]}}, ["192.0.2.2", "2001:db8::1"]),
        {"dns": {"forwarders": []}},
    ),
    Case(
        "dns.forwarders.domain",
        "dns/forwarder/@domain",
        ({"dns": {"forwarders": [{"domain": "a.example"}]}}, ["a.example"]),
        ({"dns": {"forwarders": [{"domain": "b.example", "addr": "192.0.2.2"}]}}, ["b.example"]),
        {"dns": {"forwarders": [{"addr": "192.0.2.2"}]}},
    ),
    Case(
        "dns.txts.name",
        "dns/txt/@name",
        (_dns("txts", name="a.example", value="v"), ["a.example"]),
        (_dns("txts", name="b.example", value="v"), ["b.example"]),
        {"dns": {"txts": []}},
    ),
    Case(
        "dns.txts.value",
        "dns/txt/@value",
        (_dns("txts", name="a.example", value="v=spf1 -all"), ["v=spf1 -all"]),
        (_dns("txts", name="a.example", value="<&> 'Büro'"), ["<&> 'Büro'"]),
        {"dns": {"txts": []}},
    ),
    Case(
        "dns.srvs.service",
        "dns/srv/@service",
        (_dns("srvs", service="ldap", protocol="tcp"), ["ldap"]),
        (_dns("srvs", service="sip", protocol="tcp"), ["sip"]),
        {"dns": {"srvs": []}},
    ),
    Case(
        "dns.srvs.protocol",
        "dns/srv/@protocol",
        (_dns("srvs", service="ldap", protocol="tcp"), ["tcp"]),
        (_dns("srvs", service="ldap", protocol="udp"), ["udp"]),
        {"dns": {"srvs": []}},
    ),
    Case(
        "dns.srvs.domain",
        "dns/srv/@domain",
        (_srv(domain="a.example"), ["a.example"]),
        (_srv(domain="b.example"), ["b.example"]),
        _srv(domain=""),
    ),
    Case(
        "dns.srvs.target",
        "dns/srv/@target",
        (_srv(target="a.example"), ["a.example"]),
        (_srv(target="b.example"), ["b.example"]),
        _srv(target=""),
    ),
    *(
        Case(
            f"dns.srvs.{option}",
            f"dns/srv/@{option}",
            (_srv(target="a.example", **{option: 389}), ["389"]),
            (_srv(target="a.example", **{option: 65535}), ["65535"]),
            _srv(target="a.example", **{option: 0}),
        )
        for option in ("port", "priority", "weight")
    ),
    Case(
        "dns.hosts.ip",
        "dns/host/@ip",
        ({"dns": {"hosts": [{"ip": "192.168.50.9", "names": ["a"]}]}}, ["192.168.50.9"]),
        ({"dns": {"hosts": [{"ip": "FD00::9", "names": ["a"]}]}}, ["fd00::9"]),
        {"dns": {"hosts": []}},
    ),
    Case(
        "dns.hosts.names",
        "dns/host/hostname",
        ({"dns": {"hosts": [{"ip": "192.168.50.9", "names": ["a"]}]}}, ["a"]),
        ({"dns": {"hosts": [{"ip": "192.168.50.9", "names": ["a", "b"]}]}}, ["a", "b"]),
        {"dns": {"hosts": []}},
    ),
    *_switchports("", "", dict),
    Case(
        "portgroups.name",
        "portgroup/@name",
        (_group({}), ["a"]),
        ({"portgroups": [{"name": "b"}, {"name": "c/0"}]}, ["b", "c/0"]),
        {"portgroups": []},
    ),
    Case(
        "portgroups.default",
        "portgroup/@default",
        (_group({"default": True}), ["yes"]),
        (_group({"default": False}), []),
        _group({"default": False}),
    ),
    Case(
        "portgroups.trust_guest_rx_filters",
        "portgroup/@trustGuestRxFilters",
        (_group({"trust_guest_rx_filters": True}), ["yes"]),
        (_group({"trust_guest_rx_filters": False}), ["no"]),
        {"portgroups": []},
    ),
    *_rates("portgroups.", "portgroup/", _group),
    *_tags("portgroups.", "portgroup/", _group),
    *_switchports("portgroups.", "portgroup/", _group),
    Case(
        "dnsmasq_options",
        "//*[local-name()='option']/@value",
        ({"dnsmasq_options": ["log-queries", "dhcp-option=42,0.0.0.0"]}, ["log-queries", "dhcp-option=42,0.0.0.0"]),
        ({"dnsmasq_options": ["dhcp-option=42,0.0.0.0", "log-queries"]}, ["dhcp-option=42,0.0.0.0", "log-queries"]),
        {"dnsmasq_options": []},
    ),
)

# Options that do not fit into the table: the file and the test that exercise all their values.
ELSEWHERE = {
    "uuid": ("test_virt_net_options.py", "TestUuid"),
    "uri": ("test_virt_net_uri.py", "TestTestDriver"),
    "name": ("test_virt_net.py", "TestNames"),
    "networks": ("test_virt_net.py", "TestMany"),
    "state": ("test_virt_net.py", "TestState"),
    "autostart": ("test_virt_net.py", "TestState"),
    "force": ("test_virt_net_guests.py", "TestInUse"),
    "if_restart_needed": ("test_virt_net_restart.py", "TestRestartNeeded"),
    "xml": ("test_virt_net_xml.py", "TestDocument"),
}


def _specification() -> dict[str, Any]:
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    return dict(
        importlib.import_module(
            "ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task"
        ).NETWORK_SPEC
    )


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


@pytest.fixture(scope="module", autouse=True)
def _devices() -> Iterator[None]:
    """What the options name."""
    ip("link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
    ip("link", "set", "veth-a", "up")
    ip("link", "set", "veth-b", "up")
    ip("link", "add", "br-host", "type", "bridge")
    with virtual_functions(*_FUNCTIONS), open_vswitch("br-ovs"):
        yield
    ip("link", "delete", "veth-a")
    ip("link", "delete", "br-host")


def _is_too_old(case: Case) -> bool:
    major, minor, release = (int(part) for part in virsh("version", "--daemon").split()[-1].split("."))
    return major * 1_000_000 + minor * 1_000 + release < case.libvirt


def test_the_table_names_every_option() -> None:
    spec = {name: option for name, option in _specification().items() if name not in ELSEWHERE}
    covered = [case.option for case in CASES]
    assert sorted(covered) == sorted(set(covered))
    assert sorted(covered) == sorted(leaves(spec))
    assert set(ELSEWHERE) == set(_specification()) - {case.option.partition(".")[0] for case in CASES} | {
        "uri",
        "networks",
    }
    for file, test in ELSEWHERE.values():
        assert f"class {test}" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def test_every_choice_is_tried() -> None:
    """Of the options that have a list of choices."""
    spec = _specification()
    assert set(spec["forward"]["options"]["mode"]["choices"]) == set(MODES)
    assert set(spec["state"]["choices"]) == {"active", "inactive", "present", "absent"}
    assert set(spec["if_restart_needed"]["choices"]) == {"defer", "restart", "fail"}
    tried = {option: set(values) for option, values in CHOICES.items()}
    for case in CASES:
        for options in (case.base, case.set[0], case.changed[0], case.unset):
            for value in _values(options, case.option.split(".")):
                tried.setdefault(case.option, set()).add(value)
    for option, choices in _choices(spec):
        if option not in ("forward.mode", "state", "if_restart_needed"):
            assert set(choices) <= tried[option], option


# Choices that the table has no room for, and the values that some other test tries.
CHOICES = {
    # By what network there is for a type: TestTypesOfPorts.
    "virtualport.type": {"802.1Qbg", "802.1Qbh"},
    "portgroups.virtualport.type": {"802.1Qbg", "802.1Qbh"},
    # Refused by the libvirt of Debian 12 whatever the host has: test_virt_net_refused.py.
    "forward.driver.name": {"xen"},
}


def _choices(spec: dict[str, Any], before: str = "") -> Iterator[tuple[str, list[str]]]:
    for name, option in spec.items():
        if option.get("choices"):
            yield f"{before}{name}", option["choices"]
        yield from _choices(option.get("options") or {}, f"{before}{name}.")


def _values(options: Any, path: list[str]) -> Iterator[Any]:
    """What the options say at a path, in every entry of a list."""
    if isinstance(options, list):
        for each in options:
            yield from _values(each, path)
    elif isinstance(options, dict) and path:
        yield from _values(options.get(path[0]), path[1:])
    elif isinstance(options, str) and not path:
        yield options


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.option)
def test_option(case: Case) -> None:
    base = {**(case.base or nat()), "state": "present"}
    if _is_too_old(case):
        # Not silently dropped, and not found out after the change.
        result = run(**_merged(base, case.set[0]))
        needed = f"{case.libvirt // 1_000_000}.{case.libvirt // 1_000 % 1_000}.0 does"
        assert result["msg"].startswith("Nothing was changed")
        assert f"network 'lab': {case.option}: " in result["msg"]
        assert needed in result["msg"]
        return
    with handed_over() as given:
        succeed(run(**base))
        # Set in a network that exists, and together with the rest of a new one.
        for options, found in (case.set, case.changed):
            _declare(base, options, case.path, found)
        forget_networks()
        _declare(base, case.set[0], case.path, case.set[1])
        if case.unset is not NEVER:
            _declare(base, case.unset, case.path, [])
        else:
            assert case.because
    for document in given:
        assert_valid(document)


def _declare(base: dict[str, Any], options: dict[str, Any], path: str, found: list[str]) -> None:
    declared = _merged(base, options)
    foreseen = succeed(run(check=True, **declared))
    result = change(**declared)
    assert foreseen["steps"] == result["steps"]
    assert foreseen["diff"] == result["diff"]
    assert xpath(definition(), path) == found
    assert_valid(definition())
    # An option that is not declared stays as it is.
    unchanged(name="lab", state="present")
    assert xpath(definition(), path) == found


def _merged(base: Any, options: Any) -> Any:
    """Groups are merged, all else is replaced."""
    if not (isinstance(base, dict) and isinstance(options, dict)):
        return options
    return {**base, **{name: _merged(base.get(name), value) for name, value in options.items()}}


MODES: dict[str, dict[str, Any]] = {
    "nat": nat(),
    "route": nat(forward={"mode": "route"}),
    "open": nat(forward={"mode": "open"}),
    "isolated": nat(forward={"mode": "isolated"}),
    "bridge": {"name": "lab", "forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}},
    "private": {"name": "lab", "forward": {"mode": "private", "interfaces": ["veth-a", "veth-b"]}},
    "vepa": {"name": "lab", "forward": {"mode": "vepa", "interfaces": ["veth-a"]}},
    "passthrough": {"name": "lab", "forward": {"mode": "passthrough", "interfaces": ["veth-a"]}},
    "hostdev": {"name": "lab", "forward": {"mode": "hostdev", "addresses": list(_FUNCTIONS)}},
}
ALL_MODES = {**MODES, "macvtap bridge": {"name": "lab", "forward": {"mode": "bridge", "interfaces": ["veth-b"]}}}


class TestModes:
    @pytest.mark.parametrize("mode", ALL_MODES)
    def test_mode(self, mode: str) -> None:
        change(**ALL_MODES[mode])
        assert states()["lab"] == ("active", "yes", "yes")
        expected = [] if mode == "isolated" else [mode.rpartition(" ")[2]]
        assert xpath(definition(), "forward/@mode") == expected
        assert_valid(definition())

    def test_a_new_network_without_a_mode_is_isolated(self) -> None:
        change(name="lab")
        assert xpath(definition(), "forward") == []

    # The others are as the ones here in all but the word.
    KINDS = ("nat", "open", "isolated", "bridge", "vepa", "macvtap bridge", "hostdev")

    @pytest.mark.parametrize("before", KINDS)
    @pytest.mark.parametrize("after", KINDS)
    def test_change_of_mode(self, before: str, after: str) -> None:
        """With no more said than a new network of the mode needs, and the removal of what it cannot have."""
        succeed(run(**ALL_MODES[before], state="present"))
        declared = dict(ALL_MODES[after])
        if "ips" not in declared:
            declared["ips"] = []
            # The bridge that libvirt made cannot stay; one of the host must be named.
            declared.setdefault("bridge", {"name": ""})
            declared["forward"] = {"interfaces": [], **declared["forward"]}
        if before == after:
            unchanged(**declared, state="present")
            return
        change(**declared, state="present")
        expected = [] if after == "isolated" else [after.rpartition(" ")[2]]
        assert xpath(definition(), "forward/@mode") == expected
        assert xpath(definition(), "bridge/@name") == [name for name in [declared["bridge"]["name"]] if name]
        assert_valid(definition())

    @pytest.mark.parametrize("end", ["nat", "bridge"])
    def test_what_belongs_to_a_mode_goes_with_it(self, end: str) -> None:
        addresses = {"start": "198.51.100.2", "end": "198.51.100.2"}
        rich = nat(
            forward={"mode": "nat", "dev": "uplink0", "nat": {"addresses": addresses, "ipv6": True}}, state="present"
        )
        succeed(run(**rich))
        for mode in ("route", "open", "isolated", "nat"):
            change(name="lab", forward={"mode": mode}, state="present")
        assert xpath(definition(), "forward/nat/address/@start") == []
        assert xpath(definition(), "forward/@dev") == []
        if end == "bridge":
            change(name="lab", forward={"mode": "bridge"}, bridge={"name": "br-host"}, ips=[], state="present")


class TestUuid:
    def test_a_new_network_has_it(self) -> None:
        change(**nat(uuid=_UUIDS[0].upper(), state="present"))
        assert virsh("net-uuid", "lab").strip() == _UUIDS[0]
        unchanged(name="lab", uuid=_UUIDS[0].replace("-", ""), state="present")

    def test_it_stays_through_changes_and_starts(self) -> None:
        succeed(run(**nat(uuid=_UUIDS[0])))
        change(**nat(mtu=1400, if_restart_needed="restart"))
        assert virsh("net-uuid", "lab").strip() == _UUIDS[0]
        assert xpath(running(), "uuid") == xpath(definition(), "uuid") == [_UUIDS[0]]

    @pytest.mark.parametrize("state", ["active", "present", "inactive"])
    def test_another_one_is_refused(self, state: str) -> None:
        succeed(run(**nat(uuid=_UUIDS[0], state=state)))
        message = refuse(name="lab", uuid=_UUIDS[1], state=state)
        assert f"network 'lab': uuid: the network has {_UUIDS[0]}, which never changes" in message
        assert "remove the network first" in message

    def test_an_empty_one_is_refused(self) -> None:
        succeed(run(**nat(uuid=_UUIDS[0], state="present")))
        assert "network 'lab': uuid: '' is not a UUID" in refuse(**nat(uuid="", state="present"))


class TestTypesOfPorts:
    """Each type of a virtual port with all of its parameters, on the kind of network that can have it."""

    TYPES: ClassVar[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
        "openvswitch": (_OPEN_VSWITCH, {"interface_id": _UUIDS[0], "profile_id": "menial"}),
        "midonet": (_OPEN_VSWITCH, {"interface_id": _UUIDS[0]}),
        "802.1Qbg": (
            _MACVTAP,
            {"manager_id": 11, "type_id": 1193047, "type_id_version": 2, "instance_id": _UUIDS[0]},
        ),
        "802.1Qbh": (_MACVTAP, {"profile_id": "finance"}),
    }

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("place", ["network", "portgroup"])
    def test_type(self, kind: str, place: str) -> None:
        base, parameters = self.TYPES[kind]
        port = {"virtualport": {"type": kind, **parameters}}
        with handed_over() as given:
            change(**{**base, **(port if place == "network" else _group(port))})
        path = "virtualport" if place == "network" else "portgroup/virtualport"
        for document in (definition(), running()):
            assert xpath(document, f"{path}/@type") == [kind]
            found = xpath(document, f"{path}/parameters/@*")
            assert sorted(found) == sorted(str(value) for value in parameters.values())
        none: dict[str, Any] = {"virtualport": {"type": "none"}}
        bridge: dict[str, Any] = {"bridge": {"name": "br-host"}} if base is _OPEN_VSWITCH else {}
        change(name="lab", **none, **bridge, **({} if place == "network" else _group(none)))
        assert xpath(definition(), "//virtualport") == []
        for document in given:
            assert_valid(document)

    def test_hostdev(self) -> None:
        change(**_HOSTDEV, virtualport={"type": "802.1Qbh", "profile_id": "finance"})
        assert xpath(running(), "virtualport/@type") == ["802.1Qbh"]

    def test_the_parameters_of_one_type_go_with_it(self) -> None:
        succeed(
            run(
                **{
                    **_OPEN_VSWITCH,
                    "virtualport": {"type": "openvswitch", "interface_id": _UUIDS[0], "profile_id": "a"},
                }
            )
        )
        change(name="lab", virtualport={"type": "midonet"})
        assert xpath(definition(), "virtualport/parameters/@*") == [_UUIDS[0]]
