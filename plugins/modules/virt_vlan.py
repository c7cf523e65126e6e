#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_vlan
short_description: Manage VLAN sub-interfaces
description:
  - Creates, changes and removes VLAN sub-interfaces (802.1Q and 802.1ad), one (O(parent) and O(id)) or many (O(vlans))
    in one pass.
  - What is not declared is left alone. A list that is declared is exact, and V([]) empties it.
  - An existing sub-interface is changed in place, and what is connected through it stays connected.
  - What a sub-interface is, its parent, its ID and its protocol, cannot be changed. One of that name with others is
    refused, and so is one with these and another name.
  - Everything that can be refused is refused for all declared VLANs before the first change.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._netlink
options:
  vlans:
    description:
      - VLANs, each with the options of a single one. Mutually exclusive with them.
      - They may be in any order. One may be on another one of the list, such as 802.1Q in 802.1ad.
    type: list
    elements: dict
    suboptions: &vlan
      name: &name
        description:
          - Name of the sub-interface, at most 15 bytes.
          - When omitted, it is the name of the parent, a dot and the ID, such as V(eth1.59).
          - C({id}) in it stands for the ID.
          - With O(state=absent), it is all that is needed.
        type: str
      parent: &parent
        description:
          - Device that the tagged frames go through, such as a network card, a bond, a bridge or another VLAN.
          - Required with O(state=present).
          - It is brought up where it is down and the VLAN shall be up. Then the kernel brings its other VLANs up too.
        type: str
      id: &id
        description:
          - ID of the VLAN, 1 to 4094.
          - Required with O(state=present), unless O(vlans[].ids) is given.
        type: int
      ids:
        description:
          - IDs of several VLANs with the same options, as numbers and ranges, such as V(59,89,100-199). Put quotes
            around it.
          - It stands for one VLAN each, whose names must differ. Omit O(vlans[].name), or put C({id}) into it.
          - Mutually exclusive with O(vlans[].id). O(vlans[].addresses) cannot be given for several VLANs.
        type: str
      protocol: &protocol
        description:
          - Protocol of the tag. V(802.1q) is the default for a new VLAN, V(802.1ad) is for the outer of two tags.
        type: str
        choices: [802.1q, 802.1ad]
      state: &state
        description:
          - V(present) exists. This is the default.
          - V(absent) does not exist. One that other devices are on is not removed, unless these are VLANs that the task
            removes too, see O(force).
        type: str
        choices: [present, absent]
      bridge: &bridge
        description:
          - Bridge that the sub-interface is a port of. It must exist.
          - An empty text takes it out of any.
          - C({id}) in it stands for the ID.
          - The bridge keeps the MAC address it has.
          - A sub-interface that is in another bridge, or that has addresses of this host, is refused, see O(force).
        type: str
      mac: &mac
        description:
          - MAC address of the sub-interface.
          - When omitted, it has the one of its parent, unless it was set before.
        type: str
      mtu: &mtu
        description:
          - MTU in bytes, 68 to 65535, and not more than the parent's.
          - When omitted, a new sub-interface has the parent's.
        type: int
      up: &up
        description:
          - Whether it is up. This is the default for every declared VLAN.
          - One that is taken down keeps its addresses. One that others are on is not taken down, see O(force).
        type: bool
      addresses: &addresses
        description:
          - Addresses of the host on the sub-interface with their prefix, such as V(192.168.59.1/24) or
            V(2001:db8:59::1/64). A netmask after the slash is the same.
          - The list is exact. Never removed are link-local addresses, and those that expire because DHCP or a router
            advertisement gave them.
          - A new address whose subnet overlaps the one of another device is refused, see O(force). Single addresses
            (a prefix of 32, for IPv6 128) may be on several devices.
        type: list
        elements: str
      force: &force
        description:
          - Do what is refused otherwise because it may cut off others or you.
          - This is to remove or take down a sub-interface that others are on, to move one from another bridge, to have
            addresses on a port of a bridge, and to add an address whose subnet overlaps the one of another device.
        type: bool
  name: *name
  parent: *parent
  id: *id
  protocol: *protocol
  state: *state
  bridge: *bridge
  mac: *mac
  mtu: *mtu
  up: *up
  addresses: *addresses
  force: *force
seealso:
  - module: virtnet.hypervisor.virt_bridge
  - module: virtnet.hypervisor.virt_net
"""

EXAMPLES = r"""
- name: The host's address in VLAN 59 of the trunk on eth1
  virtnet.hypervisor.virt_vlan:
    parent: eth1
    id: 59
    addresses:
      - 192.168.59.1/24
      - 2001:db8:59::1/64

- name: Bridges for the guests of many VLANs
  virtnet.hypervisor.virt_bridge:
    bridges:
      - name: br60
      - name: br61
      - name: br62
      - name: br63
      - name: br70

- name: Their VLANs in one pass, each in its bridge
  virtnet.hypervisor.virt_vlan:
    vlans:
      - parent: eth1
        ids: "60-62,70"
        bridge: br{id}
      - parent: eth1
        id: 63
        name: storage
        bridge: br63
        mtu: 1400
        mac: "02:00:00:00:63:01"

- name: Two tags, the inner one of a customer in the outer one of the provider
  virtnet.hypervisor.virt_vlan:
    vlans:
      - parent: eth2
        id: 100
        protocol: 802.1ad
        name: provider
      - parent: provider
        ids: "10,20"
        name: customer{id}

- name: Take one out of its bridge and down
  virtnet.hypervisor.virt_vlan:
    parent: eth1
    id: 60
    bridge: ""
    up: false

- name: Remove VLANs
  virtnet.hypervisor.virt_vlan:
    vlans:
      - name: storage
        state: absent
      - parent: eth1
        ids: "60-62"
        state: absent

- name: Remove one with all that is on it
  virtnet.hypervisor.virt_vlan:
    name: provider
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
    - "create VLAN eth1.60: ID 60 on eth1, port of bridge br60"
    - "create VLAN eth1.61: ID 61 on eth1, port of bridge br61"
vlans:
  description:
    - The declared VLANs as they are after the run, in the names of the options.
    - In check mode, what the kernel would choose for a new one is left out.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the sub-interface.
      type: str
      returned: success
    state:
      description: V(present) or V(absent).
      type: str
      returned: success
    parent:
      description: The device that it is on.
      type: str
      returned: when the VLAN is present
    bridge:
      description: The bridge that it is a port of.
      type: str
      returned: when the VLAN is a port of a bridge
    addresses:
      description: All addresses but link-local ones that were not declared.
      type: list
      elements: str
      returned: when the VLAN is present
  sample:
    - name: eth1.60
      state: present
      parent: eth1
      id: 60
      protocol: 802.1q
      bridge: br60
      mac: "52:54:00:12:34:56"
      mtu: 1500
      up: true
      addresses: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._run import run_module
from ansible_collections.virtnet.hypervisor.plugins.module_utils._vlan_task import vlan_arguments, vlan_task


def main() -> None:
    module = AnsibleModule(**vlan_arguments())
    require(module, ["pyroute2"])
    run_module(module, lambda: vlan_task(module.params))


if __name__ == "__main__":
    main()
