# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A hypervisor made of records: read from a case's seen.yml, and changed by the planner's steps.

It refuses a step that libvirt would refuse, so a plan whose steps come in the wrong order does not pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network import (
    OWN_BRIDGE_MODES,
    Forward,
    Network,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.network_services import Dhcp, Dns
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.schema import from_options, normal, overlay
from ansible_collections.virtnet.hypervisor.plugins.module_utils._model.seen import (
    GuestNic,
    SeenHypervisor,
    SeenLink,
    SeenNetwork,
    SeenRoute,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.network_steps import (
    Define,
    Describe,
    Hold,
    NetworkStep,
    Plug,
    Release,
    SetAutostart,
    Start,
    Stop,
    Sweep,
    Undefine,
    Update,
)
from ansible_collections.virtnet.hypervisor.plugins.module_utils._plan.outcome import Step

UUID = "0c2f7d1e-5e2c-4f5a-9a3b-6f0d8a7b1c01"
"""The one of each network, unless its definition says otherwise."""


class Refused(Exception):
    """What libvirt answers with an error."""


# Reading of seen.yml.


def hypervisor_from(written: Mapping[str, Any]) -> SeenHypervisor:
    """``networks`` has the definition as ``config``, what runs as ``live`` (the definition, unless told otherwise)."""
    major, minor, release = (int(part) for part in written.get("version", "9.0.0").split("."))
    networks = [_network_from(each) for each in written.get("networks", ())]
    links = written.get("links")
    return SeenHypervisor(
        version=major * 1_000_000 + minor * 1_000 + release,
        networks={network.name: network for network in networks},
        nics=tuple(GuestNic(**each) for each in written.get("guests", ())),
        links=None if links is None else {name: _link_from(name, link) for name, link in links.items()},
        routes=tuple(SeenRoute(**each) for each in written.get("routes", ())),
        missing_folders=frozenset(written.get("missing_folders", ())),
        # What the simulated host's firewall is. It is asked for with libvirt 10.4 and newer only.
        loses_rules=written.get("firewall", "nftables") == "nftables",
        can_hold=written.get("can_hold", False),
        held=written.get("held", False),
        stale_rules=written.get("stale_rules", 0),
    )


def _network_from(written: Mapping[str, Any]) -> SeenNetwork:
    name, active, config = written["name"], written.get("active", True), written.get("config")
    live = written.get("live", config) if active else None
    return SeenNetwork(
        name=name,
        uuid=UUID,
        active=active,
        autostart=written.get("autostart", active and config is not None),
        config=None if config is None else read_record(name, config),
        live=None if live is None else read_record(name, live),
        hides_config=written.get("hides_config", False),
        busy=frozenset(written.get("busy", ())),
    )


def read_record(name: str, options: Mapping[str, Any]) -> Network:
    """The record as it would be read of libvirt: complete, with the mode spelled out."""
    problems: list[str] = []
    given = from_options(Network, {**options, "name": name}, "seen.yml: ", problems)
    assert not problems, problems
    return overlay(Network(forward=Forward(mode="isolated")), given)


def _link_from(name: str, written: Mapping[str, Any]) -> SeenLink:
    return SeenLink(
        name=name,
        index=1,
        kind=written.get("kind"),
        master=written.get("master"),
        mtu=1500,
        addresses=tuple(written.get("addresses", ())),
    )


# Steps.


def after_step(seen: SeenHypervisor, step: Step) -> SeenHypervisor:
    """The hypervisor after the step. Raises Refused."""
    if isinstance(step, Release):
        return replace(seen, held=False)
    if isinstance(step, Sweep):
        return replace(seen, stale_rules=0)
    assert isinstance(step, NetworkStep)
    if isinstance(step, Hold):
        return replace(seen, held=True)
    if isinstance(step, Plug):
        assert seen.links is not None
        link = replace(seen.links[step.nic.device or ""], master=step.bridge)
        return replace(seen, links={**seen.links, link.name: link})
    known = seen.networks.get(step.name)
    if isinstance(step, Define):
        return _with(seen, _defined(seen, step))
    if known is None:
        raise Refused(f"no network {step.name}")
    if isinstance(step, Start):
        return _with(seen, _started(seen, known))
    if isinstance(step, Stop):
        return _stopped(seen, known)
    if isinstance(step, Undefine):
        return replace(seen, networks={name: each for name, each in seen.networks.items() if name != known.name})
    if isinstance(step, SetAutostart):
        if known.config is None:
            raise Refused("autostart of a transient network")
        return _with(seen, replace(known, autostart=step.on))
    if isinstance(step, Describe):
        if known.live is None or seen.version < 9_007_000:
            raise Refused("no running copy that can be described")
        live = replace(known.live, **{step.kind: step.text or None})
        return _with(seen, replace(known, live=live))
    assert isinstance(step, Update)
    return _with(seen, _updated(known, step))


def _with(seen: SeenHypervisor, network: SeenNetwork) -> SeenHypervisor:
    return replace(seen, networks={**seen.networks, network.name: network})


def _defined(seen: SeenHypervisor, step: Define) -> SeenNetwork:
    known, config = seen.networks.get(step.name), normal(step.network)
    if known is None or known.newest.bridge_name != config.bridge_name:
        _refuse_bridge_twice(seen, step.name, config)
    if known is not None:
        return replace(known, config=config)
    uuid = config.uuid or UUID
    return SeenNetwork(step.name, uuid=uuid, active=False, autostart=False, config=config, live=None)


def _refuse_bridge_twice(seen: SeenHypervisor, name: str, network: Network) -> None:
    for other in seen.networks.values():
        for copy in (other.config, other.live):
            if other.name != name and copy and network.bridge_name and copy.bridge_name == network.bridge_name:
                raise Refused(f"bridge name {network.bridge_name!r} already in use by {other.name}")


def _started(seen: SeenHypervisor, known: SeenNetwork) -> SeenNetwork:
    if known.active or known.config is None:
        raise Refused("the network runs already")
    mine = _subnets(known.config)
    for other in seen.networks.values():
        if other.live is None or known.config.mode not in OWN_BRIDGE_MODES:
            continue
        if mine & _subnets(other.live):
            raise Refused(f"the subnet is in use by network {other.name}")
    return replace(known, active=True, live=known.config)


def _subnets(network: Network) -> set[Any]:
    return {ipaddress.ip_interface(ip.address or "").network for ip in network.ips or ()}


def _stopped(seen: SeenHypervisor, known: SeenNetwork) -> SeenHypervisor:
    """The bridge goes, so the taps on it have no master any more."""
    if known.live is None:
        raise Refused("the network does not run")
    networks = {name: each for name, each in seen.networks.items() if name != known.name}
    if known.config is not None:
        networks[known.name] = replace(known, active=False, live=None)
    gone = known.live.bridge_name if known.live.mode in OWN_BRIDGE_MODES else None
    links = seen.links and {
        name: replace(link, master=None) if gone and link.master == gone else link
        for name, link in seen.links.items()
        if name != gone
    }
    return replace(seen, networks=networks, links=links)


# virNetworkUpdate: which entry a change finds is in libvirt's src/conf/network_conf.c (virNetworkDefUpdate*).


def _updated(known: SeenNetwork, step: Update) -> SeenNetwork:
    if step.live and known.live is None:
        raise Refused("the network does not run")
    if step.config and known.config is None:
        raise Refused("a transient network has no definition")
    return replace(
        known,
        live=_updated_copy(known.live, step) if step.live and known.live else known.live,
        config=_updated_copy(known.config, step) if step.config and known.config else known.config,
    )


def _updated_copy(network: Network, step: Update) -> Network:
    if step.section == "dns-host":
        dns = network.dns or Dns()
        return normal(replace(network, dns=replace(dns, hosts=_changed(dns.hosts or (), step, _same_dns_host))))
    if step.section == "dns-txt":
        dns = network.dns or Dns()
        return normal(replace(network, dns=replace(dns, txts=_changed(dns.txts or (), step, _same_name))))
    if step.section == "dns-srv":
        dns = network.dns or Dns()
        return normal(replace(network, dns=replace(dns, srvs=_changed(dns.srvs or (), step, _same_service))))
    if step.section == "portgroup":
        groups = _changed(network.portgroups or (), step, _same_name)
        if sum(bool(group.default) for group in groups) > 1:
            raise Refused("a different portgroup is already the default")
        return normal(replace(network, portgroups=groups))
    if step.section == "forward-interface":
        forward = network.forward or Forward()
        interfaces = _changed(forward.interfaces or (), step, lambda one, other: bool(one == other))
        return normal(replace(network, forward=replace(forward, interfaces=interfaces)))
    found = [ip for ip in network.ips or () if ip.address == step.ip]
    if not found:
        raise Refused(f"no address {step.ip}")
    dhcp = found[0].dhcp or Dhcp()
    if step.section == "ip-dhcp-host":
        dhcp = replace(dhcp, hosts=_changed(dhcp.hosts or (), step, _same_dhcp_host))
    else:
        dhcp = replace(dhcp, ranges=_changed(dhcp.ranges or (), step, _same_range))
    ips = tuple(replace(ip, dhcp=dhcp) if ip is found[0] else ip for ip in network.ips or ())
    return normal(replace(network, ips=ips))


def _changed(entries: tuple[Any, ...], step: Update, same: Callable[[Any, Any], bool]) -> tuple[Any, ...]:
    matching = [entry for entry in entries if same(entry, step.item)]
    if step.command == "add":
        if matching:
            raise Refused(f"there is already {matching[0]}")
        return (*entries, step.item)
    if step.command == "modify" and step.section not in ("ip-dhcp-host", "portgroup"):
        raise Refused(f"{step.section} cannot be modified")
    if step.command == "delete" and step.section == "ip-dhcp-host":
        # Every attribute that is given must fit.
        matching = [entry for entry in entries if entry == step.item]
    if not matching:
        raise Refused(f"no entry for {step.item}")
    if step.command == "delete":
        return tuple(entry for entry in entries if entry is not matching[0])
    return tuple(step.item if entry is matching[0] else entry for entry in entries)


def _same_name(one: Any, other: Any) -> bool:
    return bool(one.name == other.name)


def _same_service(one: Any, asked: Any) -> bool:
    """libvirt asks for what is given only, of every record there is."""
    names = ("service", "protocol", "domain", "target")
    return all(getattr(asked, name) in (None, getattr(one, name)) for name in names)


def _same_dns_host(one: Any, other: Any) -> bool:
    # By its names too, but add does not look at them, and delete is asked by the address alone (_libvirt/apply.py).
    return bool(one.ip == other.ip)


def _same_dhcp_host(one: Any, other: Any) -> bool:
    return any(
        getattr(one, name) is not None and getattr(one, name) == getattr(other, name)
        for name in ("mac", "id", "name", "ip")
    )


def _same_range(one: Any, other: Any) -> bool:
    return (one.start, one.end) == (other.start, other.end)
