#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_net
short_description: Manage libvirt networks
description:
  - Creates, changes, starts, stops and removes libvirt networks, one (O(name)) or many (O(networks)) in one pass.
  - What is not declared is left alone. A list that is declared is exact, and V([]) empties it. An empty string removes
    a text value.
  - An existing definition is edited in place. Its UUID, its MAC address and all that has no option here stay.
  - On a running network, DHCP ranges, fixed leases and DNS entries are changed without a restart. For everything else
    see O(if_restart_needed).
  - For each range or fixed lease that is changed so, libvirt takes its firewall rules away and builds them again. On
    libvirt 9.0 with iptables, guests' packets to the outside were refused for 0.2 to 0.4 seconds each time. Between the
    guests and the host nothing is lost, and DNS entries lose nothing at all.
  - Everything that can be refused is refused for all declared networks before the first change.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._libvirt
requirements:
  - pyroute2 >= 0.5.14 (python3-pyroute2), to see the host's devices and to re-plug guests
options:
  name:
    description:
      - Name of the network.
      - One of O(name) and O(networks) is required.
    type: str
  networks:
    description:
      - Networks, each with the options of a single one. Mutually exclusive with them.
    type: list
    elements: dict
    suboptions: &network
      name:
        description: Name of the network.
        type: str
        required: true
      state: &state
        description:
          - V(active) is defined and running, and V(autostart=true) unless told otherwise. This is the default.
          - V(inactive) is defined and not running.
          - V(present) is defined, running or not.
          - V(absent) is neither running nor defined.
        type: str
        choices: [active, inactive, present, absent]
      autostart: &autostart
        description:
          - Whether libvirt starts the network with the host.
          - When omitted, a network with V(state=active) is started with the host, and any other is left as it is.
        type: bool
      force: &force
        description:
          - Stop or remove the network although running guests are connected to it. They lose their connection.
          - Without it, such a task is refused, naming the guests.
        type: bool
      if_restart_needed: &if_restart_needed
        description:
          - What to do when a running network has to change in something that libvirt takes at the network's start only.
          - V(defer) changes the definition. The network is named in the result RV(pending_restart), in this run and in
            later ones, until it was restarted. This is the default.
          - V(restart) stops and starts the network, and plugs the taps of running guests into the new bridge.
          - V(fail) refuses the task.
        type: str
        choices: [defer, restart, fail]
      xml: &xml
        description:
          - A libvirt C(<network>) document to declare the network by.
          - What it says, as far as there is an option for it, is declared as if written as options. Options written
            beside it have precedence.
          - A document without C(<forward>), C(<ip>) or C(<route>) elements declares an isolated network, no addresses
            or no routes.
          - What there is no option for is taken over when the network is made, and left alone later.
          - A document with a DOCTYPE is refused.
        type: str
      title: &title
        description: A short description of the network. Needs libvirt 9.7 or newer.
        type: str
      mtu: &mtu
        description:
          - MTU of the bridge and of the guests' taps, in bytes. V(0) removes it, so that the kernel's default applies.
        type: int
      mac: &mac
        description: MAC address of the bridge. libvirt makes one up when none is declared for a new network.
        type: str
      forward: &forward
        description: How guests reach what is outside.
        type: dict
        suboptions:
          mode:
            description:
              - V(nat) routes and translates addresses, V(route) routes only.
              - V(open) routes and leaves the firewall to you.
              - V(isolated) connects the guests with each other and with the host.
              - V(bridge) connects guests to the existing bridge in O(bridge.name), or with macvtap to
                O(forward.interfaces).
              - V(private), V(vepa) and V(passthrough) are the other macvtap modes.
              - A new network without a mode is V(isolated), as in libvirt.
            type: str
            choices: [nat, route, open, isolated, bridge, private, vepa, passthrough]
          dev:
            description: With V(mode=nat) or V(mode=route), the only device through which guests' traffic may leave.
            type: str
          interfaces:
            description: With a macvtap mode, the devices that guests are put on. libvirt spreads the guests over them.
            type: list
            elements: str
          nat:
            description: With V(mode=nat), what guests' connections look like outside.
            type: dict
            suboptions:
              addresses:
                description: Source addresses to use instead of the host's.
                type: dict
                suboptions:
                  start:
                    description: First address.
                    type: str
                    required: true
                  end:
                    description: Last address.
                    type: str
                    required: true
              ports:
                description: Source ports to use. libvirt's default is 1024 to 65535.
                type: dict
                suboptions:
                  start:
                    description: First port.
                    type: int
                    required: true
                  end:
                    description: Last port.
                    type: int
                    required: true
              ipv6:
                description: Translate IPv6 too, which is otherwise routed.
                type: bool
      bridge: &bridge
        description: The bridge the guests are ports of.
        type: dict
        suboptions:
          name:
            description:
              - Name of the bridge, at most 15 bytes. libvirt makes one up (C(virbr0) and up) when none is declared.
              - With V(forward.mode=bridge) a bridge that exists. In all other modes libvirt makes the bridge.
            type: str
          stp:
            description: Whether the bridge takes part in the spanning tree protocol.
            type: bool
          delay:
            description: Forward delay of the bridge in seconds, 0 to 30.
            type: int
          zone:
            description: The firewalld zone of the bridge.
            type: str
      domain: &domain
        description: DNS domain of the guests.
        type: dict
        suboptions:
          name:
            description: Name of the domain.
            type: str
          local_only:
            description: Whether names of the domain are never looked up at other servers.
            type: bool
      ips: &ips
        description:
          - Addresses of the host on the network, and what is served there. The list is exact.
        type: list
        elements: dict
        suboptions:
          address:
            description: Address with its prefix, such as V(192.168.50.1/24). A netmask after the slash is the same.
            type: str
            required: true
          tftp_root:
            description: Folder of the host from which files are served by TFTP.
            type: str
          dhcp:
            description: Addresses served by DHCP. libvirt serves one IPv4 and one IPv6 address of a network.
            type: dict
            suboptions:
              ranges:
                description: Ranges for guests without a fixed lease. The list is exact.
                type: list
                elements: dict
                suboptions:
                  start:
                    description: First address.
                    type: str
                    required: true
                  end:
                    description: Last address.
                    type: str
                    required: true
                  lease: &lease
                    description: How long an address is leased.
                    type: dict
                    suboptions:
                      expiry:
                        description: The time, in the unit of O(ignore:unit). V(0) never expires.
                        type: int
                        required: true
                      unit:
                        description: Unit of the time. libvirt's default is minutes.
                        type: str
                        choices: [seconds, minutes, hours]
              hosts:
                description: Fixed leases. The list is exact.
                type: list
                elements: dict
                suboptions:
                  mac:
                    description: MAC address of the guest, for IPv4.
                    type: str
                  id:
                    description: DUID of the guest, for IPv6.
                    type: str
                  name:
                    description: Host name of the guest, also served by DNS.
                    type: str
                  ip:
                    description: The address.
                    type: str
                    required: true
                  lease: *lease
      routes: &routes
        description: Routes of the host to networks behind a guest. The list is exact.
        type: list
        elements: dict
        suboptions:
          address:
            description: The network that is reached, such as V(10.1.0.0/16).
            type: str
            required: true
          gateway:
            description: Address of the guest that leads there.
            type: str
            required: true
          metric:
            description: Metric of the route. A lower one is preferred.
            type: int
      dns: &dns
        description: The DNS service on the network.
        type: dict
        suboptions:
          enable:
            description: Whether DNS is served at all.
            type: bool
          forwarders:
            description: Servers to ask instead of the host's, in this order. The list is exact.
            type: list
            elements: dict
            suboptions:
              addr:
                description: Address of the server. Without it, names of the domain are answered from here only.
                type: str
              domain:
                description: The only domain the server is asked about.
                type: str
          hosts:
            description: Names served by DNS. The list is exact.
            type: list
            elements: dict
            suboptions:
              ip:
                description: The address.
                type: str
                required: true
              names:
                description: Names of the address.
                type: list
                elements: str
                required: true
  state: *state
  autostart: *autostart
  force: *force
  if_restart_needed: *if_restart_needed
  xml: *xml
  title: *title
  mtu: *mtu
  mac: *mac
  forward: *forward
  bridge: *bridge
  domain: *domain
  ips: *ips
  routes: *routes
  dns: *dns
seealso:
  - module: virtnet.hypervisor.virt_net_info
  - name: libvirt's network format
    description: Every element and attribute.
    link: https://libvirt.org/formatnetwork.html
"""

EXAMPLES = r"""
- name: A NAT network with DHCP, a fixed lease and a DNS name
  virtnet.hypervisor.virt_net:
    name: lab
    forward:
      mode: nat
    bridge:
      name: virbr-lab
    domain:
      name: lab.example
    ips:
      - address: 192.168.50.1/24
        dhcp:
          ranges:
            - start: 192.168.50.100
              end: 192.168.50.199
          hosts:
            - mac: "52:54:00:00:50:10"
              name: web
              ip: 192.168.50.10
    dns:
      hosts:
        - ip: 192.168.50.1
          names:
            - gateway
            - registry

- name: Another fixed lease, without a restart; what is not named here stays
  virtnet.hypervisor.virt_net:
    name: lab
    ips:
      - address: 192.168.50.1/24
        dhcp:
          hosts:
            - mac: "52:54:00:00:50:10"
              name: web
              ip: 192.168.50.10
            - mac: "52:54:00:00:50:11"
              name: db
              ip: 192.168.50.11

- name: Several networks in one pass
  virtnet.hypervisor.virt_net:
    networks:
      - name: closed
        forward:
          mode: isolated
        bridge:
          name: virbr-closed
        ips:
          - address: 192.168.51.1/24
      - name: routed
        forward:
          mode: route
        bridge:
          name: virbr-routed
        ips:
          - address: 192.168.52.1/24
          - address: 2001:db8:52::1/64
      - name: old
        state: absent

- name: A larger MTU, now, with running guests plugged into the restarted network
  virtnet.hypervisor.virt_net:
    name: closed
    mtu: 9000
    if_restart_needed: restart

- name: A network by its libvirt document
  virtnet.hypervisor.virt_net:
    name: handmade
    xml: |
      <network>
        <name>handmade</name>
        <forward mode='open'/>
        <bridge name='virbr-hand'/>
        <ip address='192.168.53.1' netmask='255.255.255.0'/>
      </network>
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, in order and in words.
  returned: success
  type: list
  elements: str
  sample:
    - define network lab
    - start network lab
    - start network lab with the host
networks:
  description: The declared networks as they are after the run, in the names of the options.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: success
    state:
      description: V(active), V(inactive) or V(absent).
      type: str
      returned: success
    autostart:
      description: Whether libvirt starts the network with the host.
      type: bool
      returned: when the network is defined
    pending_restart:
      description: Whether the running network differs from its definition in something declared.
      type: bool
      returned: when the network is defined
pending_restart:
  description: Names of the networks whose declared definition takes effect at their next start only.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_task import NETWORK_SPEC, network_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import URI, declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import run_module


def main() -> None:
    module = AnsibleModule(**one_or_many("networks", NETWORK_SPEC, uri=URI))
    require(module, ["libvirt", "lxml"])
    run_module(module, lambda: network_task(module.params["uri"], declared_objects(module.params, "networks")))


if __name__ == "__main__":
    main()
