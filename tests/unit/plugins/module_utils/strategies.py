# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated options of networks, as a user might write them: for hypothesis.

The values are few, so that one network often has what another has, and clashes come about.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Options = dict[str, Any]

names = st.sampled_from(["web", "db", "mail.lab", "a-b"])
macs = st.sampled_from(["52:54:00:00:50:10", "52-54-00-00-50-1A", "52:54:00:AB:CD:EF"])
leases = st.fixed_dictionaries(
    {"expiry": st.sampled_from([0, 1, 5, 86400])}, optional={"unit": st.sampled_from(["seconds", "minutes", "hours"])}
)
v4_guests = st.sampled_from([f"192.168.50.{last}" for last in (2, 3, 4, 100, 150, 254)])
v6_guests = st.sampled_from(["fd00:50::2", "fd00:50::3", "FD00:50:0::4"])


def subset(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Options]:
    """Options of which each may be there."""
    return st.fixed_dictionaries({}, optional=optional)


def _lists(items: st.SearchStrategy[Options], *keys: str) -> st.SearchStrategy[list[Options]]:
    """Short lists in which no two items have the same key."""
    return st.lists(items, max_size=3, unique_by=lambda item: tuple(str(item.get(key)).lower() for key in keys))


v4_ranges = st.sampled_from(
    [{"start": f"192.168.50.{first}", "end": f"192.168.50.{last}"} for first, last in ((10, 20), (30, 90), (110, 140))]
)
v4_dhcp = subset(
    ranges=_lists(
        st.builds(lambda each, lease: {**each, **({"lease": lease} if lease else {})}, v4_ranges, st.none() | leases),
        "start",
    ),
    hosts=_lists(
        st.fixed_dictionaries({"mac": macs, "ip": v4_guests}, optional={"name": names | st.just(""), "lease": leases}),
        "mac",
    ),
    bootp=st.sampled_from(
        [{"file": "pxelinux.0"}, {"file": "menu.ipxe", "server": "192.168.50.2"}, {"file": "", "server": ""}]
    ),
)
duids = st.sampled_from(["0:3:0:1:52:54:0:0:0:3", "00:03:00:01:52:54:00:00:00:04"])
v6_dhcp = subset(
    ranges=st.just([]) | st.just([{"start": "fd00:50::100", "end": "fd00:50::1ff"}]),
    hosts=_lists(
        st.fixed_dictionaries(
            {"id": duids, "ip": v6_guests},
            optional={"name": names | st.just("")},
        ),
        "id",
    ),
)
v4_addresses = st.fixed_dictionaries(
    {"address": st.sampled_from(["192.168.50.1/24", "192.168.50.1/255.255.255.0", "192.168.50.1/25"])},
    optional={"tftp_root": st.sampled_from(["", "/srv/tftp"]), "local_ptr": st.booleans(), "dhcp": v4_dhcp},
)
v6_addresses = st.fixed_dictionaries(
    {"address": st.sampled_from(["fd00:50::1/64", "FD00:0050::1/64"])},
    optional={"local_ptr": st.booleans(), "dhcp": v6_dhcp},
)
ips = st.builds(
    lambda first, second, third, swapped: [*third, *second, *first] if swapped else [*first, *second, *third],
    st.lists(v4_addresses, max_size=1),
    st.lists(v6_addresses, max_size=1),
    st.lists(st.just({"address": "10.5.0.1/16"}), max_size=1),
    st.booleans(),
)
routes = _lists(
    st.fixed_dictionaries(
        {"address": st.sampled_from(["10.1.0.0/16", "10.2.0.0/255.255.0.0"]), "gateway": v4_guests},
        optional={"metric": st.sampled_from([0, 1, 9])},
    ),
    "address",
    "gateway",
)
srv_keys = ("service", "protocol", "domain", "target")
srvs = st.fixed_dictionaries(
    {"service": st.sampled_from(["ldap", "sip"]), "protocol": st.sampled_from(["tcp", "udp"])},
    optional={"domain": st.just("lab.example")},
)
srvs_with_target = st.fixed_dictionaries(
    {
        "service": st.just("ldap"),
        "protocol": st.just("tcp"),
        "target": st.sampled_from(["db.lab.example", "web.lab.example"]),
    },
    optional={
        "domain": st.just("lab.example"),
        "port": st.sampled_from([0, 389, 636]),
        "priority": st.sampled_from([0, 10]),
        "weight": st.sampled_from([0, 60]),
    },
)
dns = subset(
    enable=st.booleans(),
    forward_plain_names=st.booleans(),
    forwarders=_lists(
        subset(addr=st.sampled_from(["9.9.9.9", "1.1.1.1"]), domain=st.sampled_from(["corp.example", "lab.example"])),
        "addr",
        "domain",
    ),
    txts=_lists(
        st.fixed_dictionaries({"name": st.sampled_from(["motd", "spf"]), "value": st.sampled_from(["a", "b c"])}),
        "name",
    ),
    srvs=_lists(srvs | srvs_with_target, *srv_keys),
    hosts=_lists(
        st.fixed_dictionaries({"ip": v4_guests | v6_guests, "names": st.lists(names, min_size=1, max_size=3)}), "ip"
    ),
)
nat = subset(
    addresses=st.sampled_from(
        [{"start": "198.51.100.5", "end": "198.51.100.9"}, {"start": "198.51.100.5", "end": "198.51.100.5"}]
    ),
    ports=st.sampled_from([{"start": 1024, "end": 2048}, {"start": 0, "end": 0}]),
    ipv6=st.booleans(),
)
devices = st.lists(st.sampled_from(["eth0", "eth1", "eth2"]), max_size=3)
functions = st.lists(st.sampled_from(["0000:03:10.1", "03:10.3", "0001:AF:1f.7"]), max_size=3)
cards = st.sampled_from(["", "eth0", "eth3"])
drivers = subset(
    name=st.sampled_from(["none", "vfio", "kvm", "xen"]), model=st.sampled_from(["", "mlx5_vfio_pci", "a-model"])
)
forward = subset(
    mode=st.sampled_from(["nat", "route", "open", "isolated", "bridge", "private", "vepa", "passthrough", "hostdev"]),
    managed=st.booleans(),
    driver=drivers,
    dev=st.sampled_from(["", "eth0", "eth1"]),
    interfaces=devices,
    addresses=functions,
    pf=cards,
    nat=nat,
)
bridge = subset(
    name=st.sampled_from(["virbr-lab", "virbr-two", ""]),
    stp=st.booleans(),
    delay=st.integers(0, 30),
    zone=st.sampled_from(["", "trusted"]),
    mac_table_manager=st.sampled_from(["none", "kernel", "libvirt"]),
)
domain = subset(
    name=st.sampled_from(["", "lab.example", "two.example"]), local_only=st.booleans(), register=st.booleans()
)

# What a guest's port gets.

rates = subset(average=st.sampled_from([0, 100, 200]), peak=st.sampled_from([0, 300]), burst=st.sampled_from([0, 512]))
bandwidths = subset(inbound=rates, outbound=rates)
vlans = subset(
    trunk=st.booleans(),
    tags=_lists(
        st.fixed_dictionaries(
            {"id": st.sampled_from([1, 42, 4094])},
            optional={"native_mode": st.sampled_from(["none", "tagged", "untagged"])},
        ),
        "id",
    ),
)
some_uuids = st.sampled_from(["54f1d2a8-7c1b-4d0e-9f63-2c0d6b4f8e11", "54F1D2A87C1B4D0E9F632C0D6B4F8E12"])
profiles = st.sampled_from(["", "staff", "visitors"])
no_port = st.just({"type": "none"})
switch_ports = (
    no_port
    | st.fixed_dictionaries(
        {"type": st.just("openvswitch")}, optional={"interface_id": some_uuids | st.just(""), "profile_id": profiles}
    )
    | st.fixed_dictionaries({"type": st.just("midonet"), "interface_id": some_uuids})
    | subset(interface_id=some_uuids)
)
fabric_ports = no_port | st.fixed_dictionaries({"type": st.just("802.1Qbh")}, optional={"profile_id": profiles})
vepa_ports = (
    no_port
    | st.fixed_dictionaries(
        {"type": st.just("802.1Qbg")},
        optional={
            "manager_id": st.sampled_from([0, 11]),
            "type_id": st.sampled_from([0, 1193047]),
            "type_id_version": st.sampled_from([0, 2]),
            "instance_id": some_uuids | st.just(""),
        },
    )
    | fabric_ports
)


def portgroups(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Options]]:
    group = st.fixed_dictionaries(
        {"name": st.sampled_from(["staff", "visitors", "a/b"])},
        optional={"default": st.booleans(), "trust_guest_rx_filters": st.booleans(), **optional},
    )
    # libvirt takes no network with two defaults.
    return _lists(group, "name").filter(lambda groups: sum(group.get("default", False) for group in groups) < 2)


# Whole networks.

_OWNER = '<o:owner xmlns:o="http://example.com/owner" since="2019"><o:team>{}</o:team></o:owner>'
described: dict[str, st.SearchStrategy[Any]] = {
    # The one that the network has: another is refused.
    "uuid": st.sampled_from(["0c2f7d1e-5e2c-4f5a-9a3b-6f0d8a7b1c01", "0C2F7D1E5E2C4F5A9A3B6F0D8A7B1C01"]),
    "metadata": st.dictionaries(
        st.just("http://example.com/owner"), st.sampled_from(["", _OWNER.format("Operations"), _OWNER.format("Lab")])
    )
    | st.just({"http://example.com/cost": "<cost xmlns='http://example.com/cost' centre='17'/>"}),
    "trust_guest_rx_filters": st.booleans(),
}
titled = {"title": st.sampled_from(["", "The lab"]), "description": st.sampled_from(["", "Two\nlines", "One line"])}
own_bridge = subset(
    **described,
    ipv6=st.booleans(),
    mtu=st.sampled_from([0, 1400, 9000]),
    mac=st.sampled_from(["52:54:00:00:00:01", "52-54-00-00-00-AA"]),
    forward=subset(mode=st.just("nat"), dev=st.sampled_from(["", "eth0", "eth1"]), nat=nat)
    | subset(mode=st.sampled_from(["route", "open", "isolated"])),
    bridge=bridge,
    domain=domain,
    bandwidth=bandwidths,
    port_isolation=st.booleans(),
    ips=ips,
    routes=routes,
    dns=dns,
    portgroups=portgroups(bandwidth=bandwidths),
    dnsmasq_options=st.lists(st.sampled_from(["log-dhcp", "log-queries", "no-hosts"]), max_size=3, unique=True),
)
on_bridge = st.fixed_dictionaries(
    {
        "forward": st.just({"mode": "bridge"}),
        "bridge": st.fixed_dictionaries({"name": st.sampled_from(["br0", "br1"])}),
    },
    optional={
        **described,
        "bandwidth": bandwidths,
        "vlan": vlans,
        "port_isolation": st.booleans(),
        "virtualport": switch_ports,
        "portgroups": portgroups(bandwidth=bandwidths, vlan=vlans, virtualport=switch_ports),
    },
)
macvtap = st.fixed_dictionaries(
    {
        "forward": st.fixed_dictionaries(
            {"mode": st.sampled_from(["bridge", "private", "vepa", "passthrough"])},
            optional={"interfaces": devices, "pf": cards},
        )
    },
    optional={
        **described,
        "vlan": vlans,
        "virtualport": vepa_ports,
        "portgroups": portgroups(virtualport=vepa_ports),
    },
)
hostdev = st.fixed_dictionaries(
    {
        "forward": st.fixed_dictionaries(
            {"mode": st.just("hostdev")},
            optional={"managed": st.booleans(), "driver": drivers, "addresses": functions, "pf": cards},
        )
    },
    optional={**described, "vlan": vlans, "virtualport": fabric_ports, "portgroups": portgroups(vlan=vlans)},
)
anything = subset(
    **described,
    **titled,
    ipv6=st.booleans(),
    mtu=st.sampled_from([0, 1400, 9000]),
    mac=st.sampled_from(["52:54:00:00:00:01", "52-54-00-00-00-AA"]),
    forward=forward,
    bridge=bridge,
    domain=domain,
    bandwidth=bandwidths,
    vlan=vlans,
    port_isolation=st.booleans(),
    ips=ips,
    routes=routes,
    dns=dns,
    virtualport=switch_ports | vepa_ports,
    portgroups=portgroups(bandwidth=bandwidths, vlan=vlans, virtualport=switch_ports | vepa_ports),
    dnsmasq_options=st.lists(st.sampled_from(["log-dhcp", "log-queries", "no-hosts"]), max_size=3, unique=True),
)
_KINDS = {
    "own bridge": own_bridge,
    "on a bridge": on_bridge,
    "macvtap": macvtap,
    "hostdev": hostdev,
    "anything": st.one_of(anything, own_bridge, on_bridge, macvtap, hostdev),
}

options: st.SearchStrategy[Options] = st.shared(st.sampled_from(sorted(_KINDS)), key="kind").flatmap(_KINDS.__getitem__)
"""What a task may say of one network, apart from its name. Most often, two networks of one example are of one kind:

what one kind says, another would have to take back.
"""
