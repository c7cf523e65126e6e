# Copyright (c) 2026, the virtnet.hypervisor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the sandbox: an uplink to a second namespace, `outside`, which plays the rest of the world.

    sandbox: uplink0 198.51.100.2, 2001:db8:100::2  ----  outside: outside0 198.51.100.1, 2001:db8:100::1

The outside has no route to anything behind the sandbox, so a guest reaches it only through address translation.
"""

from __future__ import annotations

import os
import subprocess

OUTSIDE_NAMESPACE = "outside"
OUTSIDE_ADDRESS = "198.51.100.1"
OUTSIDE_ADDRESS_6 = "2001:db8:100::1"
UPLINK = "uplink0"
UPLINK_ADDRESS = "198.51.100.2"
UPLINK_ADDRESS_6 = "2001:db8:100::2"

_CABLE = f"""
link set lo up
link add {UPLINK} type veth peer name outside0 netns {OUTSIDE_NAMESPACE}
"""

_SANDBOX = f"""
addr add {UPLINK_ADDRESS}/24 dev {UPLINK}
addr add {UPLINK_ADDRESS_6}/64 dev {UPLINK} nodad
link set {UPLINK} up
route add default via {OUTSIDE_ADDRESS}
route add ::/0 via {OUTSIDE_ADDRESS_6} dev {UPLINK}
"""

_OUTSIDE = f"""
link set lo up
addr add {OUTSIDE_ADDRESS}/24 dev outside0
addr add {OUTSIDE_ADDRESS_6}/64 dev outside0 nodad
link set outside0 up
"""


def build() -> None:
    # A new namespace takes these over from the host; a sandbox is the same everywhere.
    for setting in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        with open(f"/proc/sys/net/{setting}", "w", encoding="ascii") as file:
            file.write("0\n")
    subprocess.run(["ip", "netns", "add", OUTSIDE_NAMESPACE], check=True)
    subprocess.run(["ip", "-batch", "-"], input=_CABLE, text=True, check=True)
    # The search for duplicates would change the state of the link-local address a second or two after the start.
    with open(f"/proc/sys/net/ipv6/conf/{UPLINK}/accept_dad", "w", encoding="ascii") as file:
        file.write("0\n")
    subprocess.run(["ip", "-batch", "-"], input=_SANDBOX, text=True, check=True)
    subprocess.run(["ip", "-n", OUTSIDE_NAMESPACE, "-batch", "-"], input=_OUTSIDE, text=True, check=True)
    # The host's name servers cannot be reached; the outside refuses at once instead of letting a query time out.
    if os.path.lexists("/etc/resolv.conf"):
        os.unlink("/etc/resolv.conf")
    with open("/etc/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {OUTSIDE_ADDRESS}\n")
