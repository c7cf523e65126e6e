# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks made by hand with virsh, as an administrator has them before the collection comes."""

from __future__ import annotations

from pathlib import Path

from .host import virsh
from .places import scratch

_NAT = """
<network>
  <name>{name}</name>
  <forward mode='nat'/>
  <bridge name='{bridge}' stp='off'/>
  <ip address='{subnet}.1' prefix='24'>
    <dhcp><range start='{subnet}.10' end='{subnet}.99'/></dhcp>
  </ip>
</network>
"""


def define_nat_network(name: str, bridge: str = "virbr50", subnet: str = "192.168.50") -> None:
    define_network(_NAT.format(name=name, bridge=bridge, subnet=subnet))
    virsh("net-start", name)


def define_network(document: str) -> None:
    path: Path = scratch() / "network.xml"
    path.write_text(document, encoding="utf-8")
    virsh("net-define", str(path))
