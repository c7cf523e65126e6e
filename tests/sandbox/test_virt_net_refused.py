# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""virt_net: what cannot be had is refused before the first change, for all networks of the task at once.

Every message names the option, the object and the way out; every refusal leaves the host as it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness import host_state, libvirtd, module, virsh
from test_virt_net_kit import (
    by_hand,
    change,
    documents,
    fingerprint,
    forget_networks,
    in_process_of_its_own,
    ip,
    lease,
    links,
    nat,
    refuse,
    run,
    span,
    states,
    succeed,
)


@pytest.fixture(autouse=True)
def _empty_host() -> Iterator[None]:
    yield
    forget_networks()


def _ip(address: str, **options: Any) -> dict[str, Any]:
    return {"ips": [{"address": address, **options}]}


def _dhcp(**options: Any) -> dict[str, Any]:
    return _ip("192.168.50.1/24", dhcp=options)


def _six(**options: Any) -> dict[str, Any]:
    return _ip("fd00:50::1/64", dhcp=options)


def _range(first: str, last: str, **options: Any) -> dict[str, Any]:
    return {"ranges": [{"start": first, "end": last, **options}]}


def _srv(**options: Any) -> dict[str, Any]:
    return {"dns": {"srvs": [options]}}


def _group(**options: Any) -> dict[str, Any]:
    return {"portgroups": [{"name": "a", **options}]}


_TAGS = {"vlan": {"tags": [{"id": 5}]}}
_NO_OWN_PORTS = "ports of a bridge that libvirt makes have none"
_MACVTAP = {"forward": {"mode": "vepa", "interfaces": ["uplink0"]}}
_ON_BRIDGE = {"forward": {"mode": "bridge"}, "bridge": {"name": "br-host"}}

# By what is wrong: the options, and what the message has to hold besides the network's name.
WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    # Names of devices.
    "a bridge of 16 bytes": (
        {"bridge": {"name": "a234567890123456"}},
        ["bridge.name: 'a234567890123456' has 16 bytes, and the kernel takes at most 15. Choose a shorter name"],
    ),
    "a bridge of 16 bytes in 9 letters": (
        {"bridge": {"name": "brücken-üä"}},
        ["bridge.name", "name"],
    ),
    "a bridge with a slash": ({"bridge": {"name": "br/0"}}, ["bridge.name: 'br/0' is not a name for a network device"]),
    "a bridge with a blank": ({"bridge": {"name": "br 0"}}, ["bridge.name: 'br 0' is not a name for a network device"]),
    "a bridge with a line end": ({"bridge": {"name": "br0\n"}}, ["bridge.name", "is not a name for a network device"]),
    "a bridge like an option": ({"bridge": {"name": "-br0"}}, ["bridge.name: '-br0' is not a name"]),
    "a bridge like a template": ({"bridge": {"name": "virbr%d"}}, ["bridge.name: 'virbr%d' is not a name"]),
    "a bridge named ..": ({"bridge": {"name": ".."}}, ["bridge.name: '..' is not a name"]),
    "a bridge named as the kernel's settings for all devices": ({"bridge": {"name": "all"}}, ["bridge.name", "'all'"]),
    "a bridge named as the kernel's settings for new devices": (
        {"bridge": {"name": "default"}},
        ["bridge.name", "'default'"],
    ),
    "a bridge that is another device": (
        {"bridge": {"name": "uplink0"}},
        ["bridge.name", "'uplink0'", "choose another name"],
    ),
    "no such uplink": (
        {"forward": {"mode": "nat", "dev": "nope0"}},
        ["forward.dev: this host has no device 'nope0'. Make it first, or name another"],
    ),
    # Addresses of the network.
    "no prefix": (_ip("192.168.50.1"), ["ips[0].address: '192.168.50.1' has no prefix", "192.168.50.1/24"]),
    "no address": (_ip(""), ["ips[0].address"]),
    "no such netmask": (
        _ip("192.168.50.1/255.0.255.0"),
        ["ips[0].address: '192.168.50.1/255.0.255.0' is not an address"],
    ),
    "a prefix too long": (_ip("192.168.50.1/33"), ["ips[0].address: '192.168.50.1/33' is not an address"]),
    "an address with a zone": (_ip("fe80::1%eth0/64"), ["ips", "fe80::1%eth0"]),
    "the network's own address": (_ip("192.168.50.0/24"), ["ips", "192.168.50.0"]),
    "the broadcast address": (_ip("192.168.50.255/24"), ["ips", "192.168.50.255"]),
    "a multicast address": (_ip("ff02::1/64"), ["ips", "ff02::1"]),
    "the loopback address": (_ip("::1/128"), ["ips", "::1"]),
    "an address twice": (
        {"ips": [{"address": "192.168.50.1/24"}, {"address": "192.168.50.1/25"}]},
        ["ips[1]: the address 192.168.50.1 stands already at number 0. Keep one"],
    ),
    "the host's subnet": (
        _ip("198.51.100.129/25"),
        [
            (
                "ips[198.51.100.129/25].address: the subnet 198.51.100.128/25 overlaps 198.51.100.0/24 of the host's "
                "device uplink0. Choose another subnet"
            )
        ],
    ),
    "a subnet around the host's": (_ip("198.51.0.1/16"), ["198.51.0.0/16 overlaps 198.51.100.0/24", "uplink0"]),
    "the host's IPv6 subnet": (_ip("2001:db8:100::99/112"), ["overlaps 2001:db8:100::/64", "uplink0"]),
    "everything": (_ip("10.0.0.1/0"), ["overlaps", "uplink0"]),
    "a NAT network without an address": ({"ips": []}, ["ips: a network in mode nat needs an address"]),
    # DHCP.
    "a range outside": (
        _dhcp(**_range("192.168.51.10", "192.168.51.20")),
        [
            (
                "ips[192.168.50.1/24].dhcp.ranges[192.168.51.10 to 192.168.51.20]: 192.168.51.10 and "
                "192.168.51.20 lie outside of 192.168.50.0/24. Use addresses inside it"
            )
        ],
    ),
    "a range half outside": (
        _dhcp(**_range("192.168.50.250", "192.168.51.20")),
        ["192.168.51.20 lies outside of 192.168.50.0/24"],
    ),
    "a range of the other family": (
        _dhcp(**_range("fd00::1", "fd00::2")),
        ["dhcp.ranges", "outside of 192.168.50.0/24"],
    ),
    "a range of two families": (_dhcp(**_range("192.168.50.10", "fd00::2")), ["dhcp.ranges", "not of one IP version"]),
    "a range backwards": (
        _dhcp(**_range("192.168.50.20", "192.168.50.10")),
        ["dhcp.ranges[192.168.50.20 to 192.168.50.10]: 192.168.50.20 is above 192.168.50.10. Swap start and end"],
    ),
    "a range with the host in it": (
        _dhcp(**_range("192.168.50.1", "192.168.50.9")),
        ["dhcp.ranges", "192.168.50.1 is inside"],
    ),
    "a range with the network's address": (
        _dhcp(**_range("192.168.50.0", "192.168.50.0")),
        ["dhcp.ranges", "192.168.50.0"],
    ),
    "a range with the broadcast address": (
        _dhcp(**_range("192.168.50.250", "192.168.50.255")),
        ["dhcp.ranges", "192.168.50.255"],
    ),
    "ranges that overlap": (
        _dhcp(ranges=[span(100, 120), span(120, 130)]),
        ["dhcp.ranges[192.168.50.120 to 192.168.50.130]: it overlaps the range"],
    ),
    "a range twice": (_dhcp(ranges=[span(100, 120), span(100, 120)]), ["dhcp.ranges[1]: the range", "Keep one"]),
    "a range larger than libvirt takes": (
        _ip("10.50.0.1/8", dhcp=_range("10.50.0.2", "10.60.0.1")),
        ["dhcp.ranges", "10.50.0.2 to 10.60.0.1"],
    ),
    "an IPv6 range larger than libvirt takes": (_six(**_range("fd00:50::1:0", "fd00:50::2:ffff")), ["dhcp.ranges"]),
    "a range that is no range": (
        _dhcp(**_range("192.168.50.10", "ten")),
        ["ranges[0].end: 'ten' is not an IPv4 or IPv6"],
    ),
    "an empty end": (_dhcp(**_range("192.168.50.10", "")), ["ranges[0].end"]),
    "DHCPv6 in a prefix dnsmasq refuses": (
        _ip("fd00:50::1/63", dhcp=_range("fd00:50::10", "fd00:50::20")),
        ["ips[fd00:50::1/63]"],
    ),
    "a lease shorter than libvirt takes": (
        _dhcp(ranges=[span(100, 120, lease={"expiry": 119, "unit": "seconds"})]),
        ["ranges", "lease"],
    ),
    "a lease of one minute": (_dhcp(ranges=[span(100, 120, lease={"expiry": 1})]), ["ranges", "lease"]),
    "a fixed lease shorter than libvirt takes": (
        _dhcp(hosts=[lease(9, lease={"expiry": 1, "unit": "minutes"})]),
        ["hosts", "lease"],
    ),
    "DHCP on two IPv4 addresses": (
        {
            "ips": [
                {"address": f"192.168.{n}.1/24", "dhcp": {"ranges": [span(9, 10, f"192.168.{n}")]}} for n in (50, 51)
            ]
        },
        ["ips[192.168.51.1/24].dhcp: libvirt serves DHCP on one IPv4 address of a network, and 192.168.50.1/24 has it"],
    ),
    # Fixed leases.
    "a fixed lease twice for a MAC": (
        _dhcp(hosts=[lease(9), lease(8, mac="52-54-00-00-50-09")]),
        [("ips[0].dhcp.hosts[1]: the fixed lease of 52:54:00:00:50:09 stands already at number 0. Keep one")],
    ),
    "a fixed lease twice for an address": (
        _dhcp(hosts=[lease(8), lease(9, ip="192.168.50.8")]),
        [
            (
                "ips[192.168.50.1/24].dhcp.hosts[52:54:00:00:50:09].ip: 192.168.50.8 has a fixed lease already, for "
                "52:54:00:00:50:08. Keep one"
            )
        ],
    ),
    "a fixed lease twice for a name": (
        _dhcp(hosts=[lease(8), lease(9, name="guest8")]),
        ["hosts[52:54:00:00:50:09].name: guest8 has a fixed lease already"],
    ),
    "a fixed lease outside": (
        _dhcp(hosts=[lease(9, ip="192.168.51.9")]),
        ["hosts[52:54:00:00:50:09].ip: 192.168.51.9 is outside of 192.168.50.0/24"],
    ),
    "a fixed lease of the host's address": (
        _dhcp(hosts=[lease(9, ip="192.168.50.1")]),
        ["192.168.50.1 is the host's own"],
    ),
    "a fixed lease of the broadcast address": (
        _dhcp(hosts=[lease(9, ip="192.168.50.255")]),
        ["hosts", "192.168.50.255"],
    ),
    "a fixed lease for nobody": (_dhcp(hosts=[{"ip": "192.168.50.9"}]), ["hosts", "192.168.50.9", "mac"]),
    "a fixed lease for no MAC": (
        _dhcp(hosts=[lease(9, mac="52:54:0:1:2:3")]),
        ["hosts[0].mac: '52:54:0:1:2:3' is not a MAC"],
    ),
    "a fixed lease for a number": (_dhcp(hosts=[lease(9, mac="31952:54")]), ["hosts[0].mac: '31952:54' is not a MAC"]),
    "a fixed lease for a multicast MAC": (
        _dhcp(hosts=[lease(9, mac="01:00:5e:00:00:01")]),
        ["hosts[0].mac", "multicast"],
    ),
    "a host name libvirt refuses": (_dhcp(hosts=[lease(9, name="_web")]), ["hosts", "name", "_web"]),
    "a host name that smuggles a lease time": (
        _dhcp(hosts=[lease(9, name="web,infinite")]),
        ["hosts", "name", "web,infinite"],
    ),
    "a host name with a blank": (_dhcp(hosts=[lease(9, name="we b")]), ["hosts", "name", "we b"]),
    "a DUID for IPv4": (_dhcp(hosts=[lease(9, id="00:03:00:01:52:54:00:00:50:09")]), ["hosts", "id"]),
    "a MAC for IPv6": (_six(hosts=[{"mac": "52:54:00:00:50:09", "ip": "fd00:50::9"}]), ["hosts", "mac", "DUID"]),
    "a DUID that is none": (_six(hosts=[{"id": "zz", "ip": "fd00:50::9"}]), ["hosts", "id", "zz"]),
    # DNS.
    "a forwarder to nowhere": ({"dns": {"forwarders": [{}]}}, ["dns.forwarders[0]", "addr"]),
    "a forwarder twice": (
        {"dns": {"forwarders": [{"addr": "192.0.2.1"}, {"addr": "192.0.2.1"}]}},
        ["dns.forwarders[1]: the forwarder", "Keep one"],
    ),
    "a forwarder for no domain": (
        {"dns": {"forwarders": [{"domain": "a/b", "addr": "192.0.2.1"}]}},
        ["forwarders[0].domain"],
    ),
    "a DNS entry without names": ({"dns": {"hosts": [{"ip": "192.168.50.1", "names": []}]}}, ["dns.hosts[0].names"]),
    "a DNS entry with an empty name": (
        {"dns": {"hosts": [{"ip": "192.168.50.1", "names": [""]}]}},
        ["dns.hosts[0].names"],
    ),
    "a DNS name with a blank": (
        {"dns": {"hosts": [{"ip": "192.168.50.1", "names": ["a b"]}]}},
        ["dns.hosts[0].names[0]"],
    ),
    "a DNS name that is none": (
        {"dns": {"hosts": [{"ip": "192.168.50.1", "names": ["a<b>"]}]}},
        ["dns.hosts[0].names[0]"],
    ),
    "a DNS entry twice": (
        {"dns": {"hosts": [{"ip": "fd00::1", "names": ["a"]}, {"ip": "FD00:0::1", "names": ["b"]}]}},
        ["dns.hosts[1]: the DNS entry of fd00::1 stands already at number 0. Keep one"],
    ),
    "names where no DNS is served": (
        {"dns": {"enable": False, "hosts": [{"ip": "192.168.50.1", "names": ["a"]}]}},
        ["dns.enable"],
    ),
    "forwarders where no DNS is served": (
        {"dns": {"enable": False, "forwarders": [{"addr": "192.0.2.1"}]}},
        ["dns.enable"],
    ),
    "a local domain without a name": ({"domain": {"local_only": True}}, ["domain"]),
    "a domain with a comma": ({"domain": {"name": "a,b"}}, ["domain.name", "a,b"]),
    # Routes.
    "a route without a prefix": (
        {"routes": [{"address": "10.1.0.0", "gateway": "192.168.50.9"}]},
        ["routes[0].address", "/16"],
    ),
    "a route to an address in a network": (
        {"routes": [{"address": "10.1.2.3/16", "gateway": "192.168.50.9"}]},
        ["routes[0].address", "Write 10.1.0.0/16"],
    ),
    "a route to nobody": (
        {"routes": [{"address": "10.1.0.0/16", "gateway": "10.0.0.1"}]},
        ["routes[10.1.0.0/16].gateway: 10.0.0.1 is in no subnet of this network"],
    ),
    "a route over the other family": (
        {"routes": [{"address": "fd09::/64", "gateway": "192.168.50.9"}]},
        ["routes[fd09::/64].gateway"],
    ),
    # The rest.
    "NAT to IPv6 addresses": (
        {"forward": {"mode": "nat", "nat": {"addresses": {"start": "2001:db8::1", "end": "2001:db8::2"}}}},
        ["forward.nat.addresses"],
    ),
    "NAT to addresses backwards": (
        {"forward": {"mode": "nat", "nat": {"addresses": {"start": "198.51.100.9", "end": "198.51.100.8"}}}},
        ["forward.nat.addresses: 198.51.100.9 is above 198.51.100.8. Swap start and end"],
    ),
    "NAT to half a range": (
        {"forward": {"mode": "nat", "nat": {"addresses": {"start": "198.51.100.9", "end": ""}}}},
        ["forward.nat.addresses"],
    ),
    "NAT to ports backwards": (
        {"forward": {"mode": "nat", "nat": {"ports": {"start": 3000, "end": 2000}}}},
        ["forward.nat.ports: 3000 is above 2000. Swap start and end"],
    ),
    "NAT in another mode": (
        {"forward": {"mode": "route", "nat": {"ipv6": True}}},
        ["forward.nat: only the mode nat translates addresses"],
    ),
    "macvtap devices of a NAT network": (
        {"forward": {"mode": "nat", "interfaces": ["uplink0"]}},
        ["forward.interfaces: the mode nat does not put guests on"],
    ),
    "an MTU too small": ({"mtu": 67}, ["mtu: 67 is not between 68 and 65535"]),
    "an MTU too large": ({"mtu": 65536}, ["mtu: 65536 is not between 68 and 65535"]),
    "an MTU too small for IPv6": ({"mtu": 1000, "ips": [{"address": "fd00:50::1/64"}]}, ["mtu", "1280"]),
    "a delay too long": ({"bridge": {"delay": 31}}, ["bridge.delay: 31 is not between 0 and 30"]),
    "a MAC of zeros": ({"mac": "00:00:00:00:00:00"}, ["mac", "00:00:00:00:00:00"]),
    "a multicast MAC": ({"mac": "01:00:5e:00:00:01"}, ["mac: '01:00:5e:00:00:01' is a multicast MAC address"]),
    "a TFTP folder that is relative": (_ip("192.168.50.1/24", tftp_root="srv"), ["ips[0].tftp_root", "absolute path"]),
    "a TFTP folder that is not there": (_ip("192.168.50.1/24", tftp_root="/srv/none"), ["tftp_root", "/srv/none"]),
    "TFTP over IPv6": (_ip("fd00:50::1/64", tftp_root="/srv"), ["tftp_root"]),
    "a title of two lines": ({"title": "a\nb"}, ["title", "control character"]),
    "a name with a slash": ({"name": "a/b"}, ["name: 'a/b' is not a name for a network"]),
    "a name with a line end": ({"name": "a\nb"}, ["name"]),
    # SRV and TXT records. From here on, and in the modes below, each was tried on libvirt 9.0 by hand: it refuses the
    # definition where no other comment stands.
    "an SRV record without a service": (_srv(protocol="tcp"), ["dns.srvs[tcp].service: an SRV record needs one"]),
    "an SRV record without a protocol": (_srv(service="ldap"), ["dns.srvs[ldap].protocol: an SRV record needs one"]),
    "an SRV record with the port of nobody": (
        _srv(service="ldap", protocol="tcp", port=389),
        ["dns.srvs[ldap tcp].port: this is about the target. Give target, or remove it"],
    ),
    # libvirt 9.0 defines and starts it.
    "an SRV record twice": (
        {"dns": {"srvs": [{"service": "ldap", "protocol": "tcp", "port": port} for port in (389, 390)]}},
        ["dns.srvs[1]: the SRV record ldap to tcp stands already at number 0. Keep one"],
    ),
    "a service with a dot": (_srv(service="l.dap", protocol="tcp"), ["dns.srvs[0].service: 'l.dap' is not the name"]),
    "a port that is none": (
        _srv(service="ldap", protocol="tcp", target="x", port=65536),
        ["dns.srvs[0].port: 65536 is not between 1 and 65535"],
    ),
    # libvirt 9.0 defines and starts it.
    "a TXT record twice": (
        {"dns": {"txts": [{"name": "a", "value": value} for value in "xy"]}},
        ["dns.txts[1]: the TXT record a stands already at number 0. Keep one"],
    ),
    "a TXT record with a blank in its name": (
        {"dns": {"txts": [{"name": "a b", "value": "v"}]}},
        ["dns.txts[0].name: 'a b' is not a name for a TXT record"],
    ),
    # libvirt 9.0 defines and starts it.
    "a TXT record of nothing": ({"dns": {"txts": [{"name": "a", "value": ""}]}}, ["dns.txts[0].value"]),
    "records where no DNS is served": (
        {"dns": {"enable": False, "txts": [{"name": "a", "value": "v"}]}},
        ["dns.enable", "dns.txts: []"],
    ),
    # Booting.
    # libvirt 9.0 defines and starts it.
    "a boot file where no DHCP is served": (
        _dhcp(bootp={"file": "pxelinux.0"}),
        ["ips[192.168.50.1/24].dhcp.bootp: no guest asks where no DHCP is served. Give ranges or hosts"],
    ),
    # libvirt 9.0 defines and starts it.
    "a boot server without a file": (
        _dhcp(ranges=[span(9, 10)], bootp={"file": "", "server": "192.168.50.2"}),
        ["ips[192.168.50.1/24].dhcp.bootp.file: this is missing"],
    ),
    "a boot server that is no address": (
        _dhcp(ranges=[span(9, 10)], bootp={"file": "x", "server": "boot.example"}),
        ["ips[0].dhcp.bootp.server: 'boot.example' is not an IPv4 or IPv6 address"],
    ),
    # libvirt 9.0 defines and starts it.
    "a boot file over IPv6": (
        _six(ranges=[{"start": "fd00:50::10", "end": "fd00:50::20"}], bootp={"file": "x"}),
        ["ips[fd00:50::1/64].dhcp.bootp: libvirt serves it over IPv4 only"],
    ),
    # libvirt 9.0 defines it, and refuses the start.
    "a reverse zone between the bytes": (
        _ip("192.168.50.1/25", local_ptr=True),
        ["ips[192.168.50.1/25].local_ptr: no reverse zone has a prefix of 25. Use a multiple of 8, or remove it"],
    ),
    # Guests' ports.
    "two default portgroups": (
        {"portgroups": [{"name": name, "default": True} for name in ("a", "b", "c")]},
        ["portgroups: a and b and c are both the default"],
    ),
    "a portgroup twice": (
        {"portgroups": [{"name": "a"}, {"name": "a"}]},
        ["portgroups[1]: the portgroup a stands already at number 0. Keep one"],
    ),
    # libvirt 9.0 defines and starts it.
    "a portgroup with a blank": ({"portgroups": [{"name": "a b"}]}, ["portgroups[0].name: 'a b' is not a name"]),
    "a portgroup without a name": ({"portgroups": [{"name": ""}]}, ["portgroups[0].name"]),
    "VLAN tags on a NAT network": (
        _TAGS,
        ["vlan: a network in mode nat has no VLAN tags. Remove it, or use the mode hostdev, passthrough, or bridge"],
    ),
    "VLAN tags in a portgroup of a NAT network": (
        _group(**_TAGS),
        ["portgroups[a].vlan: a network in mode nat has no VLAN tags. Remove it"],
    ),
    # libvirt 9.0 defines and starts it.
    "a VLAN that is none": ({"vlan": {"tags": [{"id": 4095}]}}, ["vlan.tags[0].id: 4095 is not between 1 and 4094"]),
    # libvirt 9.0 defines and starts it.
    "a VLAN twice": ({"vlan": {"tags": [{"id": 5}, {"id": 5}]}}, ["vlan.tags[1]: the VLAN tag 5 stands already"]),
    "a burst without an average": (
        {"bandwidth": {"inbound": {"burst": 64}}},
        ["bandwidth.inbound.burst: this goes with an average. Give average too"],
    ),
    "a peak without an average": (
        _group(bandwidth={"outbound": {"peak": 64}}),
        ["portgroups[a].bandwidth.outbound.peak: this goes with an average. Give average too"],
    ),
    "a rate below nothing": (
        {"bandwidth": {"inbound": {"average": -1}}},
        ["bandwidth.inbound.average: -1 is not between"],
    ),
    # libvirt 9.0 defines it, and refuses the start.
    "a burst larger than tc takes": (
        {"bandwidth": {"inbound": {"average": 1, "burst": 4194304}}},
        ["bandwidth.inbound.burst: 4194304 is not between"],
    ),
    # libvirt 9.0 defines and starts it.
    "a port of a switch on a NAT network": (
        {"virtualport": {"type": "openvswitch"}},
        [f"virtualport: {_NO_OWN_PORTS}", "Remove it (type: none)"],
    ),
    # libvirt 9.0 defines and starts it.
    "a port of a switch in a portgroup of a NAT network": (
        _group(virtualport={"type": "openvswitch"}),
        [f"portgroups[a].virtualport: {_NO_OWN_PORTS}", "Remove it (type: none)"],
    ),
    # What is handed to guests.
    "PCI devices on a NAT network": (
        {"forward": {"mode": "nat", "addresses": ["0000:03:10.1"]}},
        ["forward.addresses: this is about devices handed to guests. Remove it, or set mode: hostdev"],
    ),
    # libvirt 9.0 defines and starts it.
    "a driver for nothing": (
        {"forward": {"mode": "nat", "driver": {"name": "vfio"}}},
        ["forward.driver: this is about devices handed to guests", "set mode: hostdev"],
    ),
    # libvirt 9.0 defines and starts it.
    "managed devices where there are none": (
        {"forward": {"mode": "nat", "managed": True}},
        ["forward.managed: this is about devices handed to guests", "set mode: hostdev"],
    ),
    # libvirt 9.0 defines and starts it.
    "all functions of a card on a NAT network": (
        {"forward": {"mode": "nat", "pf": "uplink0"}},
        ["forward.pf: the mode nat does not put guests on devices"],
    ),
    "nat options of an isolated network": (
        {"forward": {"mode": "isolated", "nat": {"ports": {"start": 2000, "end": 3000}}}},
        ["forward.nat: only the mode nat translates addresses, and this one is isolated. Remove it or set mode: nat"],
    ),
    "a UUID that is none": ({"uuid": "12345"}, ["uuid: '12345' is not a UUID"]),
    # libvirt 9.0 defines and starts it.
    "a line end in a line for dnsmasq": (
        {"dnsmasq_options": ["log-queries\nlog-dhcp"]},
        ["dnsmasq_options[0]", "control character"],
    ),
    # libvirt 9.0 defines and starts it.
    "an empty line for dnsmasq": ({"dnsmasq_options": [""]}, ["dnsmasq_options[0]: this cannot be empty"]),
    "no name": ({"name": ""}, ["name"]),
    "a name that is too long for a file": ({"name": "x" * 251}, ["name"]),
}

# Options of networks that are not NAT networks.
WRONG_MODES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a bridge that is not there": (
        {"forward": {"mode": "bridge"}, "bridge": {"name": "nope0"}},
        ["bridge.name: this host has no device 'nope0'"],
    ),
    "a bridge that is none": (
        {"forward": {"mode": "bridge"}, "bridge": {"name": "uplink0"}},
        ["bridge.name: 'uplink0' is not a bridge"],
    ),
    "neither bridge nor devices": (
        {"forward": {"mode": "bridge"}},
        ["forward.mode: bridge needs bridge.name (an existing bridge) or forward.interfaces"],
    ),
    "no devices": ({"forward": {"mode": "vepa"}}, ["forward.mode: vepa needs forward.interfaces"]),
    "devices that are not there": (
        {"forward": {"mode": "private", "interfaces": ["nope0"]}},
        ["forward.interfaces[nope0]: this host has no device"],
    ),
    "a MAC for what libvirt makes no bridge for": (
        {"forward": {"mode": "vepa", "interfaces": ["uplink0"]}, "mac": "52:54:00:00:00:01"},
        ["mac", "vepa"],
    ),
    "a zone for what libvirt makes no bridge for": (
        {"forward": {"mode": "vepa", "interfaces": ["uplink0"]}, "bridge": {"zone": "libvirt"}},
        ["bridge.zone", "vepa"],
    ),
    "addresses for what libvirt makes no bridge for": (
        {"forward": {"mode": "vepa", "interfaces": ["uplink0"]}, "ips": [{"address": "192.168.50.1/24"}]},
        ["ips", "vepa"],
    ),
    # libvirt 9.0 defines and starts it.
    "a pool of nothing": (
        {"forward": {"mode": "hostdev"}},
        ["forward.mode: hostdev needs forward.addresses (PCI addresses of virtual functions) or forward.pf"],
    ),
    "a pool of what are no PCI addresses": (
        {"forward": {"mode": "hostdev", "addresses": ["uplink0"]}},
        ["forward.addresses[0]: 'uplink0' is not the address of a PCI device, such as 0000:03:10.1"],
    ),
    "a pool of named devices": (
        {"forward": {"mode": "hostdev", "interfaces": ["uplink0"]}},
        ["forward.interfaces", "forward.addresses"],
    ),
    "a pool of a card and of devices": (
        {"forward": {"mode": "hostdev", "pf": "uplink0", "addresses": ["03:10.1"]}},
        ["forward.pf: it stands for all functions of the device. Keep it, or forward.addresses"],
    ),
    # libvirt 9.0 defines and starts it.
    "macvtap on a card and on devices": (
        {"forward": {"mode": "vepa", "pf": "uplink0", "interfaces": ["uplink0"]}},
        ["forward.pf: it stands for all functions of the device. Keep it, or forward.interfaces"],
    ),
    # libvirt 9.0 defines it, and refuses the start.
    "a card that is not there": (
        {"forward": {"mode": "hostdev", "pf": "nope0"}},
        ["forward.pf: this host has no device 'nope0'. Make it first, or name another"],
    ),
    "the xen driver": (
        {"forward": {"mode": "hostdev", "pf": "uplink0", "driver": {"name": "xen"}}},
        ["forward.driver.name", "xen", "10.0.0"],
    ),
    "VLAN tags on a Linux bridge": (
        {**_ON_BRIDGE, **_TAGS},
        ["vlan: libvirt 9.0.0 sets VLAN tags on Open vSwitch ports only, and 11.0.0 on a Linux bridge too"],
    ),
    "VLAN tags in a portgroup of a Linux bridge": (
        {**_ON_BRIDGE, **_group(**_TAGS)},
        ["portgroups[a].vlan: libvirt 9.0.0 sets VLAN tags on Open vSwitch ports only", "11.0.0"],
    ),
    "VLAN tags for macvtap": ({**_MACVTAP, **_TAGS}, ["vlan: a network in mode vepa has no VLAN tags", "passthrough"]),
    "two native VLANs": (
        {
            "forward": {"mode": "passthrough", "interfaces": ["uplink0"]},
            "vlan": {"tags": [{"id": number, "native_mode": "tagged"} for number in (5, 6)]},
        },
        ["vlan.tags: 5 and 6 are both native. Keep native_mode in one of them"],
    ),
    "several tags that are no trunk": (
        {
            "forward": {"mode": "passthrough", "interfaces": ["uplink0"]},
            "vlan": {"trunk": False, "tags": [{"id": 5}, {"id": 6}]},
        },
        ["vlan.trunk: several tags are a trunk. Keep one tag, or remove trunk: false"],
    ),
    # libvirt 9.0 defines and starts it.
    "Open vSwitch's ports on a Linux bridge": (
        {**_ON_BRIDGE, "virtualport": {"type": "openvswitch"}},
        ["virtualport.type: 'br-host' is a Linux bridge, and its ports are not Open vSwitch's"],
    ),
    # libvirt 9.0 defines and starts it.
    "a port of MidoNet without its ID": (
        {**_ON_BRIDGE, "virtualport": {"type": "midonet"}},
        ["virtualport.interface_id: a port of type midonet needs one. Give its UUID"],
    ),
    # libvirt 9.0 defines and starts it.
    "a portgroup of MidoNet without its ID": (
        {**_ON_BRIDGE, **_group(virtualport={"type": "midonet"})},
        ["portgroups[a].virtualport.interface_id: a port of type midonet needs one. Give its UUID"],
    ),
    "a port of no type": (
        {**_MACVTAP, "virtualport": {"profile_id": "finance"}},
        ["virtualport.type: parameters belong to a type. Give one of"],
    ),
    # libvirt 9.0 defines and starts it.
    "a port of another kind of network": (
        {**_MACVTAP, "virtualport": {"type": "openvswitch"}},
        ["virtualport.type: openvswitch does not go with the mode vepa. Use 802.1Qbg or 802.1Qbh"],
    ),
    "a parameter of another kind of port": (
        {**_MACVTAP, "virtualport": {"type": "802.1Qbh", "profile_id": "finance", "manager_id": 11}},
        ["virtualport.manager_id: a port of type 802.1Qbh has none. Remove it"],
    ),
    "an ID that is too large": (
        {**_MACVTAP, "virtualport": {"type": "802.1Qbg", "manager_id": 256}},
        ["virtualport.manager_id: 256 is not between 0 and 255"],
    ),
    "a profile that is too long": (
        {**_MACVTAP, "virtualport": {"type": "802.1Qbh", "profile_id": "x" * 40}},
        ["virtualport.profile_id", "39"],
    ),
    "bandwidth for macvtap": (
        {**_MACVTAP, "bandwidth": {"inbound": {"average": 1000}}},
        ["bandwidth: only ports of a bridge are limited, and there is none in mode vepa"],
    ),
    "bandwidth in a portgroup for macvtap": (
        {**_MACVTAP, **_group(bandwidth={"inbound": {"average": 1000}})},
        ["portgroups[a].bandwidth: only ports of a bridge are limited"],
    ),
    # libvirt 9.0 defines and starts it.
    "lines for dnsmasq where there is none": (
        {**_MACVTAP, "dnsmasq_options": ["log-queries"]},
        ["dnsmasq_options: libvirt makes no bridge and serves nothing in mode vepa. Set dnsmasq_options: []"],
    ),
    # libvirt 9.0 defines and starts it.
    "isolated ports where there are none": (
        {**_MACVTAP, "port_isolation": True},
        ["port_isolation: libvirt makes no bridge", "vepa"],
    ),
    "a table of MAC addresses where there is none": (
        {**_MACVTAP, "bridge": {"mac_table_manager": "libvirt"}},
        ["bridge.mac_table_manager", "vepa"],
    ),
    "records where no DNS can be served": (
        {**_MACVTAP, "dns": {"txts": [{"name": "a", "value": "v"}]}},
        ["dns: libvirt makes no bridge and serves nothing in mode vepa"],
    ),
    "an isolated network with an uplink": (
        {"forward": {"mode": "isolated", "dev": "uplink0"}},
        ["forward.dev", "isolated"],
    ),
}


class TestWrong:
    """Each beside a network that could be made, so that "nothing" is seen to be nothing."""

    @pytest.mark.parametrize("what", WRONG)
    def test_wrong(self, what: str) -> None:
        options, words = WRONG[what]
        self._refused({**nat("bad", bridge="virbr-bad"), **options}, words)

    @pytest.fixture
    def _bridge(self) -> Iterator[None]:
        ip("link", "add", "br-host", "type", "bridge")
        yield
        ip("link", "delete", "br-host")

    @pytest.mark.usefixtures("_bridge")
    @pytest.mark.parametrize("what", WRONG_MODES)
    def test_wrong_in_another_mode(self, what: str) -> None:
        options, words = WRONG_MODES[what]
        self._refused({"name": "bad", **options}, words, "br-host")

    def _refused(self, bad: dict[str, Any], words: list[str], *devices: str) -> None:
        good = nat("good", subnet="192.168.77", bridge="virbr-good", state="present")
        message = refuse(networks=[good, bad])
        assert f"network {bad['name'].strip()!r}: " in message or f"network {bad['name']!r}: " in message
        for word in words:
            assert word in message
        assert "network 'good'" not in message
        assert documents() == {}
        assert set(links()) == {"lo", "uplink0", *devices}
        # A dry run says the same, unless what is missing could come from an earlier task.
        dry = run(networks=[good, bad], check=True)
        assert dry.get("failed") or "this host has no device" in message or "tftp_root" in message

    def test_all_problems_come_at_once(self) -> None:
        message = refuse(networks=[nat("one", mtu=67, mac="x"), nat("two", bridge="virbr-two", mac="y"), nat("three")])
        assert "3 problems" in message
        assert "network 'one': mtu" in message
        assert "network 'one': mac: 'x'" in message
        assert "network 'two': mac: 'y'" in message

    def test_twenty_networks_of_which_the_last_is_wrong(self) -> None:
        networks = [nat(f"net{n}", subnet=f"192.168.{n}", bridge=f"virbr{n}") for n in range(50, 70)]
        networks[-1]["ips"][0]["dhcp"] = {"ranges": [span(9, 10, "192.168.200")]}
        before = host_state(), fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq")
        result = module("virt_net", {"networks": networks})
        assert result["msg"].startswith("Nothing was changed: network 'net69': ips[192.168.69.1/24].dhcp.ranges")
        assert (host_state(), fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq")) == before

    def test_twenty_networks_of_which_the_last_clashes_with_the_first(self) -> None:
        networks = [nat(f"net{n}", subnet=f"192.168.{n}", bridge=f"virbr{n}") for n in range(50, 70)]
        networks[-1]["ips"] = [{"address": "192.168.50.2/25"}]
        networks[-2]["bridge"]["name"] = "virbr50"
        message = refuse(networks=networks)
        assert (
            "network 'net68': bridge.name: 'virbr50' is the bridge of network 'net50'. Choose another name" in message
        )
        assert (
            "network 'net69': ips[192.168.50.2/25].address: the subnet 192.168.50.0/25 overlaps 192.168.50.0/24"
            in message
        )


class TestTakenByOthers:
    OTHER = """<network><name>other</name><forward mode='nat'/><bridge name='virbr0'/>
        <ip address='192.168.122.1' netmask='255.255.255.0'/></network>"""

    @pytest.mark.parametrize("runs", [True, False])
    def test_virbr0(self, runs: bool) -> None:
        by_hand(self.OTHER, start=runs)
        message = refuse(**nat(bridge="virbr0"))
        assert "network 'lab': bridge.name: 'virbr0' is the bridge of network 'other'. Choose another name" in message

    def test_subnet_of_a_running_network(self) -> None:
        by_hand(self.OTHER, start=True)
        message = refuse(**nat(subnet="192.168.122"))
        assert (
            "network 'lab': ips[192.168.122.1/24].address: the subnet 192.168.122.0/24 overlaps 192.168.122.0/24 of "
            "network 'other'. Choose another subnet" in message
        )

    def test_subnet_of_a_network_that_starts_with_the_host(self) -> None:
        by_hand(self.OTHER)
        succeed(run(name="other", state="present", autostart=True))
        assert "of network 'other'" in refuse(**nat(subnet="192.168.122"))

    def test_a_change_is_checked_like_a_new_network(self) -> None:
        by_hand(self.OTHER, start=True)
        succeed(run(**nat()))
        assert "of network 'other'" in refuse(name="lab", ips=[{"address": "192.168.122.9/24"}])
        assert "uplink0" in refuse(name="lab", ips=[{"address": "198.51.100.9/24"}])
        assert "of network 'other'" in refuse(name="lab", bridge={"name": "virbr0"})
        assert "16 bytes" in refuse(name="lab", bridge={"name": "a234567890123456"})

    @pytest.mark.parametrize("what", ["subnet", "declared route"])
    def test_what_the_host_has_a_route_to(self, what: str) -> None:
        """libvirt refuses to start such a network."""
        ip("route", "add", "192.168.60.0/24", "via", "198.51.100.1")
        try:
            if what == "subnet":
                message = refuse(**nat(subnet="192.168.60"))
            else:
                message = refuse(**nat(routes=[{"address": "192.168.60.0/24", "gateway": "192.168.50.9"}]))
            assert "192.168.60.0/24" in message
        finally:
            ip("route", "delete", "192.168.60.0/24")

    def test_a_bridge_of_the_host(self) -> None:
        ip("link", "add", "br-host", "type", "bridge")
        try:
            message = refuse(**nat(bridge="br-host"))
            assert "bridge.name: 'br-host' exists on this host and is not libvirt's" in message
        finally:
            ip("link", "delete", "br-host")

    @pytest.fixture
    def _port(self) -> Iterator[None]:
        """veth-a is a port of br-host."""
        ip("link", "add", "br-host", "type", "bridge")
        ip("link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
        ip("link", "set", "veth-a", "master", "br-host")
        yield
        ip("link", "delete", "veth-a")
        ip("link", "delete", "br-host")

    @pytest.mark.usefixtures("_port")
    @pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthrough"])
    @pytest.mark.parametrize("state", ["active", "present"])
    def test_a_device_that_is_a_port_cannot_have_macvtap(self, mode: str, state: str) -> None:
        message = refuse(name="lab", forward={"mode": mode, "interfaces": ["uplink0", "veth-a"]}, state=state)
        assert "network 'lab': forward.interfaces[veth-a]: 'veth-a' is a port of br-host" in message
        assert "Take it out of there, or name another" in message
        assert documents() == {}

    @pytest.mark.usefixtures("_port")
    def test_a_device_that_is_a_port_cannot_join_those_that_have_macvtap(self) -> None:
        succeed(run(name="lab", forward={"mode": "vepa", "interfaces": ["uplink0"]}))
        message = refuse(name="lab", forward={"interfaces": ["uplink0", "veth-a"]})
        assert "forward.interfaces[veth-a]: 'veth-a' is a port of br-host" in message

    @pytest.mark.usefixtures("_port")
    @pytest.mark.parametrize("mode", ["nat", "route"])
    def test_nothing_leaves_through_a_device_that_is_a_port(self, mode: str) -> None:
        message = refuse(**nat(forward={"mode": mode, "dev": "veth-a"}))
        assert (
            "network 'lab': forward.dev: 'veth-a' is a port of br-host, and what is routed leaves through that. Name "
            "br-host" in message
        )
        succeed(run(**nat(forward={"mode": mode, "dev": "br-host"})))

    def test_a_uuid_of_another_network(self) -> None:
        by_hand(self.OTHER)
        uuid = virsh("net-uuid", "other").strip()
        message = refuse(**nat(uuid=uuid))
        assert f"network 'lab': uuid: {uuid} is the UUID of network 'other'" in message

    def test_a_uuid_that_differs(self) -> None:
        by_hand(self.OTHER)
        uuid = virsh("net-uuid", "other").strip()
        message = refuse(name="other", uuid="0a0a0a0a-0000-4000-8000-000000000001", state="present", mtu=1400)
        assert f"network 'other': uuid: the network has {uuid}, which never changes" in message
        assert "remove the network first" in message


class TestTask:
    """The form of the task."""

    @pytest.mark.parametrize(
        "beside",
        [{"mtu": 1400}, {"name": "x"}, {"state": "absent"}, {"xml": "<network/>"}, {"force": True}, {"ips": []}],
        ids=lambda beside: next(iter(beside)),
    )
    def test_options_beside_the_list(self, beside: dict[str, Any]) -> None:
        message = refuse(networks=[nat()], nothing_changed=False, **beside)
        assert f"parameters are mutually exclusive: {next(iter(beside))}|networks" in message

    def test_neither_one_nor_many(self) -> None:
        assert "one of the following is required: name, networks" in refuse(nothing_changed=False)

    @pytest.mark.parametrize("second", ["lab", " lab", "lab\t"])
    def test_a_name_twice(self, second: str) -> None:
        message = refuse(networks=[nat(), nat(second, bridge="virbr-two", subnet="192.168.60")])
        assert "networks: 'lab' is declared twice. Keep one" in message

    def test_an_option_that_is_none(self) -> None:
        assert "Unsupported parameters" in refuse(nothing_changed=False, name="lab", mut=1400)
        assert "Unsupported parameters" in refuse(nothing_changed=False, name="lab", bridge={"nmae": "virbr-lab"})

    @pytest.mark.parametrize("state", ["absent", "inactive"])
    def test_what_is_wrong_is_wrong_in_every_state(self, state: str) -> None:
        assert "mtu: 67" in refuse(name="lab", mtu=67, state=state)

    def test_nothing_of_a_refused_task_is_left(self) -> None:
        """No file, no device, no rule; beside the lock only."""
        before = host_state(), fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq")
        for bad in (nat(bridge="a234567890123456"), nat(bridge="uplink0"), nat(subnet="198.51.100")):
            assert in_process_of_its_own(**bad)["failed"]
        assert (host_state(), fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq")) == before


class TestExistingNetwork:
    """What libvirt let pass before is not for the task to refuse when it changes something else."""

    def test_a_lease_outside_that_others_made(self) -> None:
        by_hand(
            "<network><name>lab</name><bridge name='vb0'/><ip address='192.168.50.1' netmask='255.255.255.0'>"
            "<dhcp><host mac='52:54:00:00:00:01' ip='192.168.99.4'/></dhcp></ip></network>"
        )
        change(name="lab", mtu=1400, state="present")

    @pytest.mark.parametrize("state", ["present", "inactive"])
    def test_a_bridge_that_is_not_there_now(self, state: str) -> None:
        """A network that is not to run now can be defined ahead of its devices by others, and changed."""
        by_hand(
            "<network><name>lab</name><forward mode='bridge'/><bridge name='ovs0'/>"
            "<virtualport type='openvswitch'/></network>"
        )
        change(name="lab", state=state, autostart=True)

    def test_an_uplink_that_is_not_there_now(self) -> None:
        """A modem comes and goes; the leases of the network can be changed meanwhile."""
        ip("link", "add", "wwan0", "type", "veth", "peer", "name", "wwan1")
        succeed(run(**nat(forward={"mode": "nat", "dev": "wwan0"})))
        ip("link", "delete", "wwan0")
        change(**nat(dhcp={"hosts": [lease(9)]}))

    def test_dns_entries_that_stand_in_the_way_of_no_dns(self) -> None:
        succeed(run(**nat(dns={"hosts": [{"ip": "192.168.50.1", "names": ["a"]}]}, state="present")))
        assert "dns.enable" in refuse(name="lab", dns={"enable": False}, state="present")
        change(name="lab", dns={"enable": False, "hosts": []}, state="present")


class TestDaemon:
    @pytest.mark.parametrize("how", ["stop", "kill"])
    @pytest.mark.parametrize("check", [False, True])
    def test_libvirtd_does_not_run(self, how: str, check: bool) -> None:
        succeed(run(**nat(state="present")))
        before = fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq")
        libvirtd(how)
        try:
            for name, arguments in (("virt_net", nat(mtu=1400)), ("virt_net_info", {})):
                result = module(name, arguments, check=check)
                assert result["failed"]
                assert result["msg"].startswith("uri: libvirt does not answer at 'qemu:///system': ")
                assert "systemctl start libvirtd" in result["msg"]
                assert "Traceback" not in str(result)
            assert fingerprint("/etc/libvirt", "/var/lib/libvirt/dnsmasq") == before
        finally:
            libvirtd("start")
        assert states()["lab"] == ("inactive", "no", "yes")
