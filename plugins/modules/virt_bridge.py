#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_bridge
short_description: Manage Linux bridges for guests
description:
  - Creates, changes and removes Linux bridges, one (O(name)) or many (O(bridges)) in one pass.
  - What is not declared is left alone. A list that is declared is exact, and V([]) empties it.
  - An existing bridge is changed in place. Its ports and its link stay up, and guests stay connected.
  - A declared bridge is always brought up.
  - Ports of guests are never removed because they are not declared, see O(ports).
  - Bridges that libvirt makes for its networks are managed with M(virtnet.hypervisor.virt_net).
  - Everything that can be refused is refused for all declared bridges before the first change.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._netlink
options:
  name:
    description:
      - Name of the bridge, at most 15 bytes.
      - One of O(name) and O(bridges) is required.
    type: str
  bridges:
    description:
      - Bridges, each with the options of a single one. Mutually exclusive with them.
    type: list
    elements: dict
    suboptions: &bridge
      name:
        description: Name of the bridge, at most 15 bytes.
        type: str
        required: true
      state: &state
        description:
          - V(present) exists and is up. This is the default.
          - V(absent) does not exist. Its ports stay, without a bridge.
          - A bridge that libvirt made for a network is not removed here.
        type: str
        choices: [present, absent]
      ports: &ports
        description:
          - Devices of the host that are ports of the bridge, such as the uplink. They are brought up.
          - The list is exact, except for ports that others manage, which are never removed for not being declared.
            These are taps and macvtap devices, devices whose name begins as those for guests do (C(vnet), C(macvtap),
            C(vif), C(tap)), and veth devices whose other end is in another network namespace, as containers have them.
            The last are named in a warning.
          - A device that is a port of another bridge, or that carries addresses of this host, is refused. See O(force)
            for the latter.
          - A device may move from one bridge to another in one task that declares both.
        type: list
        elements: str
      purge_ports: &purge_ports
        description:
          - Whether ports that are not declared are removed from the bridge. This is the default when O(ports) is given.
          - With V(false), ports are only added.
        type: bool
      addresses: &addresses
        description:
          - Addresses of the host on the bridge with their prefix, such as V(192.168.60.1/24) or V(2001:db8:60::1/64). A
            netmask after the slash is the same.
          - The list is exact. Never removed are link-local addresses, and those that expire because DHCP or a router
            advertisement gave them.
          - A new address whose subnet overlaps the one of another device is refused, see O(force). Single addresses
            (a prefix of 32, for IPv6 128) may be on several bridges.
        type: list
        elements: str
      mac: &mac
        description:
          - MAC address of the bridge.
          - When omitted, a new bridge takes the one of the device that stands first in O(ports), because switches and
            DHCP servers know it. Without ports it gets one that is made from the host's machine ID and the name of the
            bridge, and so is the same after each reboot.
          - In any case it is fixed. It does not follow the ports, as it would by the kernel's default when taps of
            guests come and go. That of an existing bridge is fixed when its ports are changed here.
        type: str
      mtu: &mtu
        description:
          - MTU of the bridge in bytes, 68 to 65535. The ports keep theirs.
          - When omitted, the kernel uses the smallest of the ports, unless it was set before.
        type: int
      stp: &stp
        description: Whether the bridge takes part in the spanning tree protocol.
        type: bool
      forward_delay: &forward_delay
        description:
          - Forward delay in seconds, 0 to 30. With O(stp=true) at least 2.
          - When the protocol is turned on for a bridge with a shorter one, the kernel makes it 2.
          - This one, O(hello_time) and O(max_age) are left alone, with a warning, while another bridge is the root of
            the spanning tree. The kernel shows the root's then.
        type: int
      hello_time: &hello_time
        description: Time between two hello packets of the spanning tree protocol in seconds, 1 to 10.
        type: int
      max_age: &max_age
        description: Time after which the spanning tree protocol takes a silent bridge for dead in seconds, 6 to 40.
        type: int
      priority: &priority
        description:
          - Priority in the spanning tree protocol, 0 to 65535. The bridge with the lowest becomes the root.
        type: int
      ageing_time: &ageing_time
        description:
          - Time in seconds for which the bridge remembers at which port a MAC address was seen, 0 to 1000000.
          - With V(0) it forgets at once, and sends everything to all ports.
          - Left alone, with a warning, while the spanning tree is changing. The kernel shows a short one then.
        type: int
      force: &force
        description:
          - Do what is refused otherwise because it may cut off guests or you.
          - This is to remove a bridge that guests are connected to, to make a port of a device that carries addresses
            of this host, and to add an address whose subnet overlaps the one of another device.
        type: bool
  state: *state
  ports: *ports
  purge_ports: *purge_ports
  addresses: *addresses
  mac: *mac
  mtu: *mtu
  stp: *stp
  forward_delay: *forward_delay
  hello_time: *hello_time
  max_age: *max_age
  priority: *priority
  ageing_time: *ageing_time
  force: *force
seealso:
  - module: virtnet.hypervisor.virt_net
  - name: The kernel's bridge
    description: How it works, and what its settings mean.
    link: https://docs.kernel.org/networking/bridge.html
"""

EXAMPLES = r"""
- name: A bridge for guests on the second network card
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    ports:
      - eth1
    stp: false
    forward_delay: 0

- name: Give the host an address there; what is not named here stays
  virtnet.hypervisor.virt_bridge:
    name: br-guests
    addresses:
      - 192.168.60.1/24
      - 2001:db8:60::1/64

- name: Several bridges in one pass
  virtnet.hypervisor.virt_bridge:
    bridges:
      - name: br-storage
        ports:
          - eth2
          - eth3
        stp: true
        priority: 4096
        forward_delay: 4
        hello_time: 1
        max_age: 6
      - name: br-closed
        ports: []
        mac: "02:00:00:00:60:01"
        mtu: 9000
        ageing_time: 600
      - name: br-old
        state: absent

- name: One more port, whatever others there are
  virtnet.hypervisor.virt_bridge:
    name: br-closed
    ports:
      - eth4
    purge_ports: false

- name: Remove a bridge although guests are connected to it
  virtnet.hypervisor.virt_bridge:
    name: br-closed
    state: absent
    force: true
"""

RETURN = r"""
steps:
  description: What was done, or would be done in check mode, in order and in words.
  returned: success
  type: list
  elements: str
  sample:
    - create bridge br-guests
    - add port eth1 to bridge br-guests
bridges:
  description:
    - The declared bridges as they are after the run, in the names of the options.
    - In check mode, what the kernel would choose for a new bridge is left out.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the bridge.
      type: str
      returned: success
    state:
      description: V(present) or V(absent).
      type: str
      returned: success
    ports:
      description: All ports, those of guests too.
      type: list
      elements: str
      returned: when the bridge is present
    addresses:
      description: All addresses but link-local ones that were not declared.
      type: list
      elements: str
      returned: when the bridge is present
  sample:
    - name: br-guests
      state: present
      ports: [eth1, vnet0]
      addresses: [192.168.60.1/24, "2001:db8:60::1/64"]
      mac: "52:54:00:12:34:56"
      mtu: 1500
      stp: false
      forward_delay: 0
      hello_time: 2
      max_age: 20
      priority: 32768
      ageing_time: 300
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._bridge_task import BRIDGE_SPEC, bridge_task
from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import declared_objects, one_or_many
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import run_module


def main() -> None:
    module = AnsibleModule(**one_or_many("bridges", BRIDGE_SPEC))
    require(module, ["pyroute2"])
    run_module(module, lambda: bridge_task(declared_objects(module.params, "bridges")))


if __name__ == "__main__":
    main()
