#!/usr/bin/python

# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: virt_net_info
short_description: Read libvirt networks and their DHCP leases
description:
  - Returns libvirt networks in the names of the options of M(virtnet.hypervisor.virt_net), with their state, DHCP
    leases and the running guests connected to them.
author:
  - The virtnet.hypervisor contributors (@virtnet)
extends_documentation_fragment:
  - virtnet.hypervisor._attributes.info
  - virtnet.hypervisor._attributes.common
  - virtnet.hypervisor._libvirt
options:
  name:
    description: Return this network only. The result is an empty list when there is no such network.
    type: str
seealso:
  - module: virtnet.hypervisor.virt_net
"""

EXAMPLES = r"""
- name: Read all networks
  virtnet.hypervisor.virt_net_info:
  register: all

- name: Read one network
  virtnet.hypervisor.virt_net_info:
    name: default
  register: default

- name: Keep all networks of this host as they are now
  virtnet.hypervisor.virt_net:
    networks: "{{ all.declarations }}"

- name: Name the networks that wait for a restart, and why
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.pending | map(attribute='option') | join(', ') }}"
  loop: "{{ all.networks | selectattr('pending') }}"

- name: Show which guest has which address
  ansible.builtin.debug:
    msg: "{{ item.hostname }} {{ item.mac }} {{ item.ip }} until {{ item.expiry }}"
  loop: "{{ default.networks | map(attribute='leases') | flatten }}"
"""

RETURN = r"""
networks:
  description:
    - The networks in the order of their names. Beside the values named here, each has the options of
      M(virtnet.hypervisor.virt_net) that its definition has a value for, under the same names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the network.
      type: str
      returned: success
    uuid:
      description: UUID of the network.
      type: str
      returned: success
    state:
      description: V(active) or V(inactive).
      type: str
      returned: success
    autostart:
      description: Whether libvirt starts the network with the host.
      type: bool
      returned: success
    persistent:
      description: Whether the network has a definition that outlives its stop.
      type: bool
      returned: success
    guests:
      description: Interfaces of running guests on the network.
      type: list
      elements: dict
      returned: success
      contains:
        name:
          description: Name of the guest.
          type: str
          returned: success
        mac:
          description: MAC address of the interface.
          type: str
          returned: success
        device:
          description: The interface's device on the host.
          type: str
          returned: success
    pending:
      description:
        - The options in which the running network differs from its definition, which takes effect at its next start.
      type: list
      elements: dict
      returned: success
      contains:
        option:
          description: Name of the option at the top level of M(virtnet.hypervisor.virt_net).
          type: str
          returned: success
        running:
          description: Its value as the network runs. Null when there is none.
          type: raw
          returned: success
        defined:
          description: Its value as defined. Null when there is none.
          type: raw
          returned: success
    leases:
      description: DHCP leases in force, in the order of their addresses.
      type: list
      elements: dict
      returned: success
      contains:
        family:
          description: V(ipv4) or V(ipv6).
          type: str
          returned: success
        mac:
          description: MAC address of the guest.
          type: str
          returned: success
        ip:
          description: The address.
          type: str
          returned: success
        prefix:
          description: Length of the subnet's prefix.
          type: int
          returned: success
        hostname:
          description: Name the guest gave, or that its fixed lease has. Null when there is none.
          type: str
          returned: success
        client_id:
          description: Client identifier of the guest (DUID for IPv6). Null when it gave none.
          type: str
          returned: success
        iaid:
          description: Identity association of a DHCPv6 lease. Null for IPv4.
          type: str
          returned: success
        expiry:
          description: When the lease ends, in ISO 8601 (UTC). Null when it does not end.
          type: str
          returned: success
declarations:
  description:
    - The same networks as the option O(virtnet.hypervisor.virt_net#module:networks) takes them, and nothing else. Given
      back, they change nothing; on another host they make the same networks.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.virtnet.hypervisor.plugins.module_utils._deps import require
from ansible_collections.virtnet.hypervisor.plugins.module_utils._errors import VirtNetError
from ansible_collections.virtnet.hypervisor.plugins.module_utils._network_info import networks_info
from ansible_collections.virtnet.hypervisor.plugins.module_utils._params import URI


def main() -> None:
    module = AnsibleModule(argument_spec={"uri": URI, "name": {"type": "str"}}, supports_check_mode=True)
    require(module, ["libvirt", "lxml"])
    try:
        found = networks_info(module.params["uri"], module.params["name"])
    except VirtNetError as error:
        module.fail_json(msg=str(error))
        raise  # fail_json does not return; this is for readers and type checkers.
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
