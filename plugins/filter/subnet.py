# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: subnet
short_description: The subnet that an address with its prefix is in
version_added: 0.1.0
author:
  - The virtnet.hypervisor contributors (@virtnet)
description:
  - Turns an address of the host on a network, such as V(192.168.50.1/24), into the subnet that others route to.
options:
  _input:
    description: An IPv4 or IPv6 address with its prefix, or with a netmask. Without one it is a single address.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The route back to the guests
  ansible.builtin.debug:
    msg: ip route add {{ '192.168.50.1/24' | virtnet.hypervisor.subnet }} via 198.51.100.2
"""

RETURN = r"""
_value:
  description: The subnet, such as V(192.168.50.0/24).
  type: str
"""


def subnet(address: str) -> str:
    try:
        return str(ipaddress.ip_interface(address).network)
    except ValueError as error:
        raise AnsibleFilterError(f"{address!r} is no address with a prefix: {error}.") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"subnet": subnet}
