# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What is refused of the forward mode: options that do not go with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    HOST_DEVICE_MODES,
    MACVTAP_MODES,
    OWN_BRIDGE_MODES,
    Forward,
    Network,
)

_OPEN_WITHOUT_ADDRESS_SINCE = 10_008_000
_XEN_DRIVER_SINCE = 10_000_000
# An option may be there from before, without being declared. How to be rid of it:
_WAYS_OUT = {
    "ips": "Set ips: []",
    "routes": "Set routes: []",
    "dns": "Set dns.hosts, dns.txts, dns.srvs and dns.forwarders to []",
    "domain": "Set domain.name: ''",
    "bridge.zone": "Set bridge.zone: ''",
    "bridge.mac_table_manager": "Set bridge.mac_table_manager: none",
    "mtu": "Set mtu: 0",
    "port_isolation": "Set port_isolation: false",
    "dnsmasq_options": "Set dnsmasq_options: []",
}


def mode_problems(network: Network, version: int) -> Iterator[str]:
    """Options that do not go with the forward mode."""
    mode, forward = network.mode, network.forward or Forward()
    if forward.nat is not None and mode != "nat":
        yield f"forward.nat: only the mode nat translates addresses, and this one is {mode}. Remove it or set mode: nat"
    if forward.dev and mode not in ("nat", "route"):
        other = "Name the devices in forward.interfaces" if mode in MACVTAP_MODES else "Remove it, or set it to ''"
        yield f"forward.dev: a network in mode {mode} is not limited to a device. {other}"
    if forward.interfaces and mode in OWN_BRIDGE_MODES:
        yield (
            f"forward.interfaces: the mode {mode} does not put guests on interfaces. Use forward.dev to limit where "
            f"their traffic leaves, or one of the modes {', '.join(MACVTAP_MODES)}"
        )
    if not network.ips and (mode in ("nat", "route") or (mode == "open" and version < _OPEN_WITHOUT_ADDRESS_SINCE)):
        yield f"ips: a network in mode {mode} needs an address of the host on it. Give one, or choose isolated"
    if mode in HOST_DEVICE_MODES:
        yield from _guest_on_device_problems(network, forward)
    yield from _device_problems(mode, forward)
    if forward.driver and forward.driver.name == "xen" and version < _XEN_DRIVER_SINCE:
        yield "forward.driver.name: libvirt knows the driver xen since 10.0.0. Remove it, or upgrade"


def _guest_on_device_problems(network: Network, forward: Forward) -> Iterator[str]:
    mode = network.mode
    if network.bridge_name and mode != "bridge":
        yield f"bridge.name: guests of a network in mode {mode} are on devices. Name them in forward.interfaces"
    if network.bridge_name and (forward.interfaces or forward.pf):
        other = "forward.interfaces" if forward.interfaces else "forward.pf"
        yield f"bridge.name: guests are ports of a bridge or have macvtap devices. Keep this or {other}"
    if mode == "hostdev" and not (forward.addresses or forward.pf or forward.interfaces):
        yield "forward.mode: hostdev needs forward.addresses (PCI addresses of virtual functions) or forward.pf"
    elif mode in MACVTAP_MODES and not (network.bridge_name or forward.interfaces or forward.pf):
        either = "bridge.name (an existing bridge) or " if mode == "bridge" else ""
        yield f"forward.mode: {mode} needs {either}forward.interfaces (devices for macvtap), or forward.pf"
    bridge = network.bridge
    for option, given in (
        ("ips", network.ips),
        ("routes", network.routes),
        ("dns", network.dns),
        ("domain", network.domain),
        ("bridge.stp", bridge and bridge.stp is not None),
        ("bridge.delay", bridge and bridge.delay is not None),
        ("bridge.zone", bridge and bridge.zone),
        ("mtu", network.mtu),
        ("mac", network.mac),
        ("bridge.mac_table_manager", bridge and bridge.mac_table_manager and not network.has_ports),
        ("port_isolation", network.port_isolation and not network.has_ports),
        ("dnsmasq_options", network.dnsmasq_options),
    ):
        if given:
            way = _WAYS_OUT.get(option, "Remove it")
            yield f"{option}: libvirt makes no bridge and serves nothing in mode {mode}. {way}, or choose another mode"


def _device_problems(mode: str, forward: Forward) -> Iterator[str]:
    """Devices that are handed to guests, and what is about them."""
    if mode != "hostdev":
        for option, given in (
            ("managed", forward.managed is not None),
            ("driver", forward.driver),
            ("addresses", forward.addresses),
        ):
            if given:
                yield f"forward.{option}: this is about devices handed to guests. Remove it, or set mode: hostdev"
    if mode == "hostdev" and forward.interfaces:
        yield "forward.interfaces: a hostdev network names devices by forward.addresses or forward.pf. Use one of them"
    if forward.pf and mode not in HOST_DEVICE_MODES:
        yield f"forward.pf: the mode {mode} does not put guests on devices. Remove it, or choose a mode that does"
    if forward.pf and (forward.addresses or forward.interfaces):
        other = "addresses" if forward.addresses else "interfaces"
        yield f"forward.pf: it stands for all functions of the device. Keep it, or forward.{other}"
