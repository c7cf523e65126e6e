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
)
v6_dhcp = subset(
    ranges=st.just([]) | st.just([{"start": "fd00:50::100", "end": "fd00:50::1ff"}]),
    hosts=_lists(
        st.fixed_dictionaries(
            {"id": st.sampled_from(["0:1:2:3", "0:1:2:4"]), "ip": v6_guests}, optional={"name": names | st.just("")}
        ),
        "id",
    ),
)
v4_addresses = st.fixed_dictionaries(
    {"address": st.sampled_from(["192.168.50.1/24", "192.168.50.1/255.255.255.0", "192.168.50.1/25"])},
    optional={"tftp_root": st.sampled_from(["", "/srv/tftp"]), "dhcp": v4_dhcp},
)
v6_addresses = st.fixed_dictionaries(
    {"address": st.sampled_from(["fd00:50::1/64", "FD00:0050::1/64"])}, optional={"dhcp": v6_dhcp}
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
dns = subset(
    enable=st.booleans(),
    forwarders=_lists(
        subset(addr=st.sampled_from(["9.9.9.9", "1.1.1.1"]), domain=st.sampled_from(["corp.example", "lab.example"])),
        "addr",
        "domain",
    ),
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
forward = subset(
    mode=st.sampled_from(["nat", "route", "open", "isolated", "bridge", "private", "vepa", "passthrough"]),
    dev=st.sampled_from(["", "eth0", "eth1"]),
    interfaces=st.lists(st.sampled_from(["eth0", "eth1", "eth2"]), max_size=3),
    nat=nat,
)
bridge = subset(
    name=st.sampled_from(["virbr-lab", "virbr-two", ""]),
    stp=st.booleans(),
    delay=st.integers(0, 30),
    zone=st.sampled_from(["", "trusted"]),
)
domain = subset(name=st.sampled_from(["", "lab.example", "two.example"]), local_only=st.booleans())

options = subset(
    mtu=st.sampled_from([0, 1400, 9000]),
    mac=st.sampled_from(["52:54:00:00:00:01", "52-54-00-00-00-AA"]),
    forward=forward,
    bridge=bridge,
    domain=domain,
    ips=ips,
    routes=routes,
    dns=dns,
)
"""What a task may say of one network, apart from its name and title."""
