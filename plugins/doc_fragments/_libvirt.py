# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    # Every module that talks to libvirt.
    DOCUMENTATION = r"""
options:
  uri:
    description:
      - The hypervisor, as a libvirt connection URI.
      - Others than the default are V(xen:///system), V(lxc:///system), V(test:///default) and remote ones such as
        V(qemu+ssh://root@host/system).
      - At a remote hypervisor the host's own network devices and addresses cannot be seen, so that clashes with them
        are found by libvirt only. Run the module on the hypervisor itself where you can.
    type: str
    default: qemu:///system
requirements:
  - Python >= 3.9 on the target
  - libvirt >= 8.0 and its Python binding (python3-libvirt)
  - lxml (python3-lxml)
"""
